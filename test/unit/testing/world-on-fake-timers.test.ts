// A test world whose time is that of fake timers: timers of the application and leases of Holdfast are one line.
//
// Seen failing: the clock and the timers of the world are Node's own → the waits do not end, however far the time is moved.

import { afterEach, expect, test, vi } from "vitest";

import { createTestWorld } from "../../../src/testing/index.ts";

afterEach(() => vi.useRealTimers());

test("pauses of the application, renewals and waits happen in the order of their times", async () => {
  vi.useFakeTimers();
  await using world = createTestWorld({ advanceTimers: (ms) => vi.advanceTimersByTimeAsync(ms) });
  const order: string[] = [];
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const theirs = world
    .process("worker-2")
    .store.lock("x")
    .run(async ({ signal }) => {
      await pause(20_000); // longer than the lease
      order.push(`worker-2, lost: ${String(signal.aborted)}`);
    });
  await world.settle();
  const lock = world.store.lock("x");
  const refused = lock.acquire({ waitMs: 15_000 }).catch(() => order.push("waited in vain"));
  const ours = lock.run(() => order.push("main"), { waitMs: 60_000 });
  await world.advance(14_999);
  expect(order).toEqual([]);
  await world.until(Promise.all([theirs, refused, ours]));
  expect(order).toEqual(["waited in vain", "worker-2, lost: false", "main"]);
});
