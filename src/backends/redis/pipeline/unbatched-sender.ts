/** Sends each operation at once, as a script of its own: no batches and no pacing, to measure those against. */
import { Batch, type BatchTarget, type PendingOperation } from "./script-batch.ts";
import type { Operation } from "./operation.ts";

export class DirectSender {
  readonly #target: BatchTarget;

  constructor(target: BatchTarget) {
    this.#target = target;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const batch = new Batch(1);
      batch.add({ operation, resolve: resolve as PendingOperation["resolve"], reject });
      batch.send(this.#target, (settle) => settle());
    });
  }
}
