/** Sends each operation at once, in a script of its own: no batches and no pacing, for comparison in measurements. */
import type { BatchTarget, PendingOperation } from "./script-batch.ts";
import { sendAlone } from "./single-script.ts";
import type { Operation } from "../protocol/operation.ts";

export class UnbatchedSender {
  readonly #target: BatchTarget;

  constructor(target: BatchTarget) {
    this.#target = target;
  }

  add<T>(operation: Operation<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = { operation, resolve: resolve as PendingOperation["resolve"], reject };
      sendAlone(this.#target, pending, (settle) => settle());
    });
  }
}
