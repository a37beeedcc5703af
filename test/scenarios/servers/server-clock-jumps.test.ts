// The server's wall clock jumps by hours, ahead and back, while a lock is held.
// Ahead, leases end early: the holder that does not know yet is refused. Back, fences and revisions rise all the same.
// On SQLite the server's clock is the one of the machine, so there all processes live by the false clock.
//
// Seen failing with the defence taken out:
//   write.lua without its check of the ticket, and the same in rows/decide.ts: "ahead" on Redis, "ahead and back" on SQLite;
//   stamp.lua without the last stamp (the same in rows/decide.ts): "back" and "waiters go on" (SQLite: "ahead and back");
//   stamp.lua without the floor that clients send: "has forgotten everything";
//   acquire.lua placing waiters by the clock instead of a stamp: "waiters go on";
//   rows/decide.ts without the new beginning of a lease whose clock was set back: "dead holder".

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { describeWithoutServer, startServer, type TestServer } from "../../support/setting.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";
import { FakeClock, hourMs } from "../../support/faults/index.ts";
import { waiters } from "../support/locks.ts";

vi.setConfig({ testTimeout: 30_000 });

let clock: FakeClock;
beforeAll(async () => {
  clock = await FakeClock.make();
});
afterAll(() => clock.end());

describe("Redis", () => {
  let server: TestServer;
  const stores: Store[] = [];
  const connect = (options?: OpenOptions): Store => {
    const store = open(server.url, options);
    stores.push(store);
    return store;
  };
  beforeAll(async () => {
    clock.jumpTo(0);
    server = await startServer({ env: clock.env });
  });
  afterEach(async () => {
    clock.jumpTo(0);
    await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  });
  afterAll(() => server.stop());

  /** What the clock reads on the server, in ms after the true time. */
  const offset = async (): Promise<number> => {
    const [seconds] = (await server.command("TIME")) as [string];
    return Number(seconds) * 1_000 - Date.now();
  };

  test("[S4] [L3] [S2] the server's clock jumps an hour ahead: the lease is over, and the holder that does not know is refused", async () => {
    const [first, second] = [connect(), connect()];
    const id = "ahead";
    const grant = await first.lock(id).acquire({ leaseMs: 30_000 }); // its next renewal is far away
    const revision = await first.state(id).save("first", { grant });
    clock.jumpTo(hourMs);
    expect(await offset()).toBeGreaterThan(hourMs / 2);
    const theirs = await second.lock(id).acquire();
    expect(theirs.fence).toBeGreaterThan(grant.fence);
    expect(await second.state(id).save("second", { grant: theirs })).toBeGreaterThan(revision);
    expect(grant.signal.aborted).toBe(false); // it cannot know yet
    const late = first.state(id).save("too late", { grant });
    await expect(late).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
    expect(await grant.release()).toBe(false);
    expect(await second.state(id).load()).toBe("second");
    expect(await theirs.release()).toBe(true);
  });

  test("[L3] [S2] the server's clock jumps back: fences and revisions rise for clients that saw none of the earlier ones", async () => {
    const id = "back";
    const seen = { fence: 0, revision: 0 };
    for (const offsetMs of [hourMs, 0, -hourMs, -2 * hourMs, hourMs]) {
      clock.jumpTo(offsetMs);
      const store = connect(); // with no memory of its own, nor a state that remembers
      const grant = await store.lock(id).acquire();
      const revision = await store.state(id).save(offsetMs, { grant });
      expect(grant.fence).toBeGreaterThan(seen.fence);
      expect(revision).toBeGreaterThan(Math.max(seen.revision, grant.fence));
      expect(await grant.release()).toBe(true);
      await store.state(id).delete();
      Object.assign(seen, { fence: grant.fence, revision });
    }
  });

  test("[L3] [S2] the clock jumps back and the server has forgotten everything: a client that saw the numbers lifts them", async () => {
    const store = connect();
    clock.jumpTo(hourMs);
    const before = await store.lock("forgotten").acquire();
    await before.release();
    clock.jumpTo(-hourMs);
    await server.command("FLUSHALL");
    const after = await store.lock("forgotten").acquire();
    expect(after.fence).toBeGreaterThan(before.fence);
    expect(await store.state("forgotten").save(1, { grant: after })).toBeGreaterThan(after.fence);
    expect(await after.release()).toBe(true);
  });

  test("[L2] [L8] waiters go on in their order while the server's clock jumps", async () => {
    const [holder, ...others] = [connect(), connect(), connect(), connect()];
    const id = "in order";
    const grant = await holder.lock(id).acquire();
    const order: number[] = [];
    const entered: Promise<void>[] = [];
    for (const [n, store] of others.entries()) {
      clock.jumpTo([0, -1_000, -2_000][n] ?? 0); // whoever comes later asks at an earlier time
      entered.push(store.lock(id).run(() => void order.push(n)));
      await poll(() => waiters(holder, id)).toBe(n + 1);
    }
    expect(await grant.release()).toBe(true);
    await Promise.all(entered);
    expect(order).toEqual([0, 1, 2]);
    expect(await holder.lock(id).inspect()).toBeNull();
  });
});

describeWithoutServer("SQLite", () => {
  let backend: Served;
  beforeAll(async () => {
    backend = await served.SQLite();
  });
  afterEach(killAll);
  afterAll(() => backend.end());

  interface Granted {
    readonly fence: number;
  }
  const start = (): Worker => new Worker(backend.url, undefined, clock.env);

  test("[S4] [L3] [S2] the machine's clock jumps ahead and back: a stale save is refused, fences and revisions rise", async () => {
    clock.jumpTo(0);
    const [first, second] = [start(), start()];
    const id = "machine";
    const mine = await first.order<Granted>("acquire", { id, as: "first", how: { leaseMs: 30_000 } });
    const revision = await first.order<number>("save", { id, as: "first", value: "first" });
    clock.jumpTo(hourMs);
    const theirs = await second.order<Granted>("acquire", { id, as: "second", how: { leaseMs: 30_000 } });
    expect(theirs.fence).toBeGreaterThan(mine.fence);
    clock.jumpTo(-hourMs);
    const newer = await second.order<number>("save", { id, as: "second", value: "second" });
    expect(newer).toBeGreaterThan(revision);
    const late = first.order("save", { id, as: "first", value: "too late" });
    await expect(late).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
    expect(await first.order("release", { as: "first" })).toBe(false);
    expect(await first.order("load", { id })).toBe("second");
    expect(await second.order("release", { as: "second" })).toBe(true);
    const third = await start().order<Granted>("acquire", { id, as: "third" });
    expect(third.fence).toBeGreaterThan(theirs.fence);
  });

  test("[L10] the clock jumps back under the lease of a dead holder: it lasts no longer than its length", async () => {
    clock.jumpTo(0);
    const [holder, next] = [start(), start()];
    const id = "dead holder";
    const mine = await holder.order<Granted>("acquire", { id, as: "dead", how: { leaseMs: 1_000 } });
    await holder.kill();
    clock.jumpTo(-hourMs);
    const theirs = await next.order<Granted>("acquire", { id, as: "next", how: { waitMs: 20_000 } });
    expect(theirs.fence).toBeGreaterThan(mine.fence);
  });
});
