/**
 * Waits for signals to abort, with one listener per signal, however many calls use the same one.
 *
 * Programs often share one shutdown signal, and Node reports many listeners on it as a leak. The listener is removed
 * when the last call stops waiting [L7], so that it keeps nothing alive [P1].
 */
import { fromCaller } from "../caller-stacks.ts";
import { runOutside } from "./async-context.ts";

type Listener = (reason: unknown) => void;

const waiting = new WeakMap<AbortSignal, Waiters>();

/** The listeners of one signal, in the order in which they came. */
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

  /** A listener may stop others; those are not called any more. */
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

/** Calls `listener` once when `signal` aborts, outside any body [L4]. The returned function stops it. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  return (waiting.get(signal) ?? new Waiters(signal)).add(listener);
}

/** As {@link onAbort}, for a caller's signal: its reason is the caller's own error. */
export function onCallersAbort(signal: AbortSignal | undefined, listener: Listener): () => void {
  if (signal === undefined) return doNothing;
  return onAbort(signal, (reason) => listener(fromCaller(reason)));
}

/** Throws the reason if the caller's signal has already aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw fromCaller(signal.reason);
}

const doNothing = (): void => undefined;
