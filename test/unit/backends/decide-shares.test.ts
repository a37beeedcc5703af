// Decisions about locks that readers share [L12], and what is read of the holders of any lock that is held in shares.

import { describe, expect, test } from "vitest";

import { decide } from "../../../src/backends/rows/decide.ts";
import type { RowRequest } from "../../../src/backends/rows/request-types.ts";
import { save } from "../../../src/testing/contract-client.ts";
import {
  now,
  micros,
  moment,
  receipt,
  attempt,
  rules,
  lockOf,
  waiterOf,
  viewOf,
  decideOn,
  acquire,
  release,
  write,
  put,
  removed,
  granted,
  shared,
  permits,
  holderOf,
  sumOf,
  heldBy,
  semaphoreOf,
  putHolder,
  removedHolder,
  putSum,
  fresh,
  type Stored,
} from "./rows-by-hand.ts";

describe("readers", () => {
  test("[L12] the first reader: its row, and the sum in place of the lock's row", () => {
    const row = fresh("a");
    expect(decideOn({}, acquire("a", shared))).toEqual({
      reply: granted,
      changes: [putHolder(row), putSum(sumOf([row])), put.stamp(micros)],
      wakes: [],
    });
  });

  test("[L12] one more reader is added to the sum", () => {
    const [one, two] = [holderOf("a"), fresh("b")];
    const { reply, changes } = decideOn(heldBy(one), acquire("b", shared));
    expect(reply).toEqual(granted);
    expect(changes).toEqual([putHolder(two), putSum(sumOf([one, two])), put.stamp(micros)]);
  });

  test("[S5] a repeated ask renews that reader, and counts it once", () => {
    const [one, two] = [holderOf("a"), holderOf("b", { fence: 60 })];
    const { reply, changes } = decideOn(heldBy(one, two), acquire("b", shared));
    expect(reply).toMatchObject({ status: "granted", fence: 60 });
    const renewed = { ...two, since: now };
    expect(changes).toEqual([putHolder(renewed), putSum(sumOf([one, renewed]))]);
  });

  test("[L12] a writer waits, and every reader hears of it", () => {
    const [one, two] = [holderOf("a", { leaseMs: 500 }), holderOf("b", { fence: 60 })];
    const { reply, wakes } = decideOn(heldBy(two, one), acquire("c"));
    expect(reply).toEqual({
      ...{ status: "waiting", holder: { token: "a", foreign: false }, holders: 2, retryInMs: 490, ahead: 0 },
    });
    expect(wakes).toEqual(["a", "b"].map((ticket) => ({ kind: "wanted", id: "x", ticket })));
  });

  test("[L12] a reader behind a writer wakes no one, and without a queue it is only told", () => {
    const stored = { ...heldBy(holderOf("a")), queues: { x: [waiterOf("b")] } };
    expect(decideOn(stored, acquire("c", shared))).toMatchObject({
      reply: { status: "waiting", ahead: 1, holders: 1 },
      wakes: [],
    });
    const tried = decideOn(stored, acquire("c", { ...shared, queue: false }));
    expect(tried).toMatchObject({ reply: { status: "busy", ahead: 1 }, changes: [], wakes: [] });
  });

  test("[L12] [L2] a release serves the readers up to the next writer, who are told that it waits", () => {
    const readers = ["b", "c"].map((ticket) => waiterOf(ticket, { weight: 0, fences: 1 }));
    const stored = {
      locks: { x: lockOf("a") },
      queues: { x: [...readers, waiterOf("w"), waiterOf("d", { weight: 0 })] },
    };
    const { reply, changes, wakes } = decideOn(stored, release("a"));
    const handed = readers.map(({ ticket }, n) =>
      fresh(ticket, { fence: micros + n, leaseMs: 10_000, unconfirmed: true }),
    );
    expect(reply).toEqual({ status: "released", revision: null });
    expect(changes).toEqual([
      put.waiter({ ...readers[0]!, passedOver: true }),
      put.waiter({ ...readers[1]!, passedOver: true }),
      put.receipt({ status: "released", revision: null }),
      ...handed.map(putHolder),
      putSum(sumOf(handed)),
      put.stamp(micros + 1),
    ]);
    expect(wakes).toMatchObject([
      { kind: "granted", ticket: "b", fence: micros, waiting: 2 },
      { kind: "granted", ticket: "c", fence: micros + 1, waiting: 2 },
    ]);
  });

  test("[L10] [L12] an ask after a dead writer: those before and behind the asker that fit are served", () => {
    const stored = {
      locks: { x: lockOf("dead", { since: now - 30_000 }) },
      queues: { x: ["a", "b", "c"].map((ticket) => waiterOf(ticket, { weight: 0, fences: 1 })) },
    };
    const { reply, wakes } = decideOn(stored, acquire("b", shared));
    expect(reply).toEqual({ ...granted, fence: micros + 1 });
    expect(wakes).toMatchObject([
      { kind: "granted", ticket: "a", fence: micros, waiting: 0 },
      { kind: "granted", ticket: "c", fence: micros + 2, waiting: 0 },
    ]);
  });

  test("[L7] a writer that gives up lets the next readers in; a reader that gives up, no one", () => {
    const queue = [waiterOf("w"), waiterOf("b", { weight: 0 })];
    const stored = { ...heldBy(holderOf("a")), queues: { x: queue } };
    const cancel = (ticket: string): RowRequest<"cancel"> => ({
      ...{ kind: "cancel", id: "x", ticket, receipt, attempt },
    });
    expect(decideOn(stored, cancel("w"))).toMatchObject({
      reply: { status: "cancelled" },
      wakes: [{ kind: "granted", ticket: "b" }],
    });
    expect(decideOn(stored, cancel("b"))).toEqual({
      reply: { status: "cancelled" },
      changes: [removed("b"), put.receipt({ status: "cancelled" })],
      wakes: [],
    });
  });

  test("[L12] the last reader that leaves frees the lock", () => {
    const { changes } = decideOn(heldBy(holderOf("a")), release("a"));
    expect(changes).toEqual([
      put.receipt({ status: "released", revision: null }),
      removedHolder("a"),
      putSum(null),
    ]);
  });

  test("[L12] a reader whose lease has ended leaves alone, at whatever request", () => {
    const [dead, alive] = [
      holderOf("a", { since: now - 30_000 }),
      holderOf("b", { fence: 60, since: now - 20_000 }),
    ];
    const { reply, changes } = decideOn(heldBy(dead, alive), {
      ...{ kind: "renew", entries: [{ id: "x", ticket: "a", leaseMs: 5 }] },
    });
    expect(reply).toEqual(["lost"]);
    const sum = sumOf([alive], { generation: 50, since: now, leaseMs: 10_000 });
    expect(changes).toEqual([removedHolder("a"), putSum(sum)]);
  });

  test("[L10] the clock was set back: each lease lasts its length from now", () => {
    const rows = [holderOf("a", { since: now + 500 }), holderOf("b", { fence: 60, leaseMs: 1_000 })];
    const { reply, changes } = decideOn(heldBy(...rows), acquire("c", { queue: false }));
    expect(reply).toMatchObject({ status: "busy", holder: { token: "b" }, retryInMs: 990 });
    const rebased = { ...rows[0]!, since: now };
    const sum = sumOf([rebased, rows[1]!], { since: now, leaseMs: 30_000 });
    expect(changes).toEqual([putHolder(rebased), putSum(sum)]);
  });

  test("[S4] [S8] nothing is written while readers hold the lock", () => {
    const stored = heldBy(holderOf("a"));
    expect(decideOn(stored, write(null)).reply).toEqual({ status: "busy" });
    expect(decideOn(stored, write("a")).reply).toEqual({ status: "lost" });
    const released = decideOn(stored, release("a", { write: save("new") }));
    expect(released).toEqual({ reply: { status: "lost" }, changes: [], wakes: [] });
  });
});

describe("reading", () => {
  const thousand = Array.from({ length: 1_000 }, (_, n) => holderOf(`h${String(n)}`, { weight: 1 }));
  const stored = { ...heldBy(...thousand), ...semaphoreOf(2_000) };
  const renewing = { kind: "renew", entries: [{ id: "x", ticket: "h1", leaseMs: 9 }] } as const;
  test.each([
    ["a grant", acquire("b", permits(1)), ["receipt", "lock", "holder", "semaphore", "waiters", "stamp"]],
    [
      "a wait",
      acquire("b", permits(1_500)),
      ["receipt", "lock", "holder", "semaphore", "waiters", "firstHolder"],
    ],
    ["a release", release("h1"), ["receipt", "lock", "holder", "waiters"]],
    ["a renewal", renewing, ["lock", "holder", "semaphore"]],
  ] satisfies [string, RowRequest, string[]][])(
    "%s reads one of a thousand holders",
    (_, request, expected) => {
      const reads: string[] = [];
      decide(viewOf(stored, reads), request, moment);
      expect(reads).toEqual(expected);
    },
  );

  test("[L2] a repeated ask is only read, unless it would change something", () => {
    const peek = (what: Stored) =>
      decideOn(
        what,
        { kind: "peek", id: "x", ticket: "b", receipt },
        { ...moment, rules: { ...rules, wakes: false } },
      );
    const queue = [waiterOf("w"), waiterOf("b", { weight: 0 })];
    const waits = { ...heldBy(holderOf("a")), queues: { x: queue } };
    expect(peek(waits)).toMatchObject({ reply: { status: "waiting", ahead: 1, holders: 1 }, changes: [] });
    const gone = [waiterOf("w", { askedAt: 0 }), waiterOf("b", { weight: 0 })];
    expect(peek({ ...waits, queues: { x: gone } })).toMatchObject({ reply: undefined, changes: [] });
    const ended = { ...heldBy(holderOf("a"), holderOf("c", { since: now - 30_000 })), queues: { x: queue } };
    expect(peek(ended)).toMatchObject({ reply: undefined, changes: [] });
  });

  test("[L12] [L13] what is seen from outside changes nothing, and leaves out what has ended", () => {
    const rows = [
      holderOf("a", { weight: 2, fences: 3 }),
      holderOf("b", { weight: 1, fence: 60, since: now - 30_000 }),
      holderOf("c", { weight: 1, fence: 70, leaseMs: 500 }),
    ];
    const seen = { ...heldBy(...rows), ...semaphoreOf(5), queues: { x: [waiterOf("d", { weight: 2 })] } };
    const holders = [
      { token: "a", fence: 50, lastFence: 52, weight: 2, expiresInMs: 29_990 },
      { token: "c", fence: 70, lastFence: 70, weight: 1, expiresInMs: 490 },
    ];
    expect(decideOn(seen, { kind: "inspectSemaphore", id: "x" })).toEqual({
      reply: { id: "x", limit: 5, created: 5, holders, waiters: 1 },
      changes: [],
      wakes: [],
    });
    expect(decideOn(seen, { kind: "inspect", id: "x" }).reply).toEqual({
      ...{ id: "x", holder: { token: "c", foreign: false }, fence: 70, lastFence: 70 },
      ...{ expiresInMs: 490, waiters: 1, shares: holders, heldForMs: expect.any(Number) as number },
    });
  });
});
