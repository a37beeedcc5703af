/** What the core asks of a backend and what it is answered: plain data, read by both and changed by neither. */

/**
 * Identifies one attempt to hold a lock: `<host>:<pid>:<client id>:<n>`. Unique, without spaces, made
 * before the first try. The third part is the `clientId` of the client that made it.
 */
export type Ticket = string;

/**
 * Which operation this is, so that its retry gets the same answer [S5].
 *
 * A client runs one operation per sequence at a time, and `n` rises with each. The server keeps the last `n` of each
 * sequence with its reply: equal `n` → the recorded reply, nothing done; smaller `n` → a late copy, "forgotten".
 *
 * A call with the receipt of an earlier one is a retry: that one was sent, and may still arrive. What changed something is
 * recorded; so is the refusal of a retry, or its first copy, arriving late, could still be carried out. A server that has
 * lost its memory answers a retry "forgotten", with nothing done, as far as its client can tell: see proofs.ts.
 */
export interface Receipt {
  readonly sequence: number;
  readonly n: number;
  /** How long the server must remember a receipt of this client after its last use. */
  readonly keepMs: number;
}

/** How many replicas must have something before it is acknowledged, and how long they are waited for. */
export interface Durability {
  /** At least 1. */
  readonly replicas: number;
  readonly timeoutMs: number;
}

/**
 * What the replicas are to have, with everything that the server did before it: a lock that this ticket holds, or the
 * operation that left this receipt.
 */
export type Kept =
  | { readonly id: string; readonly ticket: Ticket; readonly leaseMs: number }
  | { readonly id: string; readonly receipt: Receipt };

/** A stored state, as bytes. */
export interface StoredState {
  readonly revision: number;
  /** Name of the serializer that wrote the bytes [S6]. */
  readonly serializer: string;
  readonly bytes: Uint8Array;
  /** Remaining time to live in milliseconds, `null` if it never expires; `undefined` unless it was asked for. */
  readonly expiresInMs?: number | null | undefined;
}

/** What stands under a state's name cannot be read as a state; it must be left as it is [S6]. */
export interface UnreadableState {
  /** For the message of a CorruptStateError: what was found, such as "a Redis list" or "format hf2". */
  readonly unreadable: string;
}

/** `null`: absent, and only that [S1]. */
export type LoadedState = StoredState | UnreadableState | null;

/** A change of a state. `ifRevision` is checked in the same step. */
export type StateWrite = SaveWrite | DeleteWrite;

/**
 * The time to live that a save gives a state: a new one in milliseconds; "keep": what it had (none when it is new); "none":
 * never expires; `whenNew`: this many milliseconds when it is new, otherwise what it had. New is what is absent, so also what has expired.
 */
export type Ttl = number | "keep" | "none" | { readonly whenNew: number };

export interface SaveWrite {
  readonly kind: "save";
  readonly bytes: Uint8Array;
  readonly serializer: string;
  /** Decided and set in the same step [S7]. */
  readonly ttlMs: Ttl;
  readonly ifRevision?: number | "absent" | undefined;
}

export interface DeleteWrite {
  readonly kind: "delete";
  readonly ifRevision?: number | "absent" | undefined;
}

/** This operation's receipt was lost, or it is a late copy: nothing was done, and what an earlier copy did is unknown. */
export interface Forgotten {
  readonly status: "forgotten";
}

/** The state is not at `ifRevision`; `revision` is what it is at, `null` when it is absent. Nothing was written. */
export interface Conflict {
  readonly status: "conflict";
  readonly revision: number | null;
}

/** The write would replace what is no state, or one of another serializer. Nothing was written [S6]. */
export interface Unreadable extends UnreadableState {
  readonly status: "unreadable";
}

/** Who holds a lock: one of our tickets, or the token of a foreign client [L11]. */
export interface Holder {
  /** The ticket or the token, as stored. */
  readonly token: string;
  readonly foreign: boolean;
}

export type WriteReply =
  | { readonly status: "saved"; readonly revision: number }
  | { readonly status: "deleted" }
  /** Another ticket holds the lock, or waiters stand before us [S8]. Only for writes without a ticket. */
  | { readonly status: "busy" }
  /** The ticket under which this was to be written does not hold the lock [S4]. */
  | { readonly status: "lost" }
  | Conflict
  | Unreadable
  | Forgotten;

export type TouchReply = { readonly status: "touched" | "absent" } | Unreadable | Forgotten;

export interface AcquireRequest {
  readonly leaseMs: number;
  /** Join the queue when the lock is held by another. A ticket that is queued stays so until it is cancelled. */
  readonly queue: boolean;
  /** Send the state along with the grant. */
  readonly load: boolean;
  /** How many fences to reserve for this hold, 1–64: the granted ones are `fence` … `fence + fences - 1`. */
  readonly fences: number;
}

export interface Granted {
  readonly status: "granted";
  /** The first reserved fence; greater than every earlier one of this id [L3]. */
  readonly fence: number;
  /** How many are reserved. */
  readonly fences: number;
  /** How long the backend keeps the grant from now on. */
  readonly leaseMs: number;
  /** How many tickets wait behind this one. */
  readonly waiting: number;
  /** Present when it was asked for; a wake may leave it out (then the core loads it). */
  readonly state?: LoadedState | undefined;
}

export interface Waiting {
  /** "waiting": in the queue. "busy": not in it, since `queue` was false. */
  readonly status: "waiting" | "busy";
  readonly holder: Holder;
  /** Remaining lease of the holder; `null` when it never ends. */
  readonly retryInMs: number | null;
  /** How many tickets stand before this one in the queue. */
  readonly ahead: number;
}

export type AcquireReply =
  | Granted
  | Waiting
  /** This ticket was released or cancelled before: a late copy, refused [S5]. */
  | { readonly status: "settled" };

export interface RenewEntry {
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
}

export interface ReleaseRequest {
  /** To be written in the same step, before the lock is passed on. */
  readonly write?: StateWrite | undefined;
  /** Keep the lock, with a full lease and newly reserved fences, if no ticket waits for it. */
  readonly keep?: { readonly leaseMs: number; readonly fences: number } | undefined;
  /** Another client ends this grant: wake its holder with "forced"; only if `ifFence` is one of its fences. */
  readonly forced?: { readonly ifFence?: number | undefined } | undefined;
}

/** What became of the write of a release; `null` when there was none, or it was a delete. */
export interface ReleaseDone {
  /** "released": handed to the first waiter, or free. "kept": no ticket waits; only where `keep` was asked. */
  readonly status: "released" | "kept";
  readonly revision: number | null;
  /** The write failed though the release did not: the backend is out of memory. */
  readonly failed?: "OUT_OF_MEMORY" | undefined;
  /** With "kept": the newly reserved fences. */
  readonly fence?: number | undefined;
  readonly fences?: number | undefined;
}

export type ReleaseReply =
  | ReleaseDone
  /** The ticket does not hold the lock: nothing written, nothing released [S4] [L6]. */
  | { readonly status: "lost" }
  /** The write was refused; the lock is still this ticket's. */
  | Conflict
  | Unreadable
  | Forgotten;

export type CancelReply =
  /** "cancelled": it was waiting, or nowhere. "released": it held the lock by now, and that was passed on. */
  { readonly status: "cancelled" | "released" } | Forgotten;

export interface StateEntry {
  readonly id: string;
  readonly revision: number;
  readonly bytes: number;
  readonly serializer: string;
  readonly expiresInMs: number | null;
}

export interface LockEntry {
  readonly id: string;
  readonly holder: Holder;
  /** The first and the last fence reserved for the holder; `null` for a foreign one. */
  readonly fence: number | null;
  readonly lastFence: number | null;
  /** `null`: it never expires (a foreign lock without a lease). */
  readonly expiresInMs: number | null;
  readonly waiters: number;
}

export interface ListRequest {
  /** Only ids that begin with this. */
  readonly idPrefix: string;
  /** About how many entries to answer; a hint. */
  readonly limit: number;
}

/** Entries that exist during the whole listing come at least once over all pages; others may or may not come. */
export interface Page<Entry> {
  readonly entries: readonly Entry[];
  /** Where to go on; `null` at the end. */
  readonly cursor: string | null;
}

/** A hint from the backend: may be lost, may be late, may come twice. */
export type Wake =
  /** This client's ticket now holds the lock, for a short hand-over lease until its first own command. */
  | ({ readonly kind: "granted"; readonly id: string; readonly ticket: Ticket } & Omit<Granted, "status">)
  /** Others now wait for the lock that this client's ticket holds: sent when the first of them comes. */
  | { readonly kind: "wanted"; readonly id: string; readonly ticket: Ticket }
  /** This client's ticket was force-released. */
  | { readonly kind: "forced"; readonly id: string; readonly ticket: Ticket }
  /** Wakes may have been lost (the subscription was renewed): every waiting ticket should ask again now. */
  | { readonly kind: "again" };

/** The statuses of the contract that say that something was changed: the backend has recorded the receipt [S5]. */
export const recordedStatuses: ReadonlySet<string> = new Set([
  "saved",
  "deleted",
  "touched",
  "released",
  "kept",
  "cancelled",
]);
