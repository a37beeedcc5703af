/**
 * The contract between the core and a backend, which keeps states and locks.
 *
 * Each call is one attempt and one atomic step on the backend. Bytes go in and out, and neither side changes them
 * afterwards. A backend has no timers, no retries, no policy, no values and no owners: all of that is written once,
 * above it. Expected outcomes are values; a call throws only if it could not be carried out:
 *
 * - `UnavailableError` with `outcome: "none"` if the backend certainly did nothing, `"unknown"` if it may have.
 *   The core retries the call until its deadline, unless the error is `lasting`.
 * - `CorruptStateError` if what is stored under the lock's name is not a lock.
 *
 * Each call cites the promises of docs/promises.md that it must keep.
 */

import type {
  CommitEntry,
  CommitReply,
  Durability,
  Kept,
  WriteEntry,
  WriteStatesReply,
} from "./contract-commit.ts";
import type { ListRequest, Page, StateCount, StateEntry, LockEntry } from "./contract-listing.ts";
import type { SemaphoreChange, SemaphoreEntry, SemaphoreReply } from "./contract-shares.ts";
import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  Forgotten,
  LoadedState,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  RenewEntry,
  StateDescription,
  StateWrite,
  Ticket,
  TouchReply,
  TouchWrite,
  UnreadableState,
  Wake,
  WriteReply,
} from "./contract-types.ts";
import type { Deadlock, NoteOrder, WaitNote } from "./contract-waits.ts";

export type * from "./contract-commit.ts";
export type * from "./contract-formats.ts";
export type * from "./contract-listing.ts";
export type * from "./contract-shares.ts";
export type * from "./contract-types.ts";
export type * from "./contract-waits.ts";

/**
 * Where states and locks are kept. Test a new backend with `stateSuite` and `lockSuite` of `holdfast/testing`. An
 * instance serves one opened store.
 */
export interface Backend {
  /** For messages: where the data is, such as `redis://localhost:6379`; never with a password [P3]. */
  readonly name: string;
  /** 96 random bits as 24 hexadecimal digits, fresh for each instance. */
  readonly clientId: string;
  /**
   * How often a waiting ticket asks without a wake, in milliseconds: 5 000 if wakes are pushed, a few if they are not.
   */
  readonly askAgainMs: number;
  /**
   * Whether wakes arrive now. If not, the core is not notified that others wait for a lock that it holds. A change is
   * reported to tickets that already wait, by the wake "again".
   */
  readonly pushes: boolean;

  /** Connects and checks permissions; throws UnavailableError. The other calls connect if needed. */
  ready(): Promise<void>;

  /**
   * Only for backends that connect. `undefined`: there is a connection, and a call made now is sent now. Otherwise, a
   * promise that settles with the current attempt to connect. The core awaits it before each call. So it knows whether
   * a call that failed can have been sent: if connecting fails, nothing was done [S5]. `id`: what the call is about, if
   * it is about one id.
   */
  readonly connect?: ((id?: string) => Promise<void> | undefined) | undefined;

  /**
   * Only for a backend that is made of several: which of them has this id. Each has stamps, receipts and failures of
   * its own, so the core renews only tickets of the same one in one call.
   */
  readonly shardOf?: ((id: string) => number) | undefined;

  /** [S1] [S6] */
  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState>;

  /** The same without the bytes, whatever their number. */
  describeState(id: string): Promise<StateDescription | UnreadableState | null>;

  /**
   * Saves, deletes or touches, all or nothing [S2]. Without a ticket: only while the lock is free and has no waiters [S8]. With
   * a ticket: only while it holds the lock, and exclusively [S4]. Revisions rise, even across delete and expiry [S2].
   */
  writeState(id: string, write: StateWrite, ticket: Ticket | null, receipt: Receipt): Promise<WriteReply>;

  /**
   * Loads several states, each as `loadState` does, in the order of the ids, without their expiry. They are not read at
   * one time. At most `maxStatesPerCall`; if the backend is made of several, one of them has all.
   */
  loadStates(ids: readonly string[]): Promise<readonly LoadedState[]>;

  /**
   * Carries out several writes without tickets, each as `writeState` does and atomic by itself, under one receipt: a
   * retry gets the answers of the first attempt for all of them [S5]. The ids differ. At most `maxStatesPerCall`; if the
   * backend is made of several, one of them has all. Without memory for it, it throws UnavailableError and has done
   * nothing.
   */
  writeStates(entries: readonly WriteEntry[], receipt: Receipt): Promise<WriteStatesReply>;

  /**
   * Sets a new time to live [S7], whether or not the lock is held; "absent" if there is no state and no `ifRevision`.
   * Takes effect once [S5]: a late copy could end a newer state.
   */
  touchState(id: string, touch: Omit<TouchWrite, "kind">, receipt: Receipt): Promise<TouchReply>;

  /** In the order that was asked for, if any. Skips what cannot be read. */
  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>>;

  /** Ids that no user can have are not counted. `null`: only a listing can tell. */
  countStates(idPrefix: string): Promise<StateCount | null>;

  /**
   * Grants the lock to one ticket at a time [L1], or says who holds it. The ticket that holds it gets the same reply
   * again, with its full lease [S5]. A ticket that waits keeps its place; its fences, lease and `load` are those of its
   * last ask. `receipt` is the one that its first release will carry; a cancel has a greater `n`. Once one of them is
   * recorded, and was not refused, the ticket is "settled". A free lock with a queue goes to the first live waiter [L2]
   * [L9] [L10].
   *
   * Tickets that ask for a share hold it together: any number of shared ones [L12], or as many permits as a semaphore
   * has [L13]. Each has its own lease, fences and hand-over, and leaves the others as they are when it ends. Only the
   * difference in what *fits* is new: see `Share`; an exclusive ask fits if there is no holder. While the first live
   * waiter fits, it is handed the lock. Every ask begins with that, unless its ticket is a holder; and a release, a resize
   * and a cancel end with it (a cancel of a waiter only if others hold shares). A ticket that is not in the queue is
   * granted the lock only if it fits and there is no live waiter.
   *
   * An ask for permits is checked first, unless its ticket is a holder: see `Mismatch`. While a ticket waits, a resize to
   * another limit than the one that it names is no mismatch; only its weight counts.
   */
  acquireLock(id: string, ticket: Ticket, request: AcquireRequest, receipt: Receipt): Promise<AcquireReply>;

  /** Gives each grant its full lease again; "lost" if the ticket does not hold the lock. */
  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]>;

  /**
   * Writes, then hands the lock to the first live waiter, frees it or keeps it, in one step [S3] [S4] [L2] [L6]. Only
   * "released" and "kept" settle the ticket for acquires; after other replies nothing was done.
   */
  releaseLock(id: string, ticket: Ticket, request: ReleaseRequest, receipt: Receipt): Promise<ReleaseReply>;

  /**
   * Writes several states and releases their locks, all or nothing, in one step [S9]. The ids differ, and if the backend
   * is made of several, one of them has all. Before the first change, every ticket must hold its lock [S4], and every
   * write must be possible. Then all is written, and the locks that are released are handed on as by `releaseLock` [L2].
   * Without memory for it, it throws UnavailableError and has done nothing.
   *
   * `receipt` is that of the commit; its reply is recorded under it. In the same step, each released ticket is settled by
   * its own.
   */
  commitStates(entries: readonly CommitEntry[], receipt: Receipt): Promise<CommitReply>;

  /** Leaves the queue, or passes on a grant that came too late. Settles the ticket [L7]. */
  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply>;

  /** Who holds the lock; `null`: it is free. */
  inspectLock(id: string): Promise<LockEntry | null>;
  /**
   * Notes what functions that run under locks of this client wait for, one note after another. Returns for each of them
   * whether one of its asks closes a cycle [L15]; that ask is not noted. In the same step, it is certain that every
   * ticket of the cycle holds its lock, and that every ask is queued, was not handed the lock, and waits for the next
   * ticket: an exclusive ask waits for each holder, one for a shared lock only for an exclusive holder. Asks for permits
   * and foreign holders are in no cycle. All notes of a call are about locks of the same shard.
   */
  noteWaits(notes: readonly WaitNote[], order: NoteOrder): Promise<readonly (Deadlock | null)[]>;

  /** Sets the limit of a semaphore, or deletes it [L13]. Takes effect once [S5]. */
  changeSemaphore(id: string, change: SemaphoreChange, receipt: Receipt): Promise<SemaphoreReply | Forgotten>;

  /** Also while it has no holders; `null` if there is no such semaphore. */
  inspectSemaphore(id: string): Promise<SemaphoreEntry | null>;

  /** What is held, semaphores included. Without an `order` or values: the core asks for none. */
  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>>;

  /**
   * Only for backends with replicas. Returns how many of them have `kept` and everything before it: as soon as they are
   * `durability.replicas`, or after `durability.timeoutMs`; the core compares the numbers. "gone": the server that
   * answers does not know it, so another server took over, or it lost data. It must not delay any other call. A lock
   * gets its full lease. May be repeated.
   */
  readonly awaitReplicas?: ((kept: Kept, durability: Durability) => Promise<number | "gone">) | undefined;

  /**
   * A backend that can notice changes has this and `unwatch`, another has neither. From now on, this client gets the wake
   * "changed" after each change of the state of this id, or of its time to live, by any client, also when its subscription
   * is renewed. Not when the state expires. Who asks after the wake sees the change. Resolves once wakes that are sent now
   * arrive; rejects if they do not, and may then be called again. May be repeated [E2].
   */
  readonly watch?: ((id: string) => Promise<void>) | undefined;

  /** The opposite; wakes may still arrive. Ids that are no longer watched must cost nothing. */
  readonly unwatch?: ((id: string) => Promise<void>) | undefined;

  /** At most one listener. If wakes are pushed, a hand-over wakes exactly the ticket that got the lock [L8]. */
  onWake(listener: (wake: Wake) => void): void;

  /** Ends what the backend itself opened; never throws. Later calls throw UnavailableError. */
  close(): Promise<void>;
}
