// What really happened on the server, step by step: the truth that answers are compared with.
//
// It is told of every row before and after each step, and says at once what no server may do. It knows rows, not calls.

import type { LockRow, StateRow } from "../../../src/backends/rows/row-types.ts";
import type { List } from "../../torture/checker/history.ts";

/** A value that came to be. */
export interface Version {
  /** `null`: it was deleted, or has expired. */
  readonly revision: number | null;
  readonly ids: readonly string[];
  readonly at: number;
}

/** Fences that a ticket was given, and until when the server keeps its lease. */
interface Reserved {
  readonly first: number;
  last: number;
  readonly ticket: string;
  lease: Lease;
}

interface Lease {
  endsAt: number;
}

export interface Writer {
  /** The ticket that it is written under; `null`: under none. */
  readonly ticket: string | null;
}

export type Violate = (rule: string, text: string) => void;

export class Ledger {
  readonly #now: () => number;
  readonly #violate: Violate;
  readonly #versions = new Map<string, Version[]>();
  readonly #locks = new Map<string, LockRow | undefined>();
  readonly #reserved = new Map<string, Reserved[]>();
  readonly #leases = new Map<string, Lease>();
  readonly #revisions = new Map<string, number>();

  constructor(now: () => number, violate: Violate) {
    this.#now = now;
    this.#violate = violate;
  }

  get ids(): Iterable<string> {
    return this.#versions.keys();
  }

  /** All that ever was under this id, in order. Before the first one it was absent. */
  versions(id: string): readonly Version[] {
    return this.#versions.get(id) ?? [];
  }

  /** What was there at some moment between the two. */
  during(id: string, from: number, to: number): readonly Version[] {
    const all = [{ revision: null, ids: [], at: -Infinity }, ...this.versions(id)];
    return all.filter(({ at }, n) => at <= to && (all[n + 1]?.at ?? Infinity) >= from);
  }

  /** Until when the server kept the lease of the grant with this fence, as far as it has been asked by now. */
  leaseEnd(id: string, fence: number): number {
    const of = this.#reserved.get(id)?.findLast(({ first, last }) => fence >= first && fence <= last);
    return of?.lease.endsAt ?? -Infinity;
  }

  /** After a step that may have changed the lock of this id. */
  lock(id: string, row: LockRow | undefined): void {
    const before = this.#locks.get(id);
    if (row === before) return;
    this.#locks.set(id, row);
    if (row === undefined) return;
    this.#lease(id, row).endsAt = row.since + row.leaseMs;
    if (row.fence === before?.fence && row.ticket === before.ticket) return;
    this.#grant(id, row);
  }

  /** [S4] [S8] Before a step that writes: may this be written now? */
  mayWrite(id: string, { ticket }: Writer, hasWaiters: boolean): boolean {
    const lock = this.#locks.get(id);
    const isHeld = lock !== undefined && lock.since + lock.leaseMs > this.#now();
    if (ticket === null) return !isHeld && !hasWaiters;
    return isHeld && lock.ticket === ticket;
  }

  /** After a step that may have changed the state of this id; `may`: as it was before it. */
  state(id: string, row: StateRow | undefined, may: boolean): void {
    const versions = this.#versions.get(id) ?? [];
    const before = versions.at(-1) ?? { revision: null, ids: [] };
    if ((row?.revision ?? null) === before.revision) return;
    this.#versions.set(id, versions);
    versions.push({ revision: row?.revision ?? null, ids: this.#idsOf(id, row), at: this.#now() });
    if (!may) this.#violate("stale-save", `${id}: a write was accepted that no ticket covers`);
    if (row !== undefined) this.#rise(id, row.revision);
  }

  /** [S9] After a step that may have saved the states of these ids together: those that it has saved. */
  commit(ids: readonly string[], saved: readonly string[]): void {
    if (saved.length !== 0 && saved.length !== ids.length)
      this.#violate("half-commit", `of ${ids.join(" ")}, only ${saved.join(" ")} was saved`);
  }

  /** [S2] Also across deletes. */
  #rise(id: string, revision: number): void {
    const last = this.#revisions.get(id) ?? 0;
    if (revision <= last) this.#violate("revision-back", `${id}: revision ${revision} after ${last}`);
    this.#revisions.set(id, revision);
  }

  /** [S2] A value is whole. */
  #idsOf(id: string, row: StateRow | undefined): readonly string[] {
    if (row === undefined) return [];
    const { count, ids } = JSON.parse(Buffer.from(row.bytes).toString()) as List;
    if (count !== ids.length) this.#violate("counter", `${id} counts ${count} and has ${ids.length}`);
    return ids;
  }

  /** [L3] */
  #grant(id: string, { ticket, fence, fences }: LockRow): void {
    const reserved = this.#reserved.get(id) ?? [];
    const last = reserved.at(-1)?.last ?? 0;
    if (fence <= last) this.#violate("fence-back", `${id}: fence ${fence} was given after ${last}`);
    reserved.push({ first: fence, last: fence + fences - 1, ticket, lease: this.#lease(id, { ticket }) });
    this.#reserved.set(id, reserved);
  }

  #lease(id: string, { ticket }: Pick<LockRow, "ticket">): Lease {
    const key = `${id} ${ticket}`;
    const lease = this.#leases.get(key) ?? { endsAt: -Infinity };
    this.#leases.set(key, lease);
    return lease;
  }
}
