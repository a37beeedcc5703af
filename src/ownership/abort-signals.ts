/**
 * Who waits for a signal to abort: one listener per signal, however many calls were given the same one.
 *
 * A shutdown signal that a whole program shares is common, and Node takes many listeners for a leak. Nothing is left on the
 * signal when the last of them has stopped [L7], so that it keeps nothing alive [P1].
 */
import { fromCaller } from "../caller-stacks.ts";
import { runOutside } from "./async-context.ts";

type Listener = (reason: unknown) => void;

const waiting = new WeakMap<AbortSignal, Waiters>();

/** Those who wait for one signal, in the order in which they came. */
class Waiters {
  readonly #signal: AbortSignal;
  readonly #listeners = new Set<{ readonly call: Listener }>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    waiting.set(signal, this);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  add(call: Listener): () => void {
    const entry = { call };
    this.#listeners.add(entry);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#end();
    };
  }

  /** One that is called may make others stop; those are not called any more. */
  readonly #onAbort = (): void => {
    const { reason } = this.#signal as { readonly reason: unknown };
    runOutside(() => {
      for (const { call } of this.#listeners) call(reason);
    });
  };

  #end(): void {
    waiting.delete(this.#signal);
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

/** Calls `listener` once when `signal` aborts, outside of any body [L4], unless it is stopped before by what this returns. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  return (waiting.get(signal) ?? new Waiters(signal)).add(listener);
}

/** As {@link onAbort}, for a signal that a caller gave: its reason is the caller's own error. */
export function onCallersAbort(signal: AbortSignal | undefined, listener: Listener): () => void {
  if (signal === undefined) return doNothing;
  return onAbort(signal, (reason) => listener(fromCaller(reason)));
}

/** Throws the reason of a signal of the caller's that has aborted already. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw fromCaller(signal.reason);
}

const doNothing = (): void => undefined;
