/**
 * Calls that are sent separately, each once connected: a script, a script that leaves a receipt, or a plain command.
 */
import type { Receipt } from "../contract.ts";
import type { RedisArgument } from "./client/port.ts";
import type { StartupChecks } from "./startup-checks.ts";
import type { Observations, RecordedReply } from "./protocol/observations.ts";
import type { ScriptCall, ScriptRunner, CommandCall } from "./protocol/script-runner.ts";

/** A script that leaves a receipt. */
export type RecordedCall<T> = Omit<ScriptCall<T>, "args"> & {
  readonly receipt: Receipt;
  /** `recording`: slot n proof keep refresh, which are adjacent in the arguments of all these scripts. */
  readonly args: (recording: readonly string[]) => readonly RedisArgument[];
};

export interface SingleCallsOptions {
  readonly startupChecks: StartupChecks;
  readonly runner: ScriptRunner;
  readonly observations: Observations;
}

export class SingleCalls {
  readonly #options: SingleCallsOptions;

  constructor(options: SingleCallsOptions) {
    this.#options = options;
  }

  run<T>(call: ScriptCall<T>): Promise<T> {
    const { startupChecks, runner } = this.#options;
    return startupChecks.whenConnected(() => runner.run(call));
  }

  command<T>(call: CommandCall<T>): Promise<T> {
    const { startupChecks, runner } = this.#options;
    return startupChecks.whenConnected(() => runner.command(call));
  }

  runRecorded<T extends RecordedReply>(call: RecordedCall<T>): Promise<T> {
    const { observations } = this.#options;
    const { receipt } = call;
    const fields = observations.receipts.fieldsFor(receipt);
    const expiry = observations.receipts.expiry();
    return this.run({
      ...call,
      args: call.args([...fields, ...expiry.args]),
      read: (raw) => observations.noteRecorded(call.read(raw), receipt, expiry),
    });
  }
}
