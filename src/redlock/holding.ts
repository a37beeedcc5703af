/**
 * What a `Lock` holds: a grant of each of its resources, whole or over. If one is lost, the others are released. Every `Lock`
 * with the same value, before and after an extension, stands for the same holding.
 */
import type { Grant } from "../ownership/public-grant.ts";
import { giveBack } from "./acquire.ts";

export class Holding {
  /** By resource. */
  readonly fences: Readonly<Record<string, number>>;
  readonly #grants: readonly Grant[];
  readonly #signal: AbortSignal;
  readonly #end: () => void;

  /** `onOver` is called once it is lost. */
  constructor(grants: readonly Grant[], onOver: () => void) {
    this.#grants = grants;
    const fences = Object.create(null) as Record<string, number>; // a resource may be any text, such as "__proto__"
    for (const { id, fence } of grants) fences[id] = fence;
    this.fences = Object.freeze(fences);
    this.#signal = AbortSignal.any(grants.map(({ signal }) => signal));
    this.#end = (): void => {
      onOver();
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
    const ends = await Promise.allSettled(this.#grants.map((grant) => grant.extend(ms)));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }

  /** Whether all were held until now. Throws if the server did not answer. */
  async release(): Promise<boolean> {
    this.#signal.removeEventListener("abort", this.#end); // Node keeps a signal of several that is listened to for ever
    const ends = await Promise.allSettled(this.#grants.map((grant) => grant.release()));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    return ends.every((end) => end.status === "fulfilled" && end.value);
  }
}
