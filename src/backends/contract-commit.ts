/**
 * The part of the contract that is about several states in one call: committed together [S9], or each by itself; and about
 * what replicas must have.
 */
import type {
  Conflict,
  DeleteWrite,
  Forgotten,
  Receipt,
  SaveWrite,
  StateWrite,
  Ticket,
  Unreadable,
} from "./contract-types.ts";

/** One state of a commit of several, and the lock that guards it. */
export interface CommitEntry {
  /** The id of the state and of its lock. */
  readonly id: string;
  /** Holds the lock, exclusively. */
  readonly ticket: Ticket;
  /** Omitted: the state stays as it is. */
  readonly write?: StateWrite | undefined;
  /** Checked whether or not the state is written; the `write` has none of its own. */
  readonly ifRevision?: number | "absent" | undefined;
  /** Releases the lock in the same step: the receipt that the first release of this ticket carries. Omitted: held on. */
  readonly release?: Receipt | undefined;
}

/** The reply to a commit that was carried out. */
export interface Committed {
  /** All of it was written. */
  readonly status: "committed";
  /** By entry; `null`: not written, or deleted. */
  readonly revisions: readonly (number | null)[];
}

/** The reply to `commitStates`. */
export type CommitReply =
  | Committed
  /** Nothing was written and nothing released. */
  | (({ readonly status: "lost" } | Conflict | Unreadable) & {
      /** The first entry that is refused. */
      readonly index: number;
    })
  | Forgotten;

/** One of several writes in one call, each without a ticket, and atomic by itself. */
export interface WriteEntry {
  /** The id of the state. */
  readonly id: string;
  /** What to do with it. */
  readonly write: Omit<SaveWrite, "above"> | DeleteWrite;
}

/**
 * What became of one of them. "deleted", "absent": a delete that found a state, or none. "busy": another ticket holds
 * the lock, or others wait for it [S8]; nothing was written. A backend may also answer "busy" if only `writeState` can
 * say what is wrong.
 */
export type EntryResult = "saved" | "deleted" | "absent" | "busy" | Conflict | Unreadable;

/** The reply to `writeStates` that says what became of each entry. */
export interface EntriesDone {
  /** "refused": none of them was carried out. */
  readonly status: "written" | "refused";
  /** The revision of all entries that were saved; `null` if none was. */
  readonly revision: number | null;
  /** By entry. */
  readonly results: readonly EntryResult[];
}

/** The reply to `writeStates`. */
export type WriteStatesReply = EntriesDone | Forgotten;

/** At most so many entries are written by one call, and so many states loaded, so that a step is short. */
export const maxStatesPerCall = 256;
/** How many replicas must have something before it is acknowledged, and how long to wait for them. */
export interface Durability {
  /** At least 1. */
  readonly replicas: number;
  /** How long to wait for them, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * What the replicas must have, with everything that the server did before it: a lock that this ticket holds, or the
 * operation that left this receipt.
 */
export type Kept =
  | {
      /** The id of the lock. */
      readonly id: string;
      /** The ticket that holds it. */
      readonly ticket: Ticket;
      /** Its lease, in milliseconds. */
      readonly leaseMs: number;
    }
  | {
      /** The id that the operation was about. */
      readonly id: string;
      /** The receipt that it left. */
      readonly receipt: Receipt;
    };
