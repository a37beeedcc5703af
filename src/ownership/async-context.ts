/**
 * The async context that records which grants are held: one AsyncLocalStorage for the process, shared by all copies of
 * this package. `held-grants.ts` defines its content.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const key = Symbol.for("holdfast.context.1");
const shared: { [key]?: AsyncLocalStorage<unknown> } = globalThis as object;
// eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- another copy of the package may have set it
export const context = (shared[key] ??= new AsyncLocalStorage<unknown>());

/**
 * Runs code that belongs to no caller's function, such as listeners of signals, outside the context that triggered it
 * [L4].
 */
export function runOutside<R>(body: () => R): R {
  return context.exit(body);
}
