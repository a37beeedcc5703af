/** Runs a caller's function under what it holds, and always releases that afterwards. */
import { fromCaller } from "../caller-stacks.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { whileHolding, type Traceable } from "../diagnostics/hold-tracing.ts";
import { InvalidArgumentError, LockLostError, UnavailableError } from "../errors.ts";
import { show } from "../options.ts";
import { warnOfUnanswered } from "../ownership/unanswered-release.ts";

/** A grant of one lock or of several. */
export interface Held extends Traceable {
  /** For messages: `the lock "x" (fence 7)`. */
  readonly title: string;
  /** Releases it. Returns whether it was still held. */
  end(): Promise<boolean>;
  /** Of several locks: which one had been lost when they were released. */
  readonly lostByRelease?: Error | undefined;
}

export function checkFunction(fn: unknown): void {
  if (typeof fn === "function") return;
  throw new InvalidArgumentError(
    `run() takes a function to run under the lock, and then its options: run(fn, options); got ${show(fn)}.`,
  );
}

/** Returns what `body` returned. If the lock was lost in the meantime, that is in the error. */
export async function runUnder<R>(
  { keepAlive }: BackendCalls,
  held: Held,
  body: () => R | Promise<R>,
): Promise<R> {
  keepAlive.ref(); // [P1] a running function keeps the process alive
  try {
    let result: R;
    try {
      result = await whileHolding(held, body);
    } catch (error) {
      throw fromCaller(error);
    }
    const known = held.lossError; // it has been released from here on, and says so
    if (await release(held)) return result;
    const message =
      (known ?? held.lostByRelease)?.message ??
      `The function ran under ${held.title}, which had been lost before its release.`;
    throw new LockLostError(`${message} The function did finish; its return value is in error.result.`, {
      result,
    });
  } catch (error) {
    // An error of `body` takes precedence: a failure of this release is at most a warning.
    await held.end().catch((failure: unknown) => warnOfUnanswered(held.title, failure));
    throw error;
  } finally {
    keepAlive.unref();
  }
}

/** The function ended while the lock was certainly held: a release without a reply changes nothing for the caller. */
function release(held: Held): Promise<boolean> {
  return held.end().catch((error: unknown) => {
    if (!(error instanceof UnavailableError)) throw error;
    warnOfUnanswered(held.title, error);
    return true;
  });
}
