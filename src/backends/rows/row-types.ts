/**
 * The rows that store states and locks, how a decision reads them, and the changes that it can make.
 *
 * Rows are values: they are replaced, never modified. Times are milliseconds by the backend's clock.
 */
import type {
  CancelReply,
  CommitReply,
  Forgotten,
  QueuedAsk,
  Receipt,
  ReleaseReply,
  SemaphoreReply,
  Ticket,
  TouchReply,
  WriteReply,
  WriteStatesReply,
} from "../contract.ts";

/** What must be known about a state to decide on a write. */
export interface StateHead {
  readonly revision: number;
  readonly serializer: string;
  /** By the backend's clock; `null`: never. */
  readonly expiresAt: number | null;
}

export interface StateRow extends StateHead {
  readonly bytes: Uint8Array;
}

/** A lock that one ticket holds. It lasts from `since` for `leaseMs`. */
export interface LockRow {
  readonly ticket: Ticket;
  readonly fence: number;
  readonly fences: number;
  readonly since: number;
  readonly leaseMs: number;
  /** It was handed to a waiter that has not responded yet, and is still in the queue. */
  readonly unconfirmed: boolean;
}

/**
 * What of a lock a ticket has or wants: 0 for a shared lock [L12], otherwise a number of permits [L13]. Where there is
 * none, the ticket has or wants the whole lock.
 */
export type Weight = number;

/** One of the tickets that hold a lock in shares. */
export interface HolderRow extends LockRow {
  readonly weight: Weight;
}

/** In the place of a {@link LockRow} while tickets hold a lock in shares. It sums up their rows. */
export interface SharesRow {
  readonly ticket: null;
  /** The fence of its first holder: rows with smaller ones are left from before, and do not count. */
  readonly generation: number;
  /** At least 1. */
  readonly holders: number;
  /** The sum of their weights. */
  readonly used: number;
  /** When the last of their leases began, or later. */
  readonly since: number;
  /** All their leases have ended after this time from `since`, or before. */
  readonly leaseMs: number;
  /** None of their leases ends before this time. */
  readonly firstEndsAt: number;
}

/** A semaphore [L13]. */
export interface SemaphoreRow {
  readonly limit: number;
  /** The limit that it was created with. */
  readonly created: number;
  /** Later than the end of every lease of its holders. */
  readonly keepUntil: number;
}

/** A ticket in a queue, with the content of its last ask. */
export interface WaiterRow {
  readonly ticket: Ticket;
  readonly askedAt: number;
  readonly leaseMs: number;
  readonly fences: number;
  readonly load: boolean;
  /** It was handed the lock and has not asked since. It is passed over, but keeps its place [L9]. */
  readonly passedOver: boolean;
  /** Omitted: it wants the whole lock. */
  readonly weight?: Weight | undefined;
}

/** The last recorded operation of one sequence of a client [S5]. */
export interface ReceiptRow {
  readonly n: number;
  readonly reply: Recorded;
}

/** What the functions that run under a client's locks wait for [L15]. */
export interface WaitsRow {
  /** Of the client's last call. */
  readonly n: number;
  readonly keepUntil: number;
  /** By the ticket that holds the lock. */
  readonly asks: ReadonlyMap<Ticket, readonly QueuedAsk[]>;
}

/** A reply that must be given again to a retry or a late copy [S5]. */
export type Recorded = Exclude<
  WriteReply | WriteStatesReply | TouchReply | ReleaseReply | CommitReply | CancelReply | SemaphoreReply,
  Forgotten
>;

/** The rows as one client sees them. They must not change during a decision, which reads each at most a few times. */
export interface Rows {
  /** The last stamp given. */
  stamp(): number;
  stateHead(id: string): StateHead | undefined;
  state(id: string): StateRow | undefined;
  lock(id: string): LockRow | SharesRow | undefined;
  /** Those of a `SharesRow`, in any order. */
  holders(id: string): readonly HolderRow[];
  holder(id: string, ticket: Ticket): HolderRow | undefined;
  /** The holder whose lease ends first, and of those, the one with the smallest fence. */
  firstHolder(id: string): HolderRow | undefined;
  semaphore(id: string): SemaphoreRow | undefined;
  /** In the order of their first asks [L2]. */
  waiters(id: string): readonly WaiterRow[];
  /** Of the client that made the request. */
  receipt(sequence: number): ReceiptRow | undefined;
  /** Of any client. */
  waits(client: string): WaitsRow | undefined;
}

/** One change of a row; a `row` of `null` deletes it. They are applied in order, all or none. */
export type Change =
  | { readonly kind: "stamp"; readonly last: number }
  | { readonly kind: "state"; readonly id: string; readonly row: StateRow | null }
  /** For an existing state. */
  | { readonly kind: "expiry"; readonly id: string; readonly expiresAt: number | null }
  | { readonly kind: "lock"; readonly id: string; readonly row: LockRow | SharesRow | null }
  | { readonly kind: "holder"; readonly id: string; readonly ticket: Ticket; readonly row: HolderRow | null }
  | { readonly kind: "semaphore"; readonly id: string; readonly row: SemaphoreRow | null }
  /** A new ticket goes to the end; a known one keeps its place. */
  | { readonly kind: "waiter"; readonly id: string; readonly ticket: Ticket; readonly row: WaiterRow | null }
  /** Of the client that made the request. */
  | { readonly kind: "receipt"; readonly receipt: Receipt; readonly reply: Recorded }
  | { readonly kind: "waits"; readonly client: string; readonly row: WaitsRow };

/** Limits that depend on how quickly waiters are notified. */
export interface Limits {
  /** A waiter that has not asked for this long has given up or died [L2]. */
  readonly askLimitMs: number;
  /** How long a waiter has to respond to a hand-over [L9]. */
  readonly handOverMs: number;
}

/** What is the same for every decision of a backend. */
export interface Rules {
  readonly limits: Limits;
  /** The resolution of the clock. No lease may end early because the clock was about to tick. */
  readonly grainMs: number;
  /** Whether wakes can be pushed. If not, no wake is decided on, and no state is read for one. */
  readonly wakes: boolean;
}

/** The single time of a decision, so that it is consistent. */
export interface Moment {
  readonly now: number;
  /** The same in milliseconds since 1970, if that is not what the backend's clock counts. */
  readonly wall?: number | undefined;
  /** The same in whole microseconds, as precisely as the clock can be read: stamps begin here. */
  readonly micros: number;
  readonly rules: Rules;
}
