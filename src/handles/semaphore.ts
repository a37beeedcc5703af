/** The public interface of a semaphore. */
import type { DurabilityOptions } from "../options.ts";
import type { LockHolder } from "./lock-info.ts";

/** Options of `store.semaphore()`; options of a call override them, except `permits`. */
export interface SemaphoreOptions {
  /**
   * How many permits there are, 1 … 1 000 000. The server keeps this number: all handles must name it, or the number that
   * the semaphore was created with, or leave it out if the semaphore exists.
   */
  permits?: number | undefined;
  /** How long the backend keeps a grant that is not renewed, in milliseconds, 100 … 86 400 000. */
  leaseMs?: number | undefined;
  /** How long `acquire` and `run` wait for others, in milliseconds; 0 tries once, `Infinity` has no deadline. */
  waitMs?: number | undefined;
  /** How many replicas must have a grant before it is returned. */
  durability?: DurabilityOptions | undefined;
  /** How long a caller may hold its permits, in milliseconds, as for a lock. */
  maxHoldMs?: number | undefined;
}

/** Options of `semaphore.acquire()` and `semaphore.run()`. */
export interface PermitOptions extends Omit<SemaphoreOptions, "permits"> {
  /** How many permits to take. Default: 1. */
  weight?: number | undefined;
  /** Ends waiting: the promise rejects with `signal.reason`. Ignored once the permits are granted. */
  signal?: AbortSignal | undefined;
}

/** Options of `semaphore.tryAcquire()`. */
export type TryPermitOptions = Omit<PermitOptions, "waitMs">;

/** Permits that you hold. Release them, or let `await using` do it. */
export interface PermitGrant extends AsyncDisposable {
  /** The id of the semaphore. */
  readonly id: string;
  /** How many permits it has. */
  readonly weight: number;
  /**
   * No other grant of this semaphore has it. It is greater than those of all grants that had ended before its permits were
   * last taken from the server, which a process does at least every 10 ms.
   */
  readonly fence: number;
  /**
   * Aborts when the permits are lost or `maxHoldMs` is over (`reason`: LockLostError), or the store closes (ClosedError);
   * never after release.
   */
  readonly signal: AbortSignal;
  /** Aborts when the store begins to close, while the permits are still held: see {@link Grant.closing}. */
  readonly closing: AbortSignal;
  /**
   * Gives the permits back. May be repeated: every call returns the result of the first.
   *
   * @returns true: they were still held until now. false: they had been lost before.
   * @throws UnavailableError if the backend did not answer within `operationMs`; the lease then expires.
   */
  release(): Promise<boolean>;
}

/** One of the holders of a semaphore. */
export interface PermitHolder extends LockHolder {
  /** How many permits it has. */
  readonly weight: number;
  /** The first of those that are reserved for the callers that have these permits one after another. */
  readonly fence: number;
  /** Milliseconds until its lease ends if it is not renewed. */
  readonly expiresInMs: number;
}

/** What is known about a semaphore. */
export interface SemaphoreInfo {
  /** The id of the semaphore. */
  readonly id: string;
  /** The number in force. */
  readonly permits: number;
  /** The number that it was created with. */
  readonly createdWith: number;
  /** The sum of the holders' weights; more than `permits` for a while after it was made smaller. */
  readonly used: number;
  /** In the order of their grants. */
  readonly holders: readonly PermitHolder[];
  /** How many grants are waited for. */
  readonly waiters: number;
}

/**
 * A semaphore: at most `permits` at a time, in all processes together.
 *
 * Grants are given first come, first served, whatever their weights. Within a process, permits that are given back
 * may go to its next caller for 10 ms, before those of other processes get them. It is not re-entrant: a call inside `run`
 * takes permits of its own.
 *
 * @example
 * ```ts
 * const gpu = store.semaphore("gpu", { permits: 4 });
 * await gpu.run(async (grant) => render({ signal: grant.signal }), { weight: 2 });
 * ```
 */
export interface Semaphore {
  /** As it was given: in a view, without the prefix of the view. */
  readonly id: string;
  /**
   * Waits for permits and returns a grant, which is renewed until you release it.
   *
   * @throws LockTimeoutError if they were not free within `waitMs`; InvalidArgumentError if the weight is greater than the
   * number of permits, or this handle's `permits` is not the semaphore's; UnavailableError if the backend does not
   * answer; ClosedError; the reason of `signal` if it aborted.
   */
  acquire(options?: PermitOptions): Promise<PermitGrant>;
  /** Tries once; returns `null` if the permits are not free now, or others wait. */
  tryAcquire(options?: TryPermitOptions): Promise<PermitGrant | null>;
  /**
   * Runs `fn` while holding permits, and always gives them back afterwards.
   *
   * @returns what `fn` returned.
   * @throws what `fn` threw; the errors of `acquire`; LockLostError if the permits were lost while `fn` ran, with the value
   * of `fn` in `error.result`.
   */
  run<R>(fn: (grant: PermitGrant) => R | Promise<R>, options?: PermitOptions): Promise<R>;
  /** Returns its permits and who holds them; `null` if there is no such semaphore. */
  inspect(): Promise<SemaphoreInfo | null>;
  /**
   * Changes the number of permits. Holders finish; those who wait for more permits than there are now get an
   * InvalidArgumentError.
   *
   * @returns false if there is no such semaphore, and this handle does not say how many permits it is created with.
   */
  resize(permits: number): Promise<boolean>;
  /**
   * Deletes the semaphore. Without it, one that nobody uses is deleted after a day.
   *
   * @returns false if there was none, or it is in use.
   */
  delete(): Promise<boolean>;
}
