/** The part of the contract that is about taking a lock over from its holder. */

/**
 * The holder that an ask takes an exclusive lock from, in one step. If this ticket holds the lock, with this as one of its
 * fences, the ticket that asks is granted it with newly reserved fences [L3], and the old one, which is woken with
 * "forced", holds it no longer. Otherwise the reply is "lost". The waiters keep their places.
 */
export interface TakenFrom {
  /** The ticket. */
  readonly ticket: string;
  readonly fence: number;
}
