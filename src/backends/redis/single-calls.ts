/**
 * Calls that are sent separately, each once connected: a script, a script that leaves a receipt, or a plain command.
 */
import type { Receipt } from "../contract.ts";
import type { RedisArgument } from "./client/client-port.ts";
import type { StartupChecks } from "./startup-checks.ts";
import type { ServerFacts, RecordedReply } from "./protocol/server-facts.ts";
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
  readonly facts: ServerFacts;
}

export class SingleCalls {
  readonly #options: SingleCallsOptions;

  constructor(options: SingleCallsOptions) {
    this.#options = options;
  }

  /** Whether each script must declare all keys that it uses. */
  get declaresKeys(): boolean {
    return this.#options.runner.declaresKeys;
  }

  run<T>(call: ScriptCall<T>): Promise<T> {
    const { startupChecks, runner } = this.#options;
    return startupChecks.whenConnected(() => runner.run(call));
  }

  command<T>(call: CommandCall<T>): Promise<T> {
    return this.whenConnected(() => this.#options.runner.command(call));
  }

  whenConnected<T>(send: () => Promise<T>): Promise<T> {
    return this.#options.startupChecks.whenConnected(send);
  }

  runRecorded<T extends RecordedReply>(call: RecordedCall<T>): Promise<T> {
    const { facts } = this.#options;
    const { receipt } = call;
    const fields = facts.receipts.fieldsFor(receipt);
    const expiry = facts.receipts.expiry();
    return this.run({
      ...call,
      args: call.args([...fields, ...expiry.args]),
      read: (raw) => facts.noteRecorded(call.read(raw), receipt, expiry),
    });
  }
}
