/** What an update function learns about the lock that it runs under. */
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
}

/**
 * A view, so that a function finds only the documented members. Not an object literal with a getter: each of those gets
 * a hidden class of its own in the old generation, which retains everything that the call has made until a major
 * collection.
 */
export class ContextView implements UpdateContext {
  readonly fence: number;
  readonly #of: UpdateContext;

  constructor(of: UpdateContext) {
    this.fence = of.fence;
    this.#of = of;
  }

  get signal(): AbortSignal {
    return this.#of.signal;
  }

  get closing(): AbortSignal {
    return this.#of.closing;
  }
}
