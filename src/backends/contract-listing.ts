/**
 * Listings: what the core asks for, and the pages of a backend.
 *
 * An order of ids is that of their UTF-8 bytes, on every backend. It is not the order of JavaScript's `<`, which compares
 * UTF-16 code units: src/id-order.ts.
 */

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
