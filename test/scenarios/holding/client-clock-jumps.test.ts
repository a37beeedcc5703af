// The wall clock of the clients jumps by an hour, forth and back, while they hold and wait.
// Nothing may change: deadlines and leases are measured by the monotonic clock, and no wall clock goes over the wire.
// On SQLite the machine's clock is the server's, too: that is servers/server-clock-jumps.test.ts.
//
// Seen failing with the defence taken out:
//   now() of src/timers.ts reading Date.now(): both tests failed (the holder lost its lock; the wait did not end).

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { startServer, type TestServer } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";
import { FakeClock, hourMs } from "../../support/faults/index.ts";
import { untilRenewed, waiters } from "../support/locks.ts";

vi.setConfig({ testTimeout: 30_000 });

let server: TestServer;
let clock: FakeClock;
let store: Store;
beforeAll(async () => {
  server = await startServer();
  clock = await FakeClock.make();
  store = open(server.url);
});
afterEach(killAll);
afterAll(async () => {
  await store.close();
  await server.stop();
  clock.end();
});

interface Granted {
  readonly fence: number;
}
const leaseMs = 3_000; // renewed every second, and not lost on a busy machine

test("[L5] [L2] [S4] the clients' wall clocks jump by an hour while they hold and wait: nothing changes", async () => {
  const id = "jumping clients";
  const [holder, waiter] = [
    new Worker(server.url, undefined, clock.env),
    new Worker(server.url, undefined, clock.env),
  ];
  const { fence } = await holder.order<Granted>("acquire", { id, as: "first", how: { leaseMs } });
  const waiting = waiter.order<Granted>("acquire", { id, as: "second", how: { leaseMs, waitMs: 60_000 } });
  await poll(() => waiters(store, id)).toBe(1);
  for (const offsetMs of [hourMs, -hourMs, 0]) {
    clock.jumpTo(offsetMs);
    await untilRenewed(store, id, 1);
    expect(await holder.order("signal", { as: "first" })).toEqual({ aborted: false, code: null });
    expect(await waiters(store, id)).toBe(1);
    await holder.order("save", { id, as: "first", value: offsetMs });
  }
  clock.jumpTo(-hourMs);
  expect(await holder.order("release", { as: "first" })).toBe(true);
  expect((await waiting).fence).toBeGreaterThan(fence);
  clock.jumpTo(hourMs);
  await untilRenewed(store, id, 1);
  await waiter.order("save", { id, as: "second", value: "second" });
  expect(await waiter.order("release", { as: "second" })).toBe(true);
  expect(await store.state(id).load()).toBe("second");
  expect(await store.lock(id).inspect()).toBeNull();
});

test("[L7] waiting takes its time, neither less when the clock jumps ahead nor more when it jumps back", async () => {
  const id = "patience";
  const grant = await store.lock(id).acquire();
  for (const offsetMs of [hourMs, -hourMs]) {
    clock.jumpTo(0);
    const waiter = new Worker(server.url, undefined, clock.env);
    await waiter.order("open");
    const from = performance.now();
    const waiting = waiter.order("acquire", { id, as: "never", how: { waitMs: 600 } });
    const failed = expect(waiting).rejects.toMatchObject({ code: "LOCK_TIMEOUT", outcome: "none" });
    await poll(() => waiters(store, id)).toBe(1);
    clock.jumpTo(offsetMs);
    await failed;
    expect(performance.now() - from).toBeGreaterThan(590);
    await poll(() => waiters(store, id)).toBe(0);
  }
  expect(await grant.release()).toBe(true);
});
