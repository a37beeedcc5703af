// What must stay as it is however long a process lives: what contexts inherit, what a sleep of the machine leaves, and how a turn that
// goes on for long is bounded.

import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test, vi } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { nodeTime } from "../../../src/time/node-time.ts";
import { useTimeSource } from "../../../src/timers.ts";
import { open, type Store } from "../../../src/index.ts";
import { FaultyBackend } from "../../../src/testing/index.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

describe("a loop that schedules its next round from inside its own lock", () => {
  /** Rounds, each begun by a task that the last one left behind. */
  async function rounds(store: Store, count: number, idOf: (n: number) => string): Promise<void> {
    for (let n = 0; n < count;) {
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          if (n++ === count) return resolve();
          store
            .lock(idOf(n))
            .run(() => void setImmediate(next))
            .catch(reject);
        };
        next();
      });
    }
  }

  test.each([
    ["one lock", () => "loop"],
    ["a lock of its own for each round", (n: number) => `loop:${String(n)}`],
  ])("[L4] memory stays flat: %s", { timeout: 60_000 }, async (_, idOf) => {
    await using store = open("memory:");
    await rounds(store, 3_000, idOf);
    collect();
    const before = process.memoryUsage().heapUsed;
    await rounds(store, 12_000, idOf);
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000); // 0.6 KiB a round were 7 MB
  });

  test("[L4] a task that outlived its grant, and many locks since, does not hold it", async () => {
    await using store = open("memory:");
    const state = store.state("outlived", { initial: () => 0 });
    const left = await store.lock("outlived").run(() => AsyncLocalStorage.snapshot());
    const inside = (depth: number): Promise<void> =>
      depth === 0
        ? expect(state.save(1)).rejects.toMatchObject({ code: "LOCK_LOST" })
        : store.lock(`later:${String(depth)}`).run(() => inside(depth - 1));
    await left(() => inside(40)); // live ones in between hide nothing
  });
});

test("[P1] async resources of calls that have settled are destroyed", async () => {
  const alive = new Set<number>();
  const hook = createHook({
    init: (id, type) => {
      if (type.startsWith("Holdfast")) alive.add(id);
    },
    destroy: (id) => {
      alive.delete(id);
    },
  }).enable();
  await using store = open("memory:");
  const state = store.state("x", { initial: () => 0 });
  const calls = [
    ...Array.from({ length: 100 }, () => state.update((n) => n + 1)),
    ...Array.from({ length: 10 }, () => state.update(() => Promise.reject(new Error("mine")))),
    state.save(1),
    state.delete(),
    state.trySave(2, { ifRevision: 1 }),
  ];
  await Promise.allSettled(calls);
  await state.save(3); // alone
  const held = await store.lock("x").acquire();
  await expect(state.save(4, { waitMs: 0 })).rejects.toThrow();
  await held.release();
  await vi.waitFor(() => expect(alive.size).toBe(0));
  hook.disable();
});

describe("the machine sleeps: its monotonic clock stands still, and the wall clock does not", () => {
  afterEach(() => {
    useTimeSource(nodeTime);
  });

  /** The wall clock is `ms` ahead of where the monotonic clock says that it should be. */
  function sleep(ms: number): void {
    useTimeSource({ ...nodeTime, wallNow: () => nodeTime.wallNow() + ms });
  }

  test("[L5] awake again, a grant that was lost meanwhile is known to be long before its renewal was due", async () => {
    const memory = new Memory();
    const faults = new FaultyBackend(new MemoryBackend({ memory }));
    await using store = open(faults, { leaseMs: 3_600_000 });
    const grant = await store.lock("x").acquire();
    memory.locks.delete("x"); // its lease ended
    sleep(7_200_000);
    await vi.waitFor(() => expect(grant.signal.aborted).toBe(true), { timeout: 15_000 });
    expect(await grant.release()).toBe(false);
  });

  /** Another process gets the lock while the machine sleeps; this one has a renewal under way that is not answered yet. */
  async function lostAsleep(): Promise<{ memory: Memory; faults: FaultyBackend; store: Store }> {
    const memory = new Memory();
    const faults = new FaultyBackend(new MemoryBackend({ memory }));
    const store = open(faults, { leaseMs: 3_600_000, waitMs: 60 });
    return { memory, faults, store };
  }

  test("[L5] awake again, the next caller of this process does not get the lock without asking", async () => {
    const { memory, store } = await lostAsleep();
    const other = open(new MemoryBackend({ memory }));
    const grant = await store.lock("x").acquire();
    const next = store.lock("x").run(() => "in");
    memory.locks.delete("x"); // its lease ended
    const theirs = await other.lock("x").acquire();
    sleep(7_200_000);
    expect(await grant.release()).toBe(false);
    await expect(next).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
    expect(await theirs.release()).toBe(true);
    await Promise.all([store.close(), other.close()]);
  });

  test("[L4] [L5] awake again, a re-entry waits for the renewal: refused if the lock was lost, granted if not", async () => {
    const { memory, store } = await lostAsleep();
    await using kept = await store.lock("y").acquire();
    const lost = await store.lock("x").acquire();
    memory.locks.delete("x");
    sleep(7_200_000);
    await expect(store.lock("x").acquire({ grant: lost })).rejects.toMatchObject({ code: "LOCK_LOST" });
    await using again = await store.lock("y").acquire({ grant: kept });
    expect(again.fence).toBe(kept.fence);
    expect(lost.signal.aborted).toBe(true);
    expect(kept.signal.aborted).toBe(false);
    await again.release();
    await kept.release();
    await store.close();
  });

  test("[L5] a clock that was merely set costs a renewal, and changes nothing", async () => {
    const faults = new FaultyBackend(new MemoryBackend());
    await using store = open(faults, { leaseMs: 3_600_000 });
    const grant = await store.lock("x").acquire();
    sleep(7_200_000);
    const renewals = () => faults.calls.filter(({ method }) => method === "renewLocks").length;
    await vi.waitFor(() => expect(renewals()).toBe(1), { timeout: 15_000 });
    expect(grant.signal.aborted).toBe(false);
    expect(await grant.release()).toBe(true);
  });
});

test("[L2] a turn that began before wakes reached us is served as generously as any, once they do", async () => {
  const backend = Object.assign(new MemoryBackend(), { askAgainMs: 250, pushes: false }); // nobody would tell us that others wait
  const faults = new FaultyBackend(backend);
  await using store = open(faults, { waitMs: 60_000 });
  const lock = store.lock("x");
  const rounds = 40;
  const caller = async (): Promise<void> => {
    for (let n = 0; n < rounds; n += 1) {
      await lock.run(() => undefined);
      Object.assign(backend, { askAgainMs: 5_000, pushes: true });
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
  const releases = faults.calls.filter(({ method }) => method === "releaseLock").length;
  expect(releases).toBeLessThan(2.5 * rounds); // 16 at a time would be four for each round
});
