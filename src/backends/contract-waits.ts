/**
 * The part of the contract that is about deadlocks [L15]: what the functions that run under locks wait for.
 *
 * The core knows which function awaits which ask; the backend knows who holds and who is queued. Together they show a
 * cycle. Nothing here changes who gets a lock.
 */
import type { Ticket } from "./contract-types.ts";

/** An ask of a ticket for a lock, which the backend has answered with "waiting". */
export interface QueuedAsk {
  /** The id of the lock that is asked for. */
  readonly id: string;
  /** The ticket that asks. */
  readonly ticket: Ticket;
}

/**
 * What the functions that run under a lock of this client wait for: its ticket does not release the lock before each of
 * these asks is granted or given up.
 */
export interface WaitNote {
  /** The lock. */
  readonly id: string;
  /** The ticket that holds it. */
  readonly ticket: Ticket;
  /** All of them, in place of those noted before; none: they wait for nothing any more. */
  readonly asks: readonly QueuedAsk[];
}

/** A ticket of any client that holds the lock `id`, and an ask that a function that runs under it waits for. */
export interface BlockedHolder {
  /** The id of the lock that it holds. */
  readonly id: string;
  /** The ticket that holds it. */
  readonly ticket: Ticket;
  /** What it waits for. */
  readonly ask: QueuedAsk;
}

/** Each ask is for the lock of the next holder; that of the last one, for the lock of the first. */
export type Deadlock = readonly BlockedHolder[];

/** A client makes these calls one after another. */
export interface NoteOrder {
  /** Rises with each call; equal for a retry. A call with a smaller one is a late copy: nothing is done. */
  readonly n: number;
  /** How long the notes of this client are kept after the last call, in milliseconds; without any, `n` for a minute. */
  readonly keepMs: number;
}

/**
 * A search for a cycle ends after this many asks, so that a step is short. A cycle that is not found then is missed.
 */
export const maxAsksSearched = 64;
