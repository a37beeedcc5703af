/**
 * Gives each caller an error with the stack of its own call.
 *
 * Holdfast's errors are often made elsewhere, in a timer or for a whole batch of callers, so that their stacks do not
 * show the call that failed. All public methods return their promises through {@link withCallersStack}: it awaits the
 * result in the caller's own async call, where the engine still has its async stack, and copies the error with that stack. A
 * caller's own error is rethrown unchanged, as the same object.
 */
import { HoldfastError, isOfOurs } from "./errors.ts";
import { onePerProcess } from "./process/one-per-process.ts";

/** Errors that callers already have: Holdfast errors that were thrown to them, or that they made themselves. */
const callersOwn = onePerProcess("callers-own", 1, () => new WeakSet<HoldfastError>());

/**
 * Returns the result of `call`. A Holdfast error is thrown with the stack of the caller that awaits it. `note` is told the
 * result: an async function around `call` would cost each caller another promise.
 */
export async function withCallersStack<R>(
  call: () => R | PromiseLike<R>,
  note?: (result: R) => void,
): Promise<R> {
  try {
    const result = await call();
    note?.(result);
    return result;
  } catch (error) {
    if (!isOfOurs(error) || callersOwn.has(error)) throw error;
    throw fromCaller(copyOf(error));
  }
}

/** The error as the caller gets it, for one that is told of it as well. Call it in the caller's own async call. */
export function asCallerSees(error: unknown): unknown {
  return isOfOurs(error) && !callersOwn.has(error) ? copyOf(error) : error;
}

/** Marks an error that a caller's function threw, or the reason of a caller's signal: it must not be copied. */
export function fromCaller<E>(error: E): E {
  if (error instanceof HoldfastError) callersOwn.add(error);
  return error;
}

/** Runs a caller's code. */
export function runForCaller<R>(call: () => R): R {
  try {
    return call();
  } catch (error) {
    throw fromCaller(error);
  }
}

/** Whether it was marked, and so is a caller's own error, even if its class is one of Holdfast's. */
export function isFromCaller(error: unknown): boolean {
  return error instanceof HoldfastError && callersOwn.has(error);
}

/** Not by its constructor, which a user's own backend may have changed. */
function copyOf(error: HoldfastError): HoldfastError {
  const copy = Object.setPrototypeOf(new Error(), Object.getPrototypeOf(error) as object) as HoldfastError;
  const { stack: _stack, ...fields } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, fields);
  Error.captureStackTrace(copy, copyOf);
  return copy;
}
