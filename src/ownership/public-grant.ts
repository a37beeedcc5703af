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
  /**
   * Releases the lock. May be repeated: every call returns the result of the first.
   *
   * @returns true: it was still held until now. false: it had been lost before.
   * @throws UnavailableError if the backend did not answer within `operationMs`; the lease then expires.
   */
  release(): Promise<boolean>;
}
