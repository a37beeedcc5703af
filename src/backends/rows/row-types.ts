/**
 * The rows that states and locks are kept in, how a decision reads them, and what it may change.
 *
 * Rows are values: they are replaced, never changed in place. Times are milliseconds by the backend's clock.
 */
import type {
  CancelReply,
  Forgotten,
  Receipt,
  ReleaseReply,
  Ticket,
  TouchReply,
  WriteReply,
} from "../contract.ts";

/** What must be known of a state to judge a write. */
export interface StateHead {
  readonly revision: number;
  readonly serializer: string;
  /** By the backend's clock; `null`: never. */
  readonly expiresAt: number | null;
}

export interface StateRow extends StateHead {
  readonly bytes: Uint8Array;
}

/** A held lock. It lasts from `since` for `leaseMs`. */
export interface LockRow {
  readonly ticket: Ticket;
  readonly fence: number;
  readonly fences: number;
  readonly since: number;
  readonly leaseMs: number;
  /** It was handed to a waiter that has not said anything since; that waiter is still in the queue. */
  readonly unconfirmed: boolean;
}

/** A ticket in a queue, with what it last asked for. */
export interface WaiterRow {
  readonly ticket: Ticket;
  readonly askedAt: number;
  readonly leaseMs: number;
  readonly fences: number;
  readonly load: boolean;
  /** It was handed the lock and has not asked since. It is passed over, but keeps its place [L9]. */
  readonly passedOver: boolean;
}

/** The last recorded operation of one sequence of a client [S5]. */
export interface ReceiptRow {
  readonly n: number;
  readonly reply: Recorded;
}

/** A reply that a retry, or a late copy, must get again [S5]. */
export type Recorded = Exclude<WriteReply | TouchReply | ReleaseReply | CancelReply, Forgotten>;

/** The rows as one client sees them. They must not change during a decision, which reads each at most a few times. */
export interface Rows {
  /** The last stamp given. */
  stamp(): number;
  stateHead(id: string): StateHead | undefined;
  state(id: string): StateRow | undefined;
  lock(id: string): LockRow | undefined;
  /** In the order of their first asks [L2]. */
  waiters(id: string): readonly WaiterRow[];
  /** Of the client that speaks. */
  receipt(sequence: number): ReceiptRow | undefined;
}

/** One change of a row; a `row` of `null` deletes it. They are applied in order, all or none. */
export type Change =
  | { readonly kind: "stamp"; readonly last: number }
  | { readonly kind: "state"; readonly id: string; readonly row: StateRow | null }
  /** Of a state that is there. */
  | { readonly kind: "expiry"; readonly id: string; readonly expiresAt: number }
  | { readonly kind: "lock"; readonly id: string; readonly row: LockRow | null }
  /** A new ticket goes to the end; a known one keeps its place. */
  | { readonly kind: "waiter"; readonly id: string; readonly ticket: Ticket; readonly row: WaiterRow | null }
  /** Of the client that speaks. */
  | { readonly kind: "receipt"; readonly receipt: Receipt; readonly reply: Recorded };

/** What depends on how quickly waiters learn of things. */
export interface Limits {
  /** A waiter that has not asked for so long has given up, or died [L2]. */
  readonly askLimitMs: number;
  /** How long a waiter has to answer a hand-over [L9]. */
  readonly handOverMs: number;
}

/** What is the same for every decision of a backend. */
export interface Rules {
  readonly limits: Limits;
  /** What the clock counts in. No lease may end early because the clock was about to tick. */
  readonly grainMs: number;
  /** Where nothing can push, no wake is decided on, and no state is read for one. */
  readonly wakes: boolean;
}

/** The one time of a decision, so that it cannot disagree with itself. */
export interface Moment {
  readonly now: number;
  /** The same in whole microseconds, as finely as the clock can be read: what stamps begin at. */
  readonly micros: number;
  readonly rules: Rules;
}
