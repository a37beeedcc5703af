/**
 * What a `Lock` holds: a grant of each of its resources, whole or over. If one is lost, the others are released. Every `Lock`
 * with the same value, before and after an extension and of each `Redlock` in this process, stands for the same holding.
 */
import { lockLost } from "../ownership/grant.ts";
import type { Grant } from "../ownership/public-grant.ts";
import type { Store } from "../store/store.ts";
import { giveBack } from "./acquire.ts";

/** What is held, by the value of its `Lock`. */
const held = new Map<string, Holding>();

/** Undefined: this process does not hold it, or not any more. */
export function holdingOf(value: string): Holding | undefined {
  return held.get(value);
}

/** For how long it is safe to rely on it, in milliseconds, with so much left unused; 0: no longer. By the monotonic clock. */
export function safeMsOf(value: string, driftMs: number): number {
  return Math.max(0, (held.get(value)?.expiresInMs ?? 0) - driftMs);
}

export class Holding {
  /** By resource. */
  readonly fences: Readonly<Record<string, number>>;
  readonly #grants: readonly Grant[];
  readonly #signal: AbortSignal;
  readonly #value: string;
  readonly #end: () => void;
  /** Not collected while it has a lock, so that `quit()` finds it. */
  readonly store: Store;

  constructor(value: string, store: Store, grants: readonly Grant[]) {
    this.#value = value;
    this.store = store;
    this.#grants = grants;
    const fences = Object.create(null) as Record<string, number>; // a resource may be any text, such as "__proto__"
    for (const { id, fence } of grants) fences[id] = fence;
    this.fences = Object.freeze(fences);
    this.#signal = AbortSignal.any(grants.map(({ signal }) => signal));
    held.set(value, this);
    this.#end = (): void => {
      held.delete(value);
      void giveBack(grants);
    };
    this.#signal.addEventListener("abort", this.#end, { once: true });
    if (this.#signal.aborted) this.#end();
  }

  /** Aborts when one of the locks is lost; never after a release. Also of a lease that is over, if no timer has fired yet [L5]. */
  get signal(): AbortSignal {
    this.#grants.some(({ signal }) => signal.aborted); // compares their leases with the clock
    return this.#signal;
  }

  /** For how long all of them are certainly held, in milliseconds. */
  get expiresInMs(): number {
    return Math.min(...this.#grants.map(({ expiresInMs }) => expiresInMs));
  }

  /** Gives each a lease of `ms` from now on. Throws what `grant.extend` throws. */
  async extend(ms: number): Promise<void> {
    if (this.signal.aborted) throw this.#signal.reason;
    await allOf(this.#grants.map((grant) => grant.extend(ms)));
  }

  /** Throws LockLostError if one of them had been lost before, UnavailableError if the server did not answer. */
  async release(): Promise<void> {
    held.delete(this.#value);
    this.#signal.removeEventListener("abort", this.#end); // Node keeps a signal of several that is listened to for ever
    const wereHeld = await allOf(this.#grants.map((grant) => grant.release()));
    const lost = this.#grants[wereHeld.indexOf(false)];
    if (lost !== undefined) throw lockLost(lost.id, lost.fence, "it was lost before its release");
  }
}

/** As Promise.all, but none is in progress any more when it ends. */
async function allOf<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}
