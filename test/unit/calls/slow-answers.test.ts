// Answers and wakes that come late, beyond what a lease or a caller has time for.

import { afterEach, describe, expect, test, vi } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import type { Wake } from "../../../src/backends/contract.ts";
import { open } from "../../../src/index.ts";
import { onFakeTimers } from "../support/on-fake-timers.ts";
import { FaultyBackend, delay, failBefore } from "../../../src/testing/index.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Its wakes come when the test says so. */
class LateWakes extends MemoryBackend {
  #listener: (wake: Wake) => void = () => undefined;
  readonly #late: Wake[] = [];

  override onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
    super.onWake((wake) => this.#late.push(wake));
  }

  askAgain(): void {
    this.#listener({ kind: "again" });
  }

  deliver(): void {
    for (const wake of this.#late.splice(0)) this.#listener(wake);
  }
}

test.each(["before", "after"])(
  "[L1] a wake that comes when its hand-over has lapsed, %s the next ask is answered, is not believed",
  async (moment) => {
    const memory = new Memory();
    const backend = new LateWakes({ memory });
    const faults = new FaultyBackend(backend);
    const mine = open(faults, { leaseMs: 100 });
    const other = open(new MemoryBackend({ memory }));
    const first = await other.lock("x").acquire();
    let entered = false;
    const waiting = mine.lock("x").run(() => (entered = true));
    await expect.poll(async () => (await other.lock("x").inspect())?.waiters).toBe(1);
    await first.release(); // handed to the waiter, for 100 ms; its wake is on its way
    const next = await other.lock("x").acquire(); // came later, and gets the lock when that has lapsed
    if (moment === "before") faults.once("acquireLock", delay(0, 10));
    backend.askAgain();
    await pause(5);
    backend.deliver();
    await pause(10);
    expect(entered).toBe(false);
    await next.release();
    await expect.poll(() => (backend.deliver(), entered)).toBe(true);
    await waiting;
  },
);

describe("a backend whose answers take longer than the lease lasts", () => {
  const slow = (ms: number) => {
    const faults = new FaultyBackend(new MemoryBackend());
    faults.always("acquireLock", delay(ms / 2, ms / 2));
    faults.always("releaseLock", delay(ms / 2, ms / 2));
    return { faults, lock: open(faults).lock("x", { leaseMs: 1_000 }) };
  };

  test("[L7] a grant that is nearly over when it comes is handed out: a renewed one would be as old", async () => {
    const { lock, faults } = slow(800);
    await lock.run(() => undefined, { waitMs: 3_000 });
    expect(faults.calls.filter(({ method }) => method === "releaseLock")).toHaveLength(1);
  });

  test("[L7] grants that are over when they come: whoever has no time left is told", async () => {
    const { lock } = slow(1_500);
    await expect(lock.acquire({ waitMs: 2_000 })).rejects.toMatchObject({
      code: "UNREACHABLE",
      outcome: "none",
    });
    await expect(lock.acquire({ waitMs: 0 })).rejects.toThrow(/leaseMs: 1000/);
  });
});

test("[L5] nobody answers: whoever was there from the beginning fails after one operationMs, not after two", async () => {
  const faults = new FaultyBackend(new MemoryBackend());
  faults.always("any", failBefore());
  const store = open(faults, { operationMs: 3_000 }); // the difference is what a busy machine may take
  const from = performance.now();
  await expect(store.lock("x").acquire()).rejects.toMatchObject({ code: "UNREACHABLE" });
  expect(performance.now() - from).toBeLessThan(6_000);
});

test("[L4] a branch that waits for another one learns that their grant has ended, though the other is never released", async () => {
  const store = open(new MemoryBackend());
  const grant = await store.lock("x").acquire();
  await store.lock("x").acquire({ grant }); // never released
  const waiting = store.lock("x").acquire({ grant, waitMs: Infinity });
  await Promise.all([
    expect(waiting).rejects.toMatchObject({ code: "LOCK_LOST" }),
    expect(grant.release()).resolves.toBe(true),
  ]);
  const saving = store.state("x").save(1, { grant, waitMs: Infinity });
  await expect(saving).rejects.toMatchObject({ code: "LOCK_LOST" });
});

test("[L2] a process that is kept from running between its grant and its caller does not lose its turn", async () => {
  let time = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (time += 12)); // longer than a turn may last
  await onFakeTimers();
  const { open: openAnew } = await import("../../../src/index.ts");
  const memory = new Memory();
  const stores = [1, 2, 3].map(() => openAnew(new MemoryBackend({ memory }), { waitMs: 1e7, leaseMs: 1e7 }));
  const held = await stores[0]!.lock("x").acquire();
  const order: number[] = [];
  const entering = [1, 2].map((n) => stores[n]!.lock("x").run(() => void order.push(n)));
  await expect.poll(async () => (await stores[0]!.lock("x").inspect())?.waiters).toBe(2);
  await held.release();
  await Promise.all(entering);
  expect(order).toEqual([1, 2]);
  await Promise.all(stores.map((store) => store.close()));
  clock.mockRestore();
  vi.resetModules();
});

describe("in virtual time", () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.resetModules();
  });

  test("[L7] whoever gave up has left the queue in the end, though the backend was away for longer than the ask limit", async () => {
    vi.useFakeTimers({
      toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
    });
    await onFakeTimers();
    const [library, testing, rows] = await Promise.all([
      import("../../../src/index.ts"),
      import("../../../src/testing/index.ts"),
      import("../../../src/backends/memory/backend.ts"),
    ]);
    const memory = new rows.Memory();
    const faults = new testing.FaultyBackend(new rows.MemoryBackend({ memory }));
    const mine = library.open(faults, { leaseMs: 100 });
    const other = library.open(new rows.MemoryBackend({ memory }), { leaseMs: 60_000 });
    const held = other.lock("x").acquire();
    await vi.advanceTimersByTimeAsync(1);
    const outcome = expect(mine.lock("x").acquire({ waitMs: 1_000 })).rejects.toMatchObject({
      code: "LOCK_TIMEOUT",
    });
    await vi.advanceTimersByTimeAsync(500);
    const outage = faults.always("any", testing.failBefore());
    await vi.advanceTimersByTimeAsync(1_000);
    await outcome;
    expect(memory.queues.get("x")?.size).toBe(1);
    await vi.advanceTimersByTimeAsync(18_000);
    outage.cancel();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(memory.queues.get("x")?.size ?? 0).toBe(0);
    await (await held).release();
    await Promise.all([mine.close(), other.close()]);
  });
});
