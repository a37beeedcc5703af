/**
 * Sends the operations of one tick together: a script acquires, releases or commits many locks, since most of the cost
 * of a command, on either side, is per command and not per lock.
 *
 * No operation waits for another tick: a single one is sent alone. pacer.ts decides over how many scripts those of a
 * tick are spread, and when their replies are handled.
 */
import { nextTick } from "../../../timers.ts";
import { ScriptBatch, type BatchTarget, type PendingOperation } from "./script-batch.ts";
import { sendAlone } from "./single-script.ts";
import type { Operation } from "../protocol/operation.ts";
import type { Pacer } from "./pacer.ts";

export class Batcher {
  readonly #target: BatchTarget;
  readonly #pacer: Pacer;
  #pending: PendingOperation[] = [];

  constructor(target: BatchTarget, pacer: Pacer) {
    this.#target = target;
    this.#pacer = pacer;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    // After the callers of the last replies have gone on, which may add operations, and before the next replies are
    // read.
    if (this.#pending.length === 0) nextTick(this.#flush);
    this.#pacer.operationAdded();
    return new Promise((resolve, reject) => {
      this.#pending.push({ operation, resolve: resolve as PendingOperation["resolve"], reject });
    });
  }

  readonly #flush = (): void => {
    let pending = this.#pending;
    this.#pending = [];
    const [first] = pending;
    if (first !== undefined && pending.length === 1) return this.#sendAlone(first);
    // Size limits, or an id that occurs twice, may require more scripts.
    for (let scripts = this.#pacer.scriptsFor(pending.length); pending.length > 0; scripts -= 1) {
      const batch = new ScriptBatch(Math.ceil(pending.length / Math.max(1, scripts)));
      const left = pending.findIndex((one) => !batch.add(one));
      pending = left < 0 ? [] : pending.slice(left);
      this.#send(batch);
    }
  };

  #sendAlone(operation: PendingOperation): void {
    this.#pacer.scriptSent();
    sendAlone(this.#target, operation, (settle) => this.#pacer.replyReceived(1, settle));
  }

  #send(batch: ScriptBatch): void {
    this.#pacer.scriptSent();
    batch.send(this.#target, (settle) => this.#pacer.replyReceived(batch.count, settle));
  }
}
