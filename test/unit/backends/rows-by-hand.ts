// Rows made by hand, a frozen view of them, and requests: what tests of the decisions over rows begin with.

import type { AcquireRequest } from "../../../src/backends/contract.ts";
import { decide } from "../../../src/backends/rows/decide.ts";
import type { Decision, Kind, RowRequest } from "../../../src/backends/rows/request-types.ts";
import type {
  HolderRow,
  LockRow,
  Moment,
  ReceiptRow,
  Recorded,
  Rows,
  SemaphoreRow,
  SharesRow,
  StateRow,
  WaiterRow,
  WaitsRow,
} from "../../../src/backends/rows/row-types.ts";
import { firstOf } from "../../../src/backends/rows/share-rows.ts";
import { save, bytesOf } from "../../../src/testing/contract-client.ts";

export interface Stored {
  readonly stamp?: number;
  readonly states?: Readonly<Record<string, StateRow>>;
  readonly locks?: Readonly<Record<string, LockRow | SharesRow>>;
  readonly holders?: Readonly<Record<string, readonly HolderRow[]>>;
  readonly semaphores?: Readonly<Record<string, SemaphoreRow>>;
  readonly queues?: Readonly<Record<string, readonly WaiterRow[]>>;
  readonly receipts?: Readonly<Record<number, ReceiptRow>>;
  readonly waits?: Readonly<Record<string, WaitsRow>>;
}

export const now = 1_000_000;
export const micros = now * 1_000;
export const rules = { limits: { askLimitMs: 12_000, handOverMs: 10_000 }, grainMs: 0, wakes: true };
export const moment: Moment = { now, micros, rules };
export const receipt = { sequence: 1, n: 7, keepMs: 60_000 };
export const attempt = { retry: false, proof: undefined };
export const ask = { leaseMs: 30_000, queue: true, load: false, fences: 1 };

export const lockOf = (ticket: string, more: Partial<LockRow> = {}): LockRow => ({
  ...{ ticket, fence: 50, fences: 1, since: now - 10, leaseMs: 30_000, unconfirmed: false },
  ...more,
});
export const waiterOf = (ticket: string, more: Partial<WaiterRow> = {}): WaiterRow => ({
  ...{ ticket, askedAt: now - 10, leaseMs: 20_000, fences: 2, load: false, passedOver: false },
  ...more,
});
export const stateOf = (value: string, more: Partial<StateRow> = {}): StateRow => ({
  ...{ revision: 40, serializer: "json", bytes: bytesOf(value), expiresAt: null },
  ...more,
});

/** Frozen, since a decision changes nothing; `reads` is what it looked at. */
export function viewOf(stored: Stored, reads: string[] = []): Rows {
  const { stamp = 0, states = {}, locks = {}, queues = {}, receipts = {} } = freeze(stored);
  const { holders = {}, semaphores = {}, waits = {} } = stored;
  const read = <T>(name: string, value: T): T => {
    reads.push(name);
    return value;
  };
  return {
    stamp: () => read("stamp", stamp),
    stateHead: (id) => read("stateHead", states[id]),
    state: (id) => read("state", states[id]),
    lock: (id) => read("lock", locks[id]),
    holders: (id) => read("holders", holders[id] ?? []),
    holder: (id, ticket) =>
      read(
        "holder",
        holders[id]?.find((row) => row.ticket === ticket),
      ),
    firstHolder: (id) => read("firstHolder", firstOf(holders[id] ?? [])),
    semaphore: (id) => read("semaphore", semaphores[id]),
    waiters: (id) => read("waiters", queues[id] ?? []),
    receipt: (sequence) => read("receipt", receipts[sequence]),
    waits: (client) => read("waits", waits[client]),
  };
}

export function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}

export const decideOn = <K extends Kind>(
  stored: Stored,
  request: RowRequest<K>,
  at: Moment = moment,
): Decision<K> => decide(viewOf(stored), freeze(request), at);

export const acquire = (ticket: string, more: Partial<AcquireRequest> = {}): RowRequest<"acquire"> => ({
  ...{ kind: "acquire", id: "x", ticket, receipt },
  ask: { ...ask, ...more },
});
export const release = (
  ticket: string,
  more: RowRequest<"release">["release"] = {},
): RowRequest<"release"> => ({
  ...{ kind: "release", id: "x", ticket, receipt, attempt },
  release: more,
});
export const write = (ticket: string | null, what = save("new")): RowRequest<"write"> => ({
  ...{ kind: "write", id: "x", write: what, ticket, receipt, attempt },
});

export const put = {
  lock: (row: LockRow | null, id = "x") => ({ kind: "lock", id, row }),
  waiter: (row: WaiterRow) => ({ kind: "waiter", id: "x", ticket: row.ticket, row }),
  stamp: (last: number) => ({ kind: "stamp", last }),
  receipt: (reply: Recorded) => ({ kind: "receipt", receipt, reply }),
};
export const removed = (ticket: string) => ({ kind: "waiter", id: "x", ticket, row: null });
export const granted = { status: "granted", fence: micros, fences: 1, leaseMs: 30_000, waiting: 0 };
export const grantTo = (ticket: string) => lockOf(ticket, { fence: micros, since: now });

// Locks that are held in shares.

export const shared = { share: { kind: "shared" } } as const;
export const permits = (weight: number, limit: number | null = null) =>
  ({ share: { kind: "permits", weight, limit } }) as const;

export const holderOf = (ticket: string, more: Partial<HolderRow> = {}): HolderRow => ({
  ...lockOf(ticket),
  weight: 0,
  ...more,
});
/** The sum of these, as decisions keep it. */
export const sumOf = (holders: readonly HolderRow[], more: Partial<SharesRow> = {}): SharesRow => {
  const ends = holders.map(({ since, leaseMs }) => since + leaseMs);
  const since = Math.max(...holders.map((row) => row.since));
  return {
    ticket: null,
    generation: Math.min(...holders.map(({ fence }) => fence)),
    holders: holders.length,
    used: holders.reduce((sum, { weight }) => sum + weight, 0),
    since,
    leaseMs: Math.max(...ends) - since,
    firstEndsAt: Math.min(...ends),
    ...more,
  };
};
export const heldBy = (...holders: readonly HolderRow[]): Stored => ({
  locks: { x: sumOf(holders) },
  holders: { x: holders },
});
export const semaphoreOf = (limit: number, more: Partial<SemaphoreRow> = {}): Pick<Stored, "semaphores"> => ({
  semaphores: { x: { limit, created: limit, keepUntil: now + 200_000_000, ...more } },
});
export const putHolder = (row: HolderRow) => ({ kind: "holder", id: "x", ticket: row.ticket, row });
export const removedHolder = (ticket: string) => ({ kind: "holder", id: "x", ticket, row: null });
export const putSum = (row: SharesRow | null) => ({ kind: "lock", id: "x", row });
export const fresh = (ticket: string, more: Partial<HolderRow> = {}): HolderRow =>
  holderOf(ticket, { fence: micros, since: now, ...more });
export const change = (what: RowRequest<"semaphore">["change"]): RowRequest<"semaphore"> => ({
  ...{ kind: "semaphore", id: "x", change: what, receipt, attempt },
});
export const resize = (limit: number, created: number | null = null) =>
  change({ kind: "resize", limit, created });
