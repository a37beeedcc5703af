/**
 * The async context that records which grants are held: one AsyncLocalStorage for the process, shared by all copies of
 * this package. `held-grants.ts` defines its content.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { onePerProcess } from "../process/one-per-process.ts";

export const context = onePerProcess("context", 1, () => new AsyncLocalStorage<unknown>());

/**
 * Runs code that belongs to no caller's function, such as listeners of signals, outside the context that triggered it
 * [L4].
 */
export function runOutside<R>(body: () => R): R {
  return context.exit(body);
}
