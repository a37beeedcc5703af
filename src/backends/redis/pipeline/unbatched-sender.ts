/** Sends each operation at once, in a script of its own: no batches and no pacing, for comparison in measurements. */
import { ScriptBatch, type BatchTarget, type PendingOperation } from "./script-batch.ts";
import type { Operation } from "../protocol/operation.ts";

export class UnbatchedSender {
  readonly #target: BatchTarget;

  constructor(target: BatchTarget) {
    this.#target = target;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const batch = new ScriptBatch(1);
      batch.add({ operation, resolve: resolve as PendingOperation["resolve"], reject });
      batch.send(this.#target, (settle) => settle());
    });
  }
}
