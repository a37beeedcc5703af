// What is decided over rows, without a store: a plain view of frozen rows, a request and a time go in, plain data comes out.

import { describe, expect, test } from "vitest";

import { decide } from "../../../src/backends/rows/decide.ts";
import type { Decision, Kind, RowRequest } from "../../../src/backends/rows/requests.ts";
import type {
  LockRow,
  Moment,
  ReceiptRow,
  Recorded,
  Rows,
  StateRow,
  WaiterRow,
} from "../../../src/backends/rows/row-types.ts";
import { remove, save, bytesOf } from "../../../src/testing/contract-client.ts";

interface Stored {
  readonly stamp?: number;
  readonly states?: Readonly<Record<string, StateRow>>;
  readonly locks?: Readonly<Record<string, LockRow>>;
  readonly queues?: Readonly<Record<string, readonly WaiterRow[]>>;
  readonly receipts?: Readonly<Record<number, ReceiptRow>>;
}

const now = 1_000_000;
const micros = now * 1_000;
const rules = { limits: { askLimitMs: 12_000, handOverMs: 10_000 }, grainMs: 0, wakes: true };
const moment: Moment = { now, micros, rules };
const receipt = { sequence: 1, n: 7, keepMs: 60_000 };
const attempt = { retry: false, proof: undefined };
const ask = { leaseMs: 30_000, queue: true, load: false, fences: 1 };

const lockOf = (ticket: string, more: Partial<LockRow> = {}): LockRow => ({
  ...{ ticket, fence: 50, fences: 1, since: now - 10, leaseMs: 30_000, unconfirmed: false },
  ...more,
});
const waiterOf = (ticket: string, more: Partial<WaiterRow> = {}): WaiterRow => ({
  ...{ ticket, askedAt: now - 10, leaseMs: 20_000, fences: 2, load: false, passedOver: false },
  ...more,
});
const stateOf = (value: string, more: Partial<StateRow> = {}): StateRow => ({
  ...{ revision: 40, serializer: "json", bytes: bytesOf(value), expiresAt: null },
  ...more,
});

/** Frozen, since a decision changes nothing; `reads` is what it looked at. */
function viewOf(stored: Stored, reads: string[] = []): Rows {
  const { stamp = 0, states = {}, locks = {}, queues = {}, receipts = {} } = freeze(stored);
  const read = <T>(name: string, value: T): T => {
    reads.push(name);
    return value;
  };
  return {
    stamp: () => read("stamp", stamp),
    stateHead: (id) => read("stateHead", states[id]),
    state: (id) => read("state", states[id]),
    lock: (id) => read("lock", locks[id]),
    waiters: (id) => read("waiters", queues[id] ?? []),
    receipt: (sequence) => read("receipt", receipts[sequence]),
  };
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}

const decideOn = <K extends Kind>(stored: Stored, request: RowRequest<K>, at: Moment = moment): Decision<K> =>
  decide(viewOf(stored), freeze(request), at);

const acquire = (ticket: string, more: Partial<typeof ask> = {}): RowRequest<"acquire"> => ({
  ...{ kind: "acquire", id: "x", ticket, receipt },
  ask: { ...ask, ...more },
});
const release = (ticket: string, more: RowRequest<"release">["release"] = {}): RowRequest<"release"> => ({
  ...{ kind: "release", id: "x", ticket, receipt, attempt },
  release: more,
});
const write = (ticket: string | null, what = save("new")): RowRequest<"write"> => ({
  ...{ kind: "write", id: "x", write: what, ticket, receipt, attempt },
});

const put = {
  lock: (row: LockRow | null, id = "x") => ({ kind: "lock", id, row }),
  waiter: (row: WaiterRow) => ({ kind: "waiter", id: "x", ticket: row.ticket, row }),
  stamp: (last: number) => ({ kind: "stamp", last }),
  receipt: (reply: Recorded) => ({ kind: "receipt", receipt, reply }),
};
const removed = (ticket: string) => ({ kind: "waiter", id: "x", ticket, row: null });
const granted = { status: "granted", fence: micros, fences: 1, leaseMs: 30_000, waiting: 0 };
const grantTo = (ticket: string) => lockOf(ticket, { fence: micros, since: now });

interface Case {
  readonly name: string;
  readonly stored?: Stored;
  readonly request: RowRequest;
  readonly at?: Partial<Moment>;
  readonly reply: unknown;
  readonly changes?: readonly unknown[];
  readonly wakes?: readonly unknown[];
}

const acquiring: readonly Case[] = [
  {
    name: "[L1] a free lock is granted",
    request: acquire("a"),
    reply: granted,
    changes: [put.lock(grantTo("a")), put.stamp(micros)],
  },
  {
    name: "[L3] fences rise though the clock does not",
    stored: { stamp: micros + 5 },
    request: acquire("a", { fences: 3 }),
    reply: { ...granted, fence: micros + 6, fences: 3 },
    changes: [put.lock({ ...grantTo("a"), fence: micros + 6, fences: 3 }), put.stamp(micros + 8)],
  },
  {
    name: "[S5] the holder gets the same grant again, with its full lease",
    stored: { locks: { x: lockOf("a") } },
    request: acquire("a"),
    reply: { ...granted, fence: 50 },
    changes: [put.lock(lockOf("a", { since: now }))],
  },
  {
    name: "[S5] a ticket that was released is settled",
    stored: { receipts: { 1: { n: 7, reply: { status: "released", revision: null } } } },
    request: acquire("a"),
    reply: { status: "settled" },
  },
  {
    name: "[L2] a held lock: the ticket waits, and the holder is woken for the first of them",
    stored: { locks: { x: lockOf("a") } },
    request: acquire("b"),
    reply: { status: "waiting", holder: { token: "a", foreign: false }, retryInMs: 29_990, ahead: 0 },
    changes: [put.waiter(waiterOf("b", { askedAt: now, leaseMs: 30_000, fences: 1 }))],
    wakes: [{ kind: "wanted", id: "x", ticket: "a" }],
  },
  {
    name: "[L2] without a queue it is only told",
    stored: { locks: { x: lockOf("a") }, queues: { x: [waiterOf("b")] } },
    request: acquire("c", { queue: false }),
    reply: { status: "held", holder: { token: "a", foreign: false }, retryInMs: 29_990, ahead: 1 },
  },
  {
    name: "[L10] an expired lock with no queue is granted anew, as one change",
    stored: { locks: { x: lockOf("a", { since: now - 30_000 }) } },
    request: acquire("b"),
    reply: granted,
    changes: [put.lock(grantTo("b")), put.stamp(micros)],
  },
  {
    name: "[L9] [L10] an expired lock with a queue goes to the first that lives, and the asker joins",
    stored: {
      locks: { x: lockOf("a", { since: now - 30_000 }) },
      queues: { x: [waiterOf("gone", { askedAt: now - 12_000 }), waiterOf("b")] },
    },
    request: acquire("c"),
    reply: { status: "waiting", holder: { token: "b", foreign: false }, retryInMs: 10_000, ahead: 0 },
    changes: [
      removed("gone"),
      put.waiter(waiterOf("c", { askedAt: now, leaseMs: 30_000, fences: 1 })),
      put.waiter(waiterOf("b", { passedOver: true })),
      put.lock({ ...grantTo("b"), fences: 2, leaseMs: 10_000, unconfirmed: true }),
      put.stamp(micros + 1),
    ],
    wakes: [{ kind: "granted", id: "x", ticket: "b", fence: micros, fences: 2, leaseMs: 10_000, waiting: 1 }],
  },
  {
    name: "[L10] the clock was set back: lease and asks last their length from now",
    stored: {
      locks: { x: lockOf("a", { since: now + 500 }) },
      queues: { x: [waiterOf("b", { askedAt: now + 500 })] },
    },
    request: acquire("c", { queue: false }),
    reply: { status: "held", holder: { token: "a", foreign: false }, retryInMs: 30_000, ahead: 1 },
    changes: [put.waiter(waiterOf("b", { askedAt: now })), put.lock(lockOf("a", { since: now }))],
  },
];

const releasing: readonly Case[] = [
  {
    name: "[S4] a ticket that does not hold the lock writes and releases nothing",
    stored: { locks: { x: lockOf("a") } },
    request: release("b", { write: save("new") }),
    reply: { status: "lost" },
  },
  {
    name: "[S4] the state is saved before the lock is free",
    stored: { locks: { x: lockOf("a") } },
    request: release("a", { write: save("new") }),
    reply: { status: "released", revision: micros },
    changes: [
      { kind: "state", id: "x", row: stateOf("new", { revision: micros }) },
      put.receipt({ status: "released", revision: micros }),
      put.lock(null),
      put.stamp(micros),
    ],
  },
  {
    name: "[L8] the next waiter is woken with what was just saved",
    stored: {
      states: { x: stateOf("old") },
      locks: { x: lockOf("a") },
      queues: { x: [waiterOf("b", { load: true }), waiterOf("c")] },
    },
    request: release("a", { write: save("new") }),
    reply: { status: "released", revision: micros },
    changes: [
      { kind: "state", id: "x", row: stateOf("new", { revision: micros }) },
      put.waiter(waiterOf("b", { load: true, passedOver: true })),
      put.receipt({ status: "released", revision: micros }),
      put.lock({ ...grantTo("b"), fence: micros + 1, fences: 2, leaseMs: 10_000, unconfirmed: true }),
      put.stamp(micros + 2),
    ],
    wakes: [
      {
        ...{
          kind: "granted",
          id: "x",
          ticket: "b",
          fence: micros + 1,
          fences: 2,
          leaseMs: 10_000,
          waiting: 1,
        },
        state: { revision: micros, serializer: "json", bytes: bytesOf("new") },
      },
    ],
  },
  {
    name: "[L2] it is kept only where no one waits; the stamp is one change",
    stored: { locks: { x: lockOf("a") } },
    request: release("a", { write: save("new"), keep: { leaseMs: 30_000, fences: 4 } }),
    reply: { status: "kept", revision: micros, fence: micros + 1, fences: 4 },
    changes: [
      { kind: "state", id: "x", row: stateOf("new", { revision: micros }) },
      put.receipt({ status: "kept", revision: micros, fence: micros + 1, fences: 4 }),
      put.lock({ ...grantTo("a"), fence: micros + 1, fences: 4 }),
      put.stamp(micros + 4),
    ],
  },
  {
    name: "[L9] a release confirms a hand-over: the holder no longer waits, and does not get the lock again",
    stored: {
      locks: { x: lockOf("a", { unconfirmed: true }) },
      queues: { x: [waiterOf("a", { passedOver: true })] },
    },
    request: release("a"),
    reply: { status: "released", revision: null },
    changes: [removed("a"), put.receipt({ status: "released", revision: null }), put.lock(null)],
  },
  {
    name: "[S2] a conflict leaves lock and state as they are",
    stored: { states: { x: stateOf("old") }, locks: { x: lockOf("a") } },
    request: release("a", { write: { ...save("new"), ifRevision: 39 } }),
    reply: { status: "conflict", revision: 40 },
  },
  {
    name: "[L6] a forced release wakes the holder",
    stored: { locks: { x: lockOf("a") } },
    request: release("a", { forced: { ifFence: 50 } }),
    reply: { status: "released", revision: null },
    changes: [put.receipt({ status: "released", revision: null }), put.lock(null)],
    wakes: [{ kind: "forced", id: "x", ticket: "a" }],
  },
  {
    name: "[L7] a cancelled waiter leaves the queue, and nothing else changes",
    stored: { locks: { x: lockOf("a") }, queues: { x: [waiterOf("b")] } },
    request: { kind: "cancel", id: "x", ticket: "b", receipt, attempt },
    reply: { status: "cancelled" },
    changes: [removed("b"), put.receipt({ status: "cancelled" })],
  },
];

const writing: readonly Case[] = [
  {
    name: "[S8] a write without a ticket waits for no one, and passes no one",
    stored: { queues: { x: [waiterOf("b")] } },
    request: write(null),
    reply: { status: "held" },
  },
  {
    name: "[S5] what was recorded is answered again",
    stored: { receipts: { 1: { n: 7, reply: { status: "saved", revision: 12 } } } },
    request: write(null),
    reply: { status: "saved", revision: 12 },
  },
  {
    name: "[S5] a late copy is forgotten",
    stored: { receipts: { 1: { n: 8, reply: { status: "deleted" } } } },
    request: write(null),
    reply: { status: "forgotten" },
  },
  {
    name: "[S5] a retry whose proof is unknown is forgotten",
    request: { ...write(null), attempt: { retry: true, proof: { sequence: 2, n: 1 } } },
    reply: { status: "forgotten" },
  },
  {
    name: "[S5] a retry whose proof has too small a number is forgotten",
    stored: { receipts: { 2: { n: 3, reply: { status: "deleted" } } } },
    request: { ...write(null), attempt: { retry: true, proof: { sequence: 2, n: 4 } } },
    reply: { status: "forgotten" },
  },
  {
    name: "[S5] a retry whose proof is there is carried out",
    stored: { receipts: { 2: { n: 5, reply: { status: "deleted" } } } },
    request: {
      ...{ ...write(null), write: remove() },
      attempt: { retry: true, proof: { sequence: 2, n: 4 } },
    },
    reply: { status: "deleted" },
    changes: [{ kind: "state", id: "x", row: null }, put.receipt({ status: "deleted" })],
  },
  {
    name: "[S5] the refusal of a retry is recorded",
    stored: { locks: { x: lockOf("b") } },
    request: { ...write(null), attempt: { retry: true, proof: undefined } },
    reply: { status: "held" },
    changes: [put.receipt({ status: "held" })],
  },
  {
    name: "[S6] a state of another serializer is not replaced",
    stored: { states: { x: stateOf("old", { serializer: "v8" }) } },
    request: write(null),
    reply: { status: "unreadable", unreadable: 'a state of the serializer "v8"' },
  },
  {
    name: "[S7] a state that expires now is absent",
    stored: { states: { x: stateOf("old", { expiresAt: now }) } },
    request: { kind: "touch", id: "x", ttlMs: 5, receipt, attempt },
    reply: { status: "absent" },
  },
  {
    name: "[S2] a delete gives out no stamp",
    stored: { states: { x: stateOf("old") } },
    request: { ...write(null), write: remove({ ifRevision: 40 }) },
    reply: { status: "deleted" },
    changes: [{ kind: "state", id: "x", row: null }, put.receipt({ status: "deleted" })],
  },
];

describe.each([
  ["acquire", acquiring],
  ["release and cancel", releasing],
  ["write and touch", writing],
])("%s", (_, cases) => {
  test.each(cases)("$name", ({ stored = {}, request, at = {}, reply, changes = [], wakes = [] }) => {
    expect(decideOn(stored, request, { ...moment, ...at })).toEqual({ reply, changes, wakes });
  });
});

describe("several ids", () => {
  test("[L5] each lock is renewed by itself", () => {
    const stored = {
      locks: { x: lockOf("a"), y: lockOf("b"), z: lockOf("c", { since: now - 30_000 }) },
    };
    const entries = [
      { id: "x", ticket: "a", leaseMs: 9_000 },
      { id: "y", ticket: "other", leaseMs: 9_000 },
      { id: "z", ticket: "c", leaseMs: 9_000 },
    ];
    const { reply, changes } = decideOn(stored, { kind: "renew", entries });
    expect(reply).toEqual(["renewed", "lost", "lost"]);
    expect(changes).toEqual([put.lock(lockOf("a", { since: now, leaseMs: 9_000 })), put.lock(null, "z")]);
  });

  test("[L5] an entry sees what an earlier one of the same id changed", () => {
    const stored = { locks: { x: lockOf("a", { since: now + 500, unconfirmed: true }) } };
    const entries = ["a", "b", "a"].map((ticket, index) => ({ id: "x", ticket, leaseMs: 1_000 + index }));
    const { reply, changes } = decideOn(stored, { kind: "renew", entries });
    expect(reply).toEqual(["renewed", "lost", "renewed"]);
    expect(changes).toEqual([removed("a"), put.lock(lockOf("a", { since: now, leaseMs: 1_002 }))]);
  });
});

describe("reading", () => {
  test.each([
    ["a save reads no bytes", write("a"), ["receipt", "lock", "stateHead", "stamp"]],
    ["an ask that waits reads no stamp and no state", acquire("b"), ["receipt", "lock", "waiters"]],
    [
      "a grant of a free lock reads the queue once",
      { ...acquire("b"), id: "y" },
      ["receipt", "lock", "waiters", "stamp"],
    ],
    [
      "a renewal reads the lock alone",
      { kind: "renew", entries: [{ id: "x", ticket: "a", leaseMs: 1 }] },
      ["lock"],
    ],
    [
      "a cancel of a waiter reads no queue",
      { kind: "cancel", id: "x", ticket: "b", receipt, attempt },
      ["receipt", "lock"],
    ],
  ] satisfies [string, RowRequest, string[]][])("%s", (_, request, expected) => {
    const reads: string[] = [];
    decide(viewOf({ states: { x: stateOf("old") }, locks: { x: lockOf("a") } }, reads), request, moment);
    expect(reads).toEqual(expected);
  });

  test("where nothing can push, no wake is decided on and no state is read for one", () => {
    const reads: string[] = [];
    const stored = { locks: { x: lockOf("a") }, queues: { x: [waiterOf("b", { load: true })] } };
    const at = { ...moment, rules: { ...rules, wakes: false } };
    const { reply, wakes } = decide(viewOf(stored, reads), release("a"), at);
    expect([reply, wakes, reads.includes("state")]).toEqual([
      { status: "released", revision: null },
      [],
      false,
    ]);
  });

  test.each<RowRequest>([
    { kind: "load", id: "x", expiry: true },
    { kind: "inspect", id: "x" },
    { kind: "peek", id: "x", ticket: "b" },
  ])("$kind changes nothing, not even what has ended", (request) => {
    const stored = {
      states: { x: stateOf("old", { expiresAt: now - 1 }) },
      locks: { x: lockOf("a", { since: now - 30_000 }) },
      queues: { x: [waiterOf("b", { askedAt: 0 })] },
    };
    expect(decideOn(stored, request).changes).toEqual([]);
  });

  test("the same input gives the same decision", () => {
    const stored = { locks: { x: lockOf("a") }, queues: { x: [waiterOf("b"), waiterOf("c")] } };
    const request = release("a", { write: save("new") });
    expect(decideOn(stored, request)).toEqual(decideOn(stored, request));
  });
});
