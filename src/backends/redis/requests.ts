/** Calls that are sent on their own, each once connected: a script, a script that leaves a receipt, or a plain command. */
import type { RedisArgument } from "./client/port.ts";
import type { FirstUse } from "./handshake.ts";
import type { Observations, RecordedReply } from "./observations.ts";
import type { Call, Caller, PlainCall } from "./pipeline/script-runner.ts";
import type { Life } from "./receipts.ts";

/** A script that leaves a receipt: its arguments include the expiry of the receipts. */
export type RecordedCall<T> = Omit<Call<T>, "args"> & {
  readonly args: (life: Life["args"]) => readonly RedisArgument[];
};

export interface RequestsOptions {
  readonly firstUse: FirstUse;
  readonly caller: Caller;
  readonly observations: Observations;
}

export class Requests {
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  run<T>(call: Call<T>): Promise<T> {
    const { firstUse, caller } = this.#options;
    return firstUse.whenConnected(() => caller.run(call));
  }

  plain<T>(call: PlainCall<T>): Promise<T> {
    const { firstUse, caller } = this.#options;
    return firstUse.whenConnected(() => caller.plain(call));
  }

  runRecorded<T extends RecordedReply>(call: RecordedCall<T>): Promise<T> {
    const { observations } = this.#options;
    const life = observations.receipts.life();
    return this.run({
      ...call,
      args: call.args(life.args),
      read: (raw) => observations.noteRecorded(call.read(raw), life),
    });
  }
}
