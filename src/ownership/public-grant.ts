/** A grant as its caller sees it. What stands behind it is in grant.ts. */

/**
 * A lock that you hold. Release it, or let `await using` do it.
 *
 * @example
 * ```ts
 * await using grant = await store.lock("report:today").acquire();
 * await writeReport({ fence: grant.fence, signal: grant.signal });
 * ```
 */
export interface Grant extends AsyncDisposable {
  /** That of the lock, as it was given: in a view, without the prefix of the view. */
  readonly id: string;
  /** Rises with every grant of this lock: give it to other systems, so that they can refuse a stale holder. */
  readonly fence: number;
  /**
   * Aborts when the lock is lost or `maxHoldMs` is over (`reason`: LockLostError), or its store closes (ClosedError);
   * never after release.
   */
  readonly signal: AbortSignal;
  /**
   * Aborts when the store begins to close (`reason`: ClosedError), while the lock is still held: finish what must be
   * finished, within `drainMs`. One signal for the whole store.
   */
  readonly closing: AbortSignal;
  /** Whether the lock is certainly held now, as far as this process knows. */
  readonly held: boolean;
  /**
   * For how long the lock is certainly held if it is not renewed, in whole milliseconds; 0 if it is not. The server keeps it
   * a little longer.
   */
  readonly expiresInMs: number;
  /**
   * Aborts when others wait for the lock, so that long work can end early; at once if they wait when it is read for the first
   * time. It costs nothing until then; afterwards, the server is asked who waits: by a wake on Redis and in memory, every
   * 250 ms on SQLite. Callers of this process count.
   */
  readonly wanted: AbortSignal;
  /**
   * Gives the lock a lease of `ms` milliseconds from now on, 100 … 86 400 000: one round trip. If the lock is renewed,
   * later renewals give it as much.
   *
   * @throws LockLostError if the lock is no longer held; UnavailableError if the backend did not answer: the lease is then
   * the old one or the new one, and `expiresInMs` is the shorter of them; InvalidArgumentError.
   * @example
   * ```ts
   * const grant = await store.lock("import").acquire({ renew: false, leaseMs: 30_000 });
   * for (const part of parts) {
   *   await importPart(part, grant.fence);
   *   await grant.extend(30_000);
   * }
   * await grant.release();
   * ```
   */
  extend(ms: number): Promise<void>;
  /**
   * The grant as text, for {@link Lock.adopt} in another request or process. It is a secret: its bearer can take the lock.
   * From then on `close()` of the store leaves the lock to its lease. After a release or an adoption it is worth nothing.
   *
   * If the lock is renewed, its token does not outlive this process, whose locks are passed on when it ends
   * (`passOverDead`). With `renew: false` it is good until the lease is over.
   *
   * @throws LockLostError if the lock is no longer held; InvalidArgumentError for a shared lock.
   */
  token(): string;
  /**
   * Releases the lock. May be repeated: every call returns the result of the first.
   *
   * @returns true: it was still held until now. false: it had been lost before.
   * @throws UnavailableError if the backend did not answer within `operationMs`; the lease then expires.
   */
  release(): Promise<boolean>;
}
