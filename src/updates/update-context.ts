/** What a function learns about the lock that it runs under, and what `update` and `run` let it decide besides the value. */
import type { ExpiresAt } from "../life-options.ts";
import type { WhenNew } from "../options.ts";

/** The second argument of the function of `update` and `run`. */
export interface UpdateContext {
  /** The fencing token of this update: give it to other systems, so that they can refuse a stale holder. */
  readonly fence: number;
  /** Aborts when the lock is lost: what the function does from then on will not be saved. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the store begins to close (`reason`: ClosedError), while the lock is still held: finish what must be
   * finished, within `drainMs`. One signal for the whole store.
   */
  readonly closing: AbortSignal;
  /**
   * Deletes the state, once the function has ended: changes of the draft are dropped. `run` still resolves with what the
   * function returns, `update` with what `load()` would: `initial()`, or `undefined`. The function of `update` must then
   * not return a new value.
   *
   * @throws InvalidArgumentError if the function has ended.
   * @example
   * ```ts
   * await store.state<string[]>("open-jobs", { initial: () => [] }).update((jobs, context) => {
   *   jobs.shift();
   *   if (jobs.length === 0) context.delete();
   * });
   * ```
   */
  readonly delete: () => void;
  /**
   * Chooses how long the state lives from this update on, also if its value stays as it is. It overrides the call's
   * `ttlMs` and `expiresAt`; the last call counts. `ttl`: milliseconds, "none" (it never expires), "keep", `{ whenNew }`,
   * or `{ expiresAt }` (a Date, or milliseconds since 1970).
   *
   * @throws InvalidArgumentError if `ttl` is none of these, or if the function has ended.
   */
  readonly setTtl: (ttl: number | "keep" | "none" | WhenNew | ExpiresAt) => void;
}

/** What a grant knows of it. */
export type HoldContext = Pick<UpdateContext, "fence" | "signal" | "closing">;
