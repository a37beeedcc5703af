// The rows of one id as a value, and what may follow: a step of the server makes a new world of an old one.

import type { Ticket } from "../../src/backends/contract.ts";
import type {
  Change,
  HolderRow,
  LockRow,
  ReceiptRow,
  Rows,
  SemaphoreRow,
  SharesRow,
  WaiterRow,
} from "../../src/backends/rows/row-types.ts";

export const id = "x";
/** The other id of a commit. One client asks for it; nobody waits, and nobody shares it. */
export const secondId = "y";

/** What is stored. There is no state: who may write one is asked of each world, and changes nothing. */
export interface Stored {
  readonly stamp: number;
  readonly lock: LockRow | SharesRow | null;
  readonly holders: readonly HolderRow[];
  readonly waiters: readonly WaiterRow[];
  readonly semaphore: SemaphoreRow | null;
  readonly secondLock: LockRow | null;
  /** By sequence; each belongs to one client. */
  readonly receipts: readonly (ReceiptRow | undefined)[];
}

export const nothingStored: Stored = {
  ...{ stamp: 0, lock: null, holders: [], waiters: [], semaphore: null, secondLock: null, receipts: [] },
};

export function rowsOf(stored: Stored): Rows {
  const { holders } = stored;
  return {
    stamp: () => stored.stamp,
    stateHead: () => undefined,
    state: () => undefined,
    lock: (of) => (of === id ? stored.lock : stored.secondLock) ?? undefined,
    holders: () => holders,
    holder: (_, ticket) => holders.find((row) => row.ticket === ticket),
    waits: () => undefined,
    firstHolder: () => [...holders].sort((a, b) => endOf(a) - endOf(b) || a.fence - b.fence)[0],
    semaphore: () => stored.semaphore ?? undefined,
    waiters: (of) => (of === id ? stored.waiters : []),
    receipt: (sequence) => stored.receipts[sequence],
  };
}

export function changed(stored: Stored, changes: readonly Change[]): Stored {
  return changes.reduce(withChange, stored);
}

function withChange(stored: Stored, change: Change): Stored {
  if ("id" in change && change.id === secondId) return withSecond(stored, change);
  switch (change.kind) {
    case "stamp":
      return { ...stored, stamp: change.last };
    case "lock":
      return { ...stored, lock: change.row };
    case "holder":
      return { ...stored, holders: withRow(stored.holders, change.ticket, change.row) };
    case "waiter":
      return { ...stored, waiters: withRow(stored.waiters, change.ticket, change.row) };
    case "semaphore":
      return { ...stored, semaphore: change.row };
    case "receipt": {
      const receipts = [...stored.receipts];
      receipts[change.receipt.sequence] = { n: change.receipt.n, reply: change.reply };
      return { ...stored, receipts };
    }
    default:
      return stored; // states
  }
}

function withSecond(stored: Stored, change: Change): Stored {
  if (change.kind !== "lock") return stored;
  if (change.row?.ticket === null) throw new Error("the second lock is shared");
  return { ...stored, secondLock: change.row };
}

/** A known one keeps its place. */
function withRow<Row extends { readonly ticket: Ticket }>(
  rows: readonly Row[],
  ticket: Ticket,
  row: Row | null,
): readonly Row[] {
  if (row === null) return rows.filter((one) => one.ticket !== ticket);
  const place = rows.findIndex((one) => one.ticket === ticket);
  return place === -1 ? [...rows, row] : rows.with(place, row);
}

/** One ticket that has the lock, or a share of it. */
export type Held = LockRow & { readonly weight?: number };

/** Those whose leases have not ended, from the rows alone. */
export function liveHolders(stored: Stored, now: number): readonly Held[] {
  return allHolders(stored).filter((row) => endOf(row) > now);
}

/** Whether this ticket has the whole lock of that id. */
export function isHolder(stored: Stored, now: number, of: { id: string; ticket: Ticket }): boolean {
  const { secondLock } = stored;
  if (of.id === secondId) return secondLock?.ticket === of.ticket && endOf(secondLock) > now;
  return liveHolders(stored, now).some(({ ticket, weight }) => ticket === of.ticket && weight === undefined);
}

export function allHolders({ lock, holders }: Stored): readonly Held[] {
  if (lock === null) return [];
  return lock.ticket === null ? holders : [lock];
}

export function endOf({ since, leaseMs }: { readonly since: number; readonly leaseMs: number }): number {
  return since + leaseMs;
}
