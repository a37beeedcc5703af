// Decisions about semaphores [L13].

import { describe, expect, test } from "vitest";

import { semaphoreKeepMs } from "../../../src/backends/contract-shares.ts";
import {
  now,
  micros,
  waiterOf,
  decideOn,
  acquire,
  release,
  put,
  removed,
  granted,
  permits,
  holderOf,
  sumOf,
  heldBy,
  semaphoreOf,
  putHolder,
  putSum,
  fresh,
  change,
  resize,
  type Stored,
} from "./rows-by-hand.ts";

const hourMs = 3_600_000;

describe("permits", () => {
  test("[L13] the first ask makes the semaphore", () => {
    const row = fresh("a", { weight: 2 });
    const semaphore = { limit: 3, created: 3, keepUntil: now + semaphoreKeepMs + hourMs };
    expect(decideOn({}, acquire("a", permits(2, 3)))).toEqual({
      reply: granted,
      changes: [
        putHolder(row),
        { kind: "semaphore", id: "x", row: semaphore },
        putSum(sumOf([row])),
        put.stamp(micros),
      ],
      wakes: [],
    });
  });

  test.each([
    ["no semaphore, no number", {}, permits(1), { limit: null, created: null }],
    ["no semaphore, a weight above the number", {}, permits(4, 3), { limit: null, created: null }],
    ["another number", semaphoreOf(5, { created: 3 }), permits(1, 4), { limit: 5, created: 3 }],
    ["a weight above the limit", semaphoreOf(3), permits(4), { limit: 3, created: 3 }],
    [
      "a semaphore that has ended",
      semaphoreOf(3, { keepUntil: now }),
      permits(1),
      { limit: null, created: null },
    ],
  ] satisfies [string, Stored, object, object][])("[L13] a mismatch: %s", (_, stored, wish, numbers) => {
    const { reply, wakes } = decideOn(stored, acquire("a", wish));
    expect([reply, wakes]).toEqual([{ status: "mismatch", ...numbers }, []]);
  });

  test("[L13] a ticket that waits goes on waiting when the limit is another than it names", () => {
    const stored = {
      ...{ ...heldBy(holderOf("a", { weight: 3 })), ...semaphoreOf(5, { created: 3 }) },
      queues: { x: [waiterOf("b", { weight: 4 })] },
    };
    expect(decideOn(stored, acquire("b", permits(4, 4))).reply).toMatchObject({ status: "waiting" });
    expect(decideOn(stored, acquire("c", permits(4, 4))).reply).toMatchObject({ status: "mismatch" });
  });

  test("[L13] what is left is what the weights of the others leave", () => {
    const stored = { ...heldBy(holderOf("a", { weight: 2 })), ...semaphoreOf(3) };
    expect(decideOn(stored, acquire("b", permits(1, 3))).reply).toMatchObject({ status: "granted" });
    const { reply, wakes } = decideOn(stored, acquire("b", permits(2, 3)));
    expect([reply, wakes]).toMatchObject([{ status: "waiting", holders: 1, ahead: 0 }, []]);
  });

  test("[L13] a small ask waits behind a big one, and both are served when both fit", () => {
    const holder = holderOf("a", { weight: 3 });
    const queue = [waiterOf("big", { weight: 2 }), waiterOf("small", { weight: 1 })];
    const stored = { ...heldBy(holder), ...semaphoreOf(4), queues: { x: queue } };
    expect(decideOn(stored, acquire("c", permits(1))).reply).toMatchObject({ status: "waiting", ahead: 2 });
    const { wakes } = decideOn(stored, release("a"));
    expect(wakes).toMatchObject([
      { kind: "granted", ticket: "big", waiting: 0 },
      { kind: "granted", ticket: "small", waiting: 0 },
    ]);
  });

  test("[L13] a smaller limit: too heavy asks are removed and woken; holders stay", () => {
    const queue = [waiterOf("heavy", { weight: 3 }), waiterOf("light", { weight: 1 })];
    const stored = { ...heldBy(holderOf("a", { weight: 1 })), ...semaphoreOf(3), queues: { x: queue } };
    const { reply, changes, wakes } = decideOn(stored, resize(2));
    expect(reply).toEqual({ status: "resized" });
    expect(wakes).toMatchObject([
      { kind: "ask", ticket: "heavy" },
      { kind: "granted", ticket: "light" },
    ]);
    expect(changes[0]).toEqual(removed("heavy"));
    const over = { ...heldBy(holderOf("a", { weight: 3 })), ...semaphoreOf(3) };
    expect(decideOn(over, resize(2)).changes.map(({ kind }) => kind)).toEqual(["receipt", "semaphore"]);
  });

  test("[L13] a delete is refused while permits are held or waited for, and otherwise done", () => {
    const remove = change({ kind: "delete" });
    expect(decideOn({ ...heldBy(holderOf("a", { weight: 1 })), ...semaphoreOf(3) }, remove).reply).toEqual({
      status: "busy",
    });
    expect(decideOn(semaphoreOf(3), remove)).toEqual({
      reply: { status: "removed" },
      changes: [put.receipt({ status: "removed" }), { kind: "semaphore", id: "x", row: null }],
      wakes: [],
    });
    expect(decideOn({}, remove).reply).toEqual({ status: "absent" });
  });

  test("[L13] a long lease extends the semaphore's life, a short one does not write it", () => {
    const stored = semaphoreOf(3, { keepUntil: now + semaphoreKeepMs + hourMs });
    const kinds = (leaseMs: number) =>
      decideOn(stored, acquire("a", { ...permits(1), leaseMs })).changes.map(({ kind }) => kind);
    expect(kinds(hourMs)).toEqual(["holder", "lock", "stamp"]);
    expect(kinds(hourMs + 1)).toEqual(["holder", "semaphore", "lock", "stamp"]);
  });
});
