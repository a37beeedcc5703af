// What is decided over rows, without a store: a plain view of frozen rows, a request and a time go in, plain data comes out.

import { describe, expect, test } from "vitest";

import type { RowRequest } from "../../../src/backends/rows/request-types.ts";
import type { Moment } from "../../../src/backends/rows/row-types.ts";
import { remove, save, bytesOf } from "../../../src/testing/contract-client.ts";
import {
  now,
  micros,
  moment,
  receipt,
  attempt,
  lockOf,
  waiterOf,
  stateOf,
  decideOn,
  acquire,
  release,
  write,
  put,
  removed,
  granted,
  grantTo,
  type Stored,
} from "./rows-by-hand.ts";

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
    reply: { status: "busy", holder: { token: "a", foreign: false }, retryInMs: 29_990, ahead: 1 },
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
      put.waiter(waiterOf("b", { passedOver: true })),
      put.waiter(waiterOf("c", { askedAt: now, leaseMs: 30_000, fences: 1 })),
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
    reply: { status: "busy", holder: { token: "a", foreign: false }, retryInMs: 30_000, ahead: 1 },
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
    reply: { status: "busy" },
  },
  {
    name: "[S5] what was recorded is answered again",
    stored: { receipts: { 1: { n: 7, reply: { status: "saved", revision: 12 } } } },
    request: write(null),
    reply: { status: "saved", revision: 12 },
  },
  {
    name: "[S5] a late copy is forgotten",
    stored: { receipts: { 1: { n: 8, reply: { status: "deleted", existed: true } } } },
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
    stored: { receipts: { 2: { n: 3, reply: { status: "deleted", existed: true } } } },
    request: { ...write(null), attempt: { retry: true, proof: { sequence: 2, n: 4 } } },
    reply: { status: "forgotten" },
  },
  {
    name: "[S5] a retry whose proof is there is carried out",
    stored: { receipts: { 2: { n: 5, reply: { status: "deleted", existed: false } } } },
    request: {
      ...{ ...write(null), write: remove() },
      attempt: { retry: true, proof: { sequence: 2, n: 4 } },
    },
    reply: { status: "deleted", existed: false },
    changes: [{ kind: "state", id: "x", row: null }, put.receipt({ status: "deleted", existed: false })],
  },
  {
    name: "[S5] the refusal of a retry is recorded",
    stored: { locks: { x: lockOf("b") } },
    request: { ...write(null), attempt: { retry: true, proof: undefined } },
    reply: { status: "busy" },
    changes: [put.receipt({ status: "busy" })],
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
    request: { kind: "touch", id: "x", touch: { ttlMs: 5 }, receipt, attempt },
    reply: { status: "absent" },
  },
  {
    name: "[S2] a delete gives out no stamp",
    stored: { states: { x: stateOf("old") } },
    request: { ...write(null), write: remove({ ifRevision: 40 }) },
    reply: { status: "deleted", existed: true },
    changes: [{ kind: "state", id: "x", row: null }, put.receipt({ status: "deleted", existed: true })],
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
