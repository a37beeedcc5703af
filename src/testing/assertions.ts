/**
 * The waits and assertions of the cases. Nothing here has an upper bound that a busy machine could exceed: what must
 * happen is waited for long, what must not happen is watched for a moment.
 */
import { strict as assert, AssertionError } from "node:assert";

/** Node's own, even if a test replaces the global ones later. They keep the process alive while a suite waits. */
const { setTimeout, clearTimeout, performance } = globalThis;

/** Long enough for the slowest machine; only a test that fails takes this long. */
const patienceMs = 15_000;
/** How long something that must not happen is watched. */
const watchMs = 60;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Repeats the check until it no longer throws. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = patienceMs): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > endsAt) throw error;
      await pause(5);
    }
  }
}

/** An error with the fields that a test checks, whether or not it is a HoldfastError. */
export type Failure = Error & {
  readonly code?: string;
  readonly outcome?: string;
  readonly result?: unknown;
};

/** The error that the promise rejects with. Fails if it resolves, or does not settle. */
export async function rejection(promise: Promise<unknown>): Promise<Failure> {
  const settled = await inTime(
    promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    ),
  );
  if ("error" in settled) return settled.error as Error;
  throw new AssertionError({ message: "should have been rejected", actual: settled.value });
}

/** Fails unless the promise rejects with an error of this code. */
export async function rejectsWith(promise: Promise<unknown>, code: string): Promise<Failure> {
  const error = await rejection(promise);
  assert.equal(error.code, code, `expected ${code}, got ${error.stack ?? error.message}`);
  return error;
}

/** The promise's value. Fails if it takes too long. */
export async function inTime<T>(promise: Promise<T>, withinMs = patienceMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new AssertionError({ message: `not settled within ${String(withinMs)} ms` });
    timer = setTimeout(() => reject(error), withinMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Fails if the promise settles while it is watched. */
export async function stillPending(promise: Promise<unknown>): Promise<void> {
  const moment = pause(watchMs).then(() => "pending" as const);
  const settled = promise.then(
    () => "settled" as const,
    () => "settled" as const,
  );
  assert.equal(await Promise.race([settled, moment]), "pending");
}

/** Resolves when the signal has aborted, with its reason. */
export async function aborted(signal: AbortSignal): Promise<Failure> {
  if (!signal.aborted) {
    await inTime(new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })));
  }
  return signal.reason as Failure;
}

/** Fails unless each is greater than the one before. */
export function assertRises(numbers: readonly number[], what: string): void {
  numbers.forEach((number, index) => {
    const before = numbers[index - 1];
    if (before !== undefined) assert.ok(number > before, `${what} must rise: ${numbers.join(", ")}`);
  });
}

/** A promise and what settles it. */
export function deferred<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}
