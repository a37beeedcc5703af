/**
 * The part of the contract that is about locks with several holders: shared locks [L12] and semaphores [L13]. And about a
 * lock that is taken over from its holder.
 *
 * Both use the calls of locks. An ask says which share it is for, and that decides whether it fits.
 */

/**
 * How a ticket shares what it asks for with others. Without it, it asks for the lock exclusively. A ticket never changes
 * its share, and the ids of semaphores are never asked for in another way.
 */
export type Share =
  /** [L12] Fits if the lock is free or held by shared tickets. */
  | { readonly kind: "shared" }
  /** [L13] Fits if `weight` is at most the semaphore's limit less the weights of all live holders. */
  | {
      readonly kind: "permits";
      /** An integer of at least 1. */
      readonly weight: number;
      /** What the caller takes the limit to be, and the limit of a new semaphore; `null`: the stored one. */
      readonly limit: number | null;
    };

/**
 * The ask does not suit the semaphore, and its ticket is not in the queue: there is none and the ask names no limit
 * (`limit` and `created` are `null`), it names another limit than the current one and the one it was created with, or
 * its weight is greater than the limit [L13]. `limit` is the current one; without a stored one, and a weight that is
 * greater than the limit that the ask names, both are `null` too, and no semaphore is made.
 */
export interface Mismatch {
  /** The ask does not suit the semaphore. */
  readonly status: "mismatch";
  /** The limit in force; `null`: there is no semaphore. */
  readonly limit: number | null;
  /** The limit that it was created with; `null`: there is no semaphore. */
  readonly created: number | null;
}

/** A change of a semaphore [L13]. */
export type SemaphoreChange =
  /**
   * Sets its limit. Holders finish, even if their weights are above it. Queued asks whose weights are greater than it
   * are removed, and their tickets are woken with "ask"; then the queue is served. If there is none: makes one, as if it
   * had been created with `created` and then resized; `created: null`: "absent".
   */
  | {
      readonly kind: "resize";
      /** The new limit. */
      readonly limit: number;
      /** The limit that a new semaphore counts as created with; `null`: make none. */
      readonly created: number | null;
    }
  /** Deletes it, unless a ticket holds or waits for permits: "busy". */
  | { readonly kind: "delete" };

/** The reply to `changeSemaphore`. */
export type SemaphoreReply =
  | { readonly status: "resized" }
  | { readonly status: "removed" }
  /** Nothing was done. */
  | { readonly status: "absent" | "busy" };

/**
 * A semaphore without holders and waiters is removed by itself, sometime after this many milliseconds from the end of
 * the last lease that was given, or from its last resize.
 */
export const semaphoreKeepMs = 86_400_000;

/** One of several holders. */
export interface ShareEntry {
  /** The ticket. */
  readonly token: string;
  /** The first fence that is reserved for it. */
  readonly fence: number;
  /** The last fence that is reserved for it. */
  readonly lastFence: number;
  /** 1 for a shared lock. */
  readonly weight: number;
  /** Its remaining lease in milliseconds. */
  readonly expiresInMs: number;
}

/** What is known about a semaphore. */
export interface SemaphoreEntry {
  /** Its id. */
  readonly id: string;
  /** The sum of weights that it allows at a time. */
  readonly limit: number;
  /** The limit that it was created with. */
  readonly created: number;
  /** By fence, so in the order of their grants. */
  readonly holders: readonly ShareEntry[];
  /** The number of tickets in its queue. */
  readonly waiters: number;
}

/**
 * The holder that an ask takes an exclusive lock from, in one step. If this ticket holds the lock, with this as one of its
 * fences, the ticket that asks is granted it with newly reserved fences [L3], and the old one, which is woken with
 * "forced", holds it no longer. Otherwise nothing is done: "lost". The waiters keep their places.
 */
export interface TakenFrom {
  /** The ticket. */
  readonly ticket: string;
  /** One of the fences of its hold. */
  readonly fence: number;
}
