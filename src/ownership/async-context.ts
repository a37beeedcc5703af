/**
 * The async context that says which grants are held: one AsyncLocalStorage of the process, shared by all copies of this
 * package. What is in it is the business of `owner-context.ts`.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const key = Symbol.for("holdfast.context.1");
const shared: { [key]?: AsyncLocalStorage<unknown> } = globalThis as object;
// eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- another copy of the package may have set it
export const context = (shared[key] ??= new AsyncLocalStorage<unknown>());

/** Runs what belongs to no caller's function, whichever context triggers it: listeners of signals, for example [L4]. */
export function runOutside<R>(body: () => R): R {
  return context.exit(body);
}
