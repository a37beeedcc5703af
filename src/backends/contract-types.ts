/** The requests of the core and the replies of a backend: plain data, which neither side changes. */
import type { Replacing } from "./contract-formats.ts";
import type { Holder } from "./contract-listing.ts";
import type { Mismatch, Share, TakenFrom } from "./contract-shares.ts";

/**
 * Identifies one attempt to hold a lock: `<host>:<pid>:<client id>:<n>`. Unique, without spaces, made before the first
 * ask. The third part is the `clientId` of the client that made it.
 */
export type Ticket = string;

/**
 * Identifies an operation, so that its retry gets the same reply [S5].
 *
 * A client runs one operation per sequence at a time, and `n` rises with each. It may skip numbers: a backend that is made
 * of several gives each of them only some operations of a sequence. The server keeps the last `n` of each sequence with
 * its reply. Equal `n`: the recorded reply, and nothing is done. Smaller `n`: a late copy, "forgotten".
 *
 * A call with the receipt of an earlier call is a retry: that call was sent, and may still arrive. Every change is
 * recorded. So is the refusal of a retry; otherwise its first copy, arriving late, could still be carried out. A server
 * that has lost its memory replies "forgotten" to a retry and does nothing, as far as its client can detect that: see
 * retry-proofs.ts.
 */
export interface Receipt {
  /** The index of the sequence among those of this client. */
  readonly sequence: number;
  /** The number of the operation in its sequence. */
  readonly n: number;
  /** How long the server must remember the receipts of this client after their last use, in milliseconds. */
  readonly keepMs: number;
}

/** A stored state, as bytes. */
export interface StoredState {
  /** Its revision. */
  readonly revision: number;
  /** The format of the bytes: see contract-formats.ts [S6]. */
  readonly serializer: string;
  /** Its value, as the serializer wrote it. */
  readonly bytes: Uint8Array;
  /** Remaining time to live in milliseconds, `null` if it never expires; `undefined` unless it was requested. */
  readonly expiresInMs?: number | null | undefined;
}

/** What is stored under a state's name cannot be read as a state. It must be left as it is [S6]. */
export interface UnreadableState {
  /** For the message of a CorruptStateError: what was found, such as "a Redis list" or "format hf2". */
  readonly unreadable: string;
}

/** `null`: absent, and only that [S1]. */
export type LoadedState = StoredState | UnreadableState | null;

/** What is known of a stored state without its bytes. */
export type StateDescription = Omit<StoredState, "bytes"> & { readonly expiresInMs: number | null };

/** A change of a state. `ifRevision` is checked in the same step. */
export type StateWrite = SaveWrite | DeleteWrite | TouchWrite;

/**
 * A time to live that replaces the present one. A number: this many milliseconds. "none": never expires. `until`: as long
 * as it is before this time, in milliseconds since 1970 by the backend's clock; if that has passed, the state is gone.
 */
export type NewTtl = number | "none" | { readonly until: number };

/**
 * The time to live that a save gives a state. "keep": unchanged (none for a new state). `whenNew`: this many milliseconds
 * for a new state, unchanged otherwise. A state is new if it was absent, which includes expired.
 */
export type Ttl = NewTtl | "keep" | { readonly whenNew: number };

/** Stores a value. */
export interface SaveWrite extends Replacing {
  readonly kind: "save";
  /** The value, as the serializer wrote it. */
  readonly bytes: Uint8Array;
  /** Decided and set in the same step [S7]. */
  readonly ttlMs: Ttl;
  /**
   * Its revision, and every later stamp, must be greater than this: for states that come from another server, which may
   * have given greater ones. Default: 0. Only without a ticket.
   */
  readonly above?: number | undefined;
  /** Checked in the same step: the revision that the state must be at, or "absent". Omitted: any. */
  readonly ifRevision?: number | "absent" | undefined;
}

/** Deletes a state. */
export interface DeleteWrite {
  readonly kind: "delete";
  /** Checked in the same step: the revision that the state must be at, or "absent". Omitted: any. */
  readonly ifRevision?: number | "absent" | undefined;
}

/** A new time to live for a state that stays as it is. Of an absent one, the reply is a conflict. */
export interface TouchWrite {
  readonly kind: "touch";
  /** The new time to live. */
  readonly ttlMs: NewTtl;
  /** Checked in the same step: the revision that the state must be at. Omitted: any. */
  readonly ifRevision?: number | undefined;
}

/**
 * This operation's receipt was lost, or it is a late copy: nothing was done, and what an earlier copy did is unknown.
 */
export interface Forgotten {
  readonly status: "forgotten";
}

/** The state is not at `ifRevision`, but at `revision`; `null` if it is absent. Nothing was written. */
export interface Conflict {
  readonly status: "conflict";
  /** The revision that the state is at; `null`: it is absent. */
  readonly revision: number | null;
}

/** The write would replace data that is not a state, or a state of another format ({@link otherFormat}). Nothing was written [S6]. */
export interface Unreadable extends UnreadableState {
  readonly status: "unreadable";
}

/** The reply to `writeState`. */
export type WriteReply =
  /** Of a touch, the revision is the one that it had. */
  | { readonly status: "saved"; readonly revision: number }
  /** `existed`: whether there was a state; an expired one is absent. */
  | { readonly status: "deleted"; readonly existed: boolean }
  /** Another ticket holds the lock, or others wait for it [S8]. Only for writes without a ticket. */
  | { readonly status: "busy" }
  /** The ticket of this write does not hold the lock [S4]. A share is not enough; the core sends no write for one. */
  | { readonly status: "lost" }
  | Conflict
  | Unreadable
  | Forgotten;

/** The reply to `touchState`. */
export type TouchReply = { readonly status: "touched" | "absent" } | Conflict | Unreadable | Forgotten;

/** What a ticket asks for. */
export interface AcquireRequest {
  /** How long the grant is kept unless it is renewed, in milliseconds. */
  readonly leaseMs: number;
  /** Whether to join the queue if the lock is busy. A ticket that is queued stays so until it is cancelled. */
  readonly queue: boolean;
  /** Whether to send the state with the grant. */
  readonly load: boolean;
  /** The number of fences to reserve for this hold, 1–64: the granted ones are `fence` … `fence + fences - 1`. */
  readonly fences: number;
  /** `undefined`: exclusively. */
  readonly share?: Share | undefined;
  /** Takes the lock over instead of waiting for it: see {@link TakenFrom}. Without a share; `queue` is false. */
  readonly from?: TakenFrom | undefined;
}

/** The ticket holds the lock. */
export interface Granted {
  readonly status: "granted";
  /** The first reserved fence; greater than every earlier one of this id [L3]. */
  readonly fence: number;
  /** The number of reserved fences. */
  readonly fences: number;
  /** How long the backend keeps the grant from now on, in milliseconds. */
  readonly leaseMs: number;
  /**
   * The number of tickets that wait behind this one, once this step has granted all that it grants. Behind a shared
   * one, more than 0 means that an exclusive ask is the first of them.
   */
  readonly waiting: number;
  /** Present if it was requested. A wake may omit it; the core then loads it. */
  readonly state?: LoadedState | undefined;
}

/** The ticket does not hold the lock: others do. */
export interface Waiting {
  /** "waiting": in the queue. "busy": not in it, since `queue` was false. */
  readonly status: "waiting" | "busy";
  /** Of several, the one whose lease ends first, and of those, the one with the smallest fence. */
  readonly holder: Holder;
  /** How many tickets hold it in shares; omitted if it is held exclusively. */
  readonly holders?: number | undefined;
  /** The remaining lease of `holder` in milliseconds; `null` if it never ends. */
  readonly retryInMs: number | null;
  /** The number of tickets before this one in the queue. */
  readonly ahead: number;
}

/** The reply to `acquireLock`. */
export type AcquireReply =
  | Granted
  | Waiting
  /** Only for asks for permits. */
  | Mismatch
  | { readonly status: "lost" } // only for asks with `from`: see TakenFrom
  /** This ticket was released or cancelled before: the ask is a late copy, and is refused [S5]. */
  | { readonly status: "settled" };

/** One of the locks whose leases are renewed. */
export interface RenewEntry {
  /** The id of the lock. */
  readonly id: string;
  /** The ticket that holds it. */
  readonly ticket: Ticket;
  /** How long it is kept from now on, in milliseconds. */
  readonly leaseMs: number;
}

/** What a release does besides giving up the lock. */
export interface ReleaseRequest {
  /** Written in the same step, before the lock is passed on. */
  readonly write?: StateWrite | undefined;
  /**
   * Keeps the lock, with a full lease and newly reserved fences, if no ticket waits for it. A share is never kept: it is
   * released.
   */
  readonly keep?: { readonly leaseMs: number; readonly fences: number } | undefined;
  /**
   * Another client ends this grant: wake its holder with "forced". Only if `ifFence`, when given, is one of its fences.
   */
  readonly forced?: { readonly ifFence?: number | undefined } | undefined;
}

/** The result of a release. `revision` is that of its write; `null` if it had none, or deleted the state. */
export interface ReleaseDone {
  /** "released": handed to the first waiter, or free. "kept": no ticket waits; only if `keep` was requested. */
  readonly status: "released" | "kept";
  /** The revision that its write gave the state; `null`: it had none, or deleted the state. */
  readonly revision: number | null;
  /** The write failed but the release did not: the backend is out of memory. */
  readonly failed?: "OUT_OF_MEMORY" | undefined;
  /** With "kept": the newly reserved fences. */
  readonly fence?: number | undefined;
  /** With "kept": the number of newly reserved fences. */
  readonly fences?: number | undefined;
}

/** The reply to `releaseLock`. */
export type ReleaseReply =
  | ReleaseDone
  /**
   * The ticket does not hold the lock: nothing was written, nothing released [S4] [L6]. Also if a ticket that has a share
   * sends a write, which the core does not.
   */
  | { readonly status: "lost" }
  /** The write was refused. The ticket still holds the lock. */
  | Conflict
  | Unreadable
  | Forgotten;

/** The reply to `cancelLock`. */
export type CancelReply =
  /** "cancelled": it was waiting, or unknown. "released": it held the lock by then, which was passed on. */
  { readonly status: "cancelled" | "released" } | Forgotten;

/** A hint from the backend. It may be lost, late or repeated. */
export type Wake =
  /** This client's ticket now holds the lock, for a short hand-over lease until its first own command. */
  | ({ readonly kind: "granted"; readonly id: string; readonly ticket: Ticket } & Omit<Granted, "status">)
  /**
   * Others now wait for the lock that this client's ticket holds: sent when the first of them starts to wait. Of a
   * shared lock, every holder gets one, unless it was handed the lock in the same step. Never sent for permits.
   */
  | { readonly kind: "wanted"; readonly id: string; readonly ticket: Ticket }
  /** This client's ticket was removed from a queue, and must ask again now: its semaphore has become too small. */
  | { readonly kind: "ask"; readonly id: string; readonly ticket: Ticket }
  /** This client's ticket was force-released, or an ask with `from` has taken the lock from it. */
  | { readonly kind: "forced"; readonly id: string; readonly ticket: Ticket }
  /** The state of this id has changed. For clients that watch it; others may get it, too. */
  | { readonly kind: "changed"; readonly id: string }
  /** Wakes may have been lost (the subscription was renewed): every waiting ticket, and who watches, must ask again now. */
  | { readonly kind: "again" };

/** The statuses that mean a change, so that the backend has recorded the receipt [S5]. */
export const recordedStatuses: ReadonlySet<string> = new Set([
  "saved",
  "deleted",
  "touched",
  "released",
  "kept",
  "cancelled",
  "resized",
  "removed",
  "committed",
  "written",
]);
