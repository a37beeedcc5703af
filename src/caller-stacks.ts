/**
 * The errors that callers get: each caller an error with a stack of its own call.
 *
 * Holdfast's own error was often made elsewhere, in a timer or for a whole batch of callers, so that its stack says nothing of
 * the call that failed. All public methods return their promises through {@link withCallersStack}: it awaits the answer for
 * one caller, which is where the engine knows the async functions that wait, and copies the error with that stack. An error
 * of the caller's own is rethrown unchanged, the same object.
 */
import { HoldfastError, isOfOurs } from "./errors.ts";

/** Errors that callers already have: Holdfast's errors that were thrown to them, and those that they made themselves. */
const callersOwn = new WeakSet<HoldfastError>();

/** The answer of `call`; Holdfast's own errors with the stack of the caller that awaits this. */
export async function withCallersStack<R>(call: () => R | PromiseLike<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    if (!isOfOurs(error) || callersOwn.has(error)) throw error;
    throw fromCaller(copyOf(error));
  }
}

/** Marks what a function of the caller's threw, or the reason of the caller's signal: it is not ours to copy. */
export function fromCaller<E>(error: E): E {
  if (error instanceof HoldfastError) callersOwn.add(error);
  return error;
}

/** Runs code of the caller's. */
export function runForCaller<R>(call: () => R): R {
  try {
    return call();
  } catch (error) {
    throw fromCaller(error);
  }
}

/** Was it marked, and so is not Holdfast's own error, even if its class is? */
export function isFromCaller(error: unknown): boolean {
  return error instanceof HoldfastError && callersOwn.has(error);
}

/** Not by its constructor, which a backend of the user's own may have changed. */
function copyOf(error: HoldfastError): HoldfastError {
  const copy = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error) as object) as HoldfastError;
  const { stack: _stack, ...fields } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, fields);
  Error.captureStackTrace(copy, copyOf);
  return copy;
}
