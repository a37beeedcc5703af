// Decisions over rows: what they read, what they leave alone, and requests of several ids.

import { describe, expect, test } from "vitest";

import { decide } from "../../../src/backends/rows/decide.ts";
import type { RowRequest } from "../../../src/backends/rows/request-types.ts";
import { save } from "../../../src/testing/contract-client.ts";
import {
  now,
  moment,
  receipt,
  attempt,
  rules,
  lockOf,
  waiterOf,
  stateOf,
  viewOf,
  decideOn,
  acquire,
  release,
  write,
  put,
  removed,
} from "./rows-by-hand.ts";

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
  test("[S7] who is handed the lock finds what a touch in the same step has ended absent, or else there", () => {
    const stored = {
      states: { x: stateOf("old") },
      locks: { x: lockOf("a") },
      queues: { x: [waiterOf("b", { load: true })] },
    };
    const foundAfter = (until: number): unknown => {
      const { reply, wakes } = decideOn(stored, release("a", { write: { kind: "touch", ttlMs: { until } } }));
      expect(reply).toMatchObject({ status: "released", revision: stored.states.x.revision });
      return (wakes[0] as { state?: unknown }).state;
    };
    expect(foundAfter(now)).toBeNull();
    expect(foundAfter(now + 1)).toMatchObject({ revision: stored.states.x.revision });
  });

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
    { kind: "peek", id: "x", ticket: "b", receipt },
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
