/** The part of the contract that is about a commit of several states [S9], and about what replicas must have. */
import type { Conflict, Forgotten, Receipt, StateWrite, Ticket, Unreadable } from "./contract-types.ts";

/** One state of a commit of several, and the lock that guards it. */
export interface CommitEntry {
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

export interface Committed {
  readonly status: "committed";
  /** By entry; `null`: not written, or deleted. */
  readonly revisions: readonly (number | null)[];
}

export type CommitReply =
  | Committed
  /** Nothing was written and nothing released. `index`: the first entry that is refused. */
  | (({ readonly status: "lost" } | Conflict | Unreadable) & { readonly index: number })
  | Forgotten;

/** How many replicas must have something before it is acknowledged, and how long to wait for them. */
export interface Durability {
  /** At least 1. */
  readonly replicas: number;
  readonly timeoutMs: number;
}

/**
 * What the replicas must have, with everything that the server did before it: a lock that this ticket holds, or the
 * operation that left this receipt.
 */
export type Kept =
  | { readonly id: string; readonly ticket: Ticket; readonly leaseMs: number }
  | { readonly id: string; readonly receipt: Receipt };
