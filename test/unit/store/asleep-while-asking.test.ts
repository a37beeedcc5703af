// The machine sleeps while a caller asks for a lock or waits for one: what it is granted then may be another's by now.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { nodeTime } from "../../../src/time/node-time.ts";
import { useTimeSource } from "../../../src/timers.ts";
import { open, type Grant, type Store } from "../../../src/index.ts";
import { FaultyBackend } from "../../../src/testing/index.ts";

let memory: Memory;
let faults: FaultyBackend;
let store: Store;
let other: Store;

beforeEach(() => {
  memory = new Memory();
  faults = new FaultyBackend(new MemoryBackend({ memory }));
  store = open(faults, { leaseMs: 3_600_000, waitMs: 100 });
  other = open(new MemoryBackend({ memory }), { leaseMs: 3_600_000 });
});

afterEach(async () => {
  useTimeSource(nodeTime);
  await Promise.all([store.close(), other.close()]);
});

/** The wall clock is two hours ahead of where the monotonic clock says that it should be. */
function sleep(): void {
  useTimeSource({ ...nodeTime, wallNow: () => nodeTime.wallNow() + 7_200_000 });
}

const asks = (): number => faults.calls.filter(({ method }) => method === "acquireLock").length;

test("[L5] a grant whose reply arrives after the sleep is not handed out: the lock may be another's", async () => {
  let theirs: Grant | undefined;
  faults.once("acquireLock", async ({ carryOut }) => {
    const reply = await carryOut();
    memory.locks.delete("x"); // its lease ended
    theirs = await other.lock("x").acquire();
    sleep();
    return reply;
  });
  await expect(store.lock("x").acquire()).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
  expect(await theirs?.release()).toBe(true);
});

test("[L5] if it is still its own, the caller has it after one more ask", async () => {
  faults.once("acquireLock", async ({ carryOut }) => {
    const reply = await carryOut();
    sleep();
    return reply;
  });
  await using grant = await store.lock("x").acquire();
  expect(grant.signal.aborted).toBe(false);
  expect(asks()).toBe(2);
});

test("[L5] a waiter that is woken after the sleep asks whether the lock is still its own", async () => {
  const theirs = await other.lock("x").acquire();
  const waiting = store.lock("x").acquire({ waitMs: 60_000 });
  await vi.waitFor(() => expect(asks()).toBe(1));
  await vi.waitFor(() => expect(memory.locks.get("x")).toBeDefined());
  sleep();
  await theirs.release();
  await using grant = await waiting;
  expect(asks()).toBe(2);
  expect(grant.signal.aborted).toBe(false);
});

test("[L5] [L14] locks that were had before the sleep are renewed before the set of them is handed out", async () => {
  const theirs = await other.lock("b").acquire();
  const both = store.lockAll(["a", "b"]).acquire({ waitMs: 60_000 });
  await vi.waitFor(() => expect(asks()).toBe(3)); // both are tried, then it waits for the second
  memory.locks.delete("a"); // its lease ended
  faults.once("renewLocks", async ({ carryOut }) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return carryOut();
  });
  sleep();
  await theirs.release();
  await expect(both).rejects.toMatchObject({ code: "LOCK_LOST" });
});
