/**
 * The port between the protocol and whatever keeps its rows: maps (memory.ts) or SQL (sqlite/tables.ts).
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

/** The last recorded operation of one slot of a client [S5]. */
export interface ReceiptRow {
  readonly n: number;
  readonly reply: Recorded;
}

/** Where the rows of one client's view are; a protocol step works on nothing else. */
export interface Tables {
  /** The last stamp given. */
  stamp: number;

  stateHead(id: string): StateHead | undefined;
  state(id: string): StateRow | undefined;
  setState(id: string, row: StateRow): void;
  setExpiry(id: string, expiresAt: number): void;
  deleteState(id: string): void;

  lock(id: string): LockRow | undefined;
  setLock(id: string, row: LockRow): void;
  deleteLock(id: string): void;

  /** In the order of their first asks [L2]. */
  waiters(id: string): readonly WaiterRow[];
  /** A new ticket goes to the end; a known one keeps its place. */
  setWaiter(id: string, row: WaiterRow): void;
  deleteWaiter(id: string, ticket: Ticket): void;

  /** Of the client that speaks. */
  receipt(slot: number): ReceiptRow | undefined;
  setReceipt(receipt: Receipt, reply: Recorded): void;
}

/** A reply that a retry, or a late copy, must get again [S5]. */
export type Recorded = Exclude<WriteReply | TouchReply | ReleaseReply | CancelReply, Forgotten>;
