/**
 * Listings: what the core asks for, and the pages of a backend.
 *
 * An order of ids is that of their UTF-8 bytes, on every backend. It is not the order of JavaScript's `<`, which compares
 * UTF-16 code units: src/id-order.ts.
 */
import type { ShareEntry } from "./contract-shares.ts";

/** Which page of a listing is asked for. */
export interface ListRequest {
  /** Only ids that begin with this. */
  readonly idPrefix: string;
  /** The approximate number of entries to return; a hint. */
  readonly limit: number;
  /**
   * In this order of ids. A cursor is then an id: the page begins after it ("desc": before it), whether it exists or not.
   * No entry occurs twice. `undefined`: any order, and any cursor, which only this backend understands. A backend that
   * keeps no order throws InvalidArgumentError, with advice.
   */
  readonly order?: Order | undefined;
  /** With the bytes of each state. A page may then have fewer entries, so that it does not become too large. */
  readonly values?: boolean | undefined;
}

/** Ascending or descending, by the UTF-8 bytes of ids. */
export type Order = "asc" | "desc";

/** Entries that exist during the whole listing occur at least once over all pages. Others may or may not occur. */
export interface Page<Entry> {
  /** The entries of this page. */
  readonly entries: readonly Entry[];
  /** Where the next page begins; `null` at the end. A page may be empty before the end. */
  readonly cursor: string | null;
  /** Ids that were left out since what they have cannot be read, or is gone by now; only if the backend knows them. */
  readonly skipped?: readonly string[] | undefined;
}

/** A stored state in a listing. */
export interface StateEntry {
  /** Its id. */
  readonly id: string;
  /** Its revision. */
  readonly revision: number;
  /** The size of its value as stored, in bytes. */
  readonly bytes: number;
  /** The format of its bytes, as in {@link StoredState.serializer}. */
  readonly serializer: string;
  /** Its remaining time to live in milliseconds; `null`: it never expires. */
  readonly expiresInMs: number | null;
  /** Its bytes; only if the request asked for values. */
  readonly content?: Uint8Array | undefined;
}

/** Who holds a lock: a ticket, or the token of a foreign client [L11]. */
export interface Holder {
  /** The ticket or the token, as stored. */
  readonly token: string;
  /** Whether it is a client that does not use the protocol of Holdfast. */
  readonly foreign: boolean;
}

/** What is known about a lock that is held. */
export interface LockEntry {
  /** Its id. */
  readonly id: string;
  /** Of several, as in `Waiting`; the fences and the lease are those of this one. */
  readonly holder: Holder;
  /** The first fence reserved for the holder (`lastFence`: the last); `null` for a foreign one. */
  readonly fence: number | null;
  /** The last fence reserved for the holder; `null` for a foreign one. */
  readonly lastFence: number | null;
  /** `null`: it never expires (a foreign lock without a lease). */
  readonly expiresInMs: number | null;
  /** The number of tickets in its queue. */
  readonly waiters: number;
  /** For how long `holder` has had this grant, in milliseconds of the server's clock; omitted: not known. */
  readonly heldForMs?: number | undefined;
  /** All holders if it is held in shares, by fence; omitted if it is held exclusively. */
  readonly shares?: readonly ShareEntry[] | undefined;
}

/** How many states there are whose ids users can have, and begin with a prefix. */
export interface StateCount {
  /** The number of states. */
  readonly count: number;
  /** Whether exactly so many existed at one instant of the call. */
  readonly exact: boolean;
}

/** What `holdfast index` does where a store keeps an index only if it is asked to. */
export type IndexAction = "build" | "drop";

/** What building or dropping an index has done. */
export interface IndexReport {
  /** Whether there was something to build, or an index to drop. */
  readonly changed: boolean;
  /** How many ids were missing in the index. */
  readonly ids: number;
}
