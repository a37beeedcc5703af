/** What an update function learns about the lock that it runs under. */
export interface UpdateContext {
  /** The fencing token of this update: give it to other systems, so that they can refuse a stale holder. */
  readonly fence: number;
  /** Aborts when the lock is lost: what the function does from then on will not be saved. */
  readonly signal: AbortSignal;
}
