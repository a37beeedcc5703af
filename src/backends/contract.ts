/**
 * The contract between the core and what keeps states and locks.
 *
 * One attempt per call, one atomic step on the backend, bytes in and bytes out, which neither side changes afterwards. A backend has no timers, no
 * retries, no policy, no values and no owners: all of that is written once, above it. Expected outcomes are
 * values; a call throws only when it could not be carried out:
 *
 * - `UnavailableError` with `outcome: "none"` when the backend certainly did nothing, `"unknown"` when it may have.
 *   The core retries it until its deadline, unless it says that it is `lasting`: then not at all.
 * - `CorruptStateError` when what is kept under the lock's name is not a lock.
 *
 * The promises of docs/promises.md that a backend must keep are cited at each call.
 */

import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  Durability,
  Kept,
  ListRequest,
  LoadedState,
  LockEntry,
  Page,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  RenewEntry,
  StateEntry,
  StateWrite,
  Ticket,
  TouchReply,
  Wake,
  WriteReply,
} from "./messages.ts";

export type * from "./messages.ts";

/**
 * Where states and locks are kept. Prove a new one with `stateSuite` and `lockSuite` of `holdfast/testing`.
 * An instance serves one opened store.
 */
export interface Backend {
  /** For messages: where this is, such as `redis://localhost:6379`; never with a password [P3]. */
  readonly name: string;
  /** 96 random bits as 24 hexadecimal digits, fresh for each instance. */
  readonly clientId: string;
  /** How often a waiting ticket must ask when no wake comes: 5 000 where wakes are pushed, a few where they are not. */
  readonly askAgainMs: number;
  /**
   * Do wakes arrive now? Where they do not, the core is not told that others wait for a lock that it holds. A change
   * is reported to tickets that already wait, by the wake "again".
   */
  readonly pushes: boolean;

  /** Connects and checks rights; throws UnavailableError. The other calls connect when needed. */
  ready(): Promise<void>;

  /**
   * Only on backends that connect. `undefined`: there is a connection, and a call that is made now is sent now. Else a
   * promise that settles with the attempt to connect that is under way. The core waits for it before each call, so that
   * it knows of a call that failed whether it can have been sent: if connecting fails, nothing was done [S5].
   */
  readonly connect?: (() => Promise<void> | undefined) | undefined;

  /** [S1] [S6] */
  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState>;

  /**
   * Saves or deletes, all or nothing [S2]. Without a ticket: only while the lock is not held and has no waiters [S8].
   * With one: only while that ticket holds the lock [S4]. Revisions rise, also across delete and expiry [S2].
   */
  writeState(id: string, write: StateWrite, ticket: Ticket | null, receipt: Receipt): Promise<WriteReply>;

  /** Sets a new time to live of a state [S7]; "absent" when there is none. Once [S5]: a late copy could end what was saved since. */
  touchState(id: string, ttlMs: number, receipt: Receipt): Promise<TouchReply>;

  /** In no particular order. Skips what is unreadable. */
  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>>;

  /**
   * Grants the lock to one ticket at a time [L1], or says who holds it. The ticket that holds it gets the same
   * answer again, with its full lease [S5]. A ticket that waits keeps its place, and its fences, lease and wish for
   * the state are as last asked. `receipt` is the one that its first release will carry; a cancel has a greater `n`.
   * Once one of them is recorded, and was not refused, the ticket is "settled". A free lock with a queue goes to the first live waiter [L2] [L9] [L10].
   */
  acquireLock(id: string, ticket: Ticket, request: AcquireRequest, receipt: Receipt): Promise<AcquireReply>;

  /** Gives each grant its full lease again; "lost" when the ticket does not hold the lock. */
  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]>;

  /**
   * Writes, then hands the lock to the first live waiter, or frees or keeps it: one step [S3] [S4] [L2] [L6].
   * Only "released" and "kept" settle the ticket for acquires; other answers did nothing.
   */
  releaseLock(id: string, ticket: Ticket, request: ReleaseRequest, receipt: Receipt): Promise<ReleaseReply>;

  /** Leaves the queue, or passes on a grant that came too late; settles the ticket [L7]. */
  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply>;

  inspectLock(id: string): Promise<LockEntry | null>;

  /** In no particular order. */
  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>>;

  /**
   * Only on backends that have replicas. Answers how many of them have what is named and all that came before it: once
   * they are `durability.replicas`, or after `durability.timeoutMs`; whether they are enough is compared above. "gone":
   * the server that answers does not know it, so another one took over, or it lost data. It must not hold up any
   * other call. A lock gets its full lease with it. May be repeated.
   */
  readonly awaitReplicas?: ((kept: Kept, durability: Durability) => Promise<number | "gone">) | undefined;

  /** At most one listener. Where wakes are pushed, a hand-over wakes exactly the ticket that got the lock [L8]. */
  onWake(listener: (wake: Wake) => void): void;

  /** Ends what the backend itself opened; never throws. Calls after it throw UnavailableError. */
  close(): Promise<void>;
}
