// Holders that are stopped, blocked or killed, for real: the server refuses what comes too late, and the others go on.

import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Granted {
  readonly fence: number;
}
/** Of those that are to lose their locks. */
const leaseMs = 400;
/** Of those that are not, however busy the machine. */
const long = { leaseMs: 20_000, waitMs: 60_000 };

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url);
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close();
      await backend.end();
    });

    const held = async (worker: Worker, details: object): Promise<number> =>
      (await worker.order<Granted>("acquire", { how: { leaseMs }, ...details })).fence;

    /** Not in the middle of a transaction of SQLite, which would keep everybody out. */
    const stop = async (worker: Worker): Promise<void> => {
      for (;;) {
        worker.signal("SIGSTOP");
        const saved = store
          .state("probe")
          .save(worker.pid)
          .then(() => true);
        if (await Promise.race([saved, setTimeout(500, false)])) return;
        worker.signal("SIGCONT");
        await saved.catch(() => undefined);
      }
    };

    // Seen failing, on both backends, with its three defences taken out together (each of them alone is enough): the look
    // at the clock (hold.ts), the watchdog's word (watchdog.ts), the check of the ticket (write.lua, rows/decide.ts).
    test("[S4] [L5] [L6] a holder stopped beyond its lease, another in between: its save is refused, its signal has aborted", async () => {
      const [first, second] = [new Worker(backend.url), new Worker(backend.url)];
      const id = "stopped";
      const mine = await held(first, { id, as: "first" });
      await first.order("save", { id, as: "first", value: "first" });
      await stop(first);
      const theirs = await held(second, { id, as: "second", how: long });
      expect(theirs).toBeGreaterThan(mine); // [L3]
      await second.order("save", { id, as: "second", value: "second" });
      first.signal("SIGCONT");
      const late = first.order("save", { id, as: "first", value: "too late" });
      await expect(late).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
      expect(await first.order("signal", { as: "first" })).toEqual({ aborted: true, code: "LOCK_LOST" });
      expect(await first.order("release", { as: "first" })).toBe(false);
      expect(await store.state(id).load()).toBe("second");
      const info = await store.lock(id).inspect();
      expect(info).toMatchObject({ fence: theirs, holder: { pid: second.pid } });
      expect(await second.order("signal", { as: "second" })).toEqual({ aborted: false, code: null });
    });

    test("[L5] a holder that is woken with nothing to do hears of its loss by itself", async () => {
      const worker = new Worker(backend.url);
      await held(worker, { id: "woken", as: "mine" });
      await stop(worker);
      await poll(() => store.lock("woken").inspect()).toBeNull();
      worker.signal("SIGCONT");
      await worker.until((told) => told.some(({ aborted }) => aborted === "mine"));
    });

    test.each([
      ["two stores of one process", { store: "other" }],
      ["one store", {}],
    ])(
      "[S4] [L5] the event loop blocked beyond the lease, the next holder in the same process: %s",
      async (where, other) => {
        const worker = new Worker(backend.url);
        const id = `blocked, ${where}`;
        const mine = await held(worker, { id, as: "first" });
        const waiting = held(worker, { id, as: "second", how: long, ...other });
        await worker.order("block", { ms: leaseMs * 2 });
        const theirs = await waiting;
        expect(theirs).toBeGreaterThan(mine);
        await worker.order("save", { id, as: "second", value: "second", ...other });
        const late = worker.order("save", { id, as: "first", value: "too late" });
        await expect(late).rejects.toMatchObject({ code: "LOCK_LOST", outcome: "none" });
        expect(await worker.order("signal", { as: "first" })).toEqual({ aborted: true, code: "LOCK_LOST" });
        expect(await worker.order("release", { as: "first" })).toBe(false);
        expect(await store.state(id).load()).toBe("second");
      },
    );

    test("[L10] a holder that is killed: its lock is free within its lease, and the waiter goes on by itself", async () => {
      const [holder, waiter] = [new Worker(backend.url), new Worker(backend.url)];
      const id = "killed";
      const mine = await held(holder, { id, as: "mine", how: { leaseMs: 2_000 } });
      const waiting = held(waiter, { id, as: "theirs", how: long });
      await poll(async () => (await store.lock(id).inspect())?.waiters).toBe(1);
      await holder.kill();
      const left = (await store.lock(id).inspect())?.expiresInMs ?? 0;
      expect(left).toBeLessThanOrEqual(2_000);
      expect(await waiting).toBeGreaterThan(mine);
      expect(await waiter.order("release", { as: "theirs" })).toBe(true);
      expect(await store.lock(id).inspect()).toBeNull();
    });

    test("[L9] a waiter that is killed holds nobody up for long, and leaves nothing", async () => {
      const [dead, waiter] = [new Worker(backend.url), new Worker(backend.url)];
      const id = "dead waiter";
      const holder = await store.lock(id).acquire();
      const waiters = async (): Promise<number | undefined> => (await store.lock(id).inspect())?.waiters;
      dead.order("acquire", { id, as: "never", how: { leaseMs } }).catch(() => undefined);
      await poll(waiters).toBe(1);
      const waiting = held(waiter, { id, as: "theirs", how: long });
      await poll(waiters).toBe(2);
      await dead.kill();
      await holder.release();
      await waiting;
      expect(await waiter.order("release", { as: "theirs" })).toBe(true);
      await poll(() => store.lock(id).inspect()).toBeNull();
    });

    // Seen failing on Redis without the look at the clock (hold.ts). More in test/scenarios/waiting/next-in-line-dies-or-gives-up.test.ts.
    test("[L9] a waiter that is stopped as it is granted does not hand out a dead grant when it goes on", async () => {
      const [stopped, next] = [new Worker(backend.url), new Worker(backend.url)];
      const id = "stopped waiter";
      const holder = await store.lock(id).acquire();
      const waiters = async (): Promise<number | undefined> => (await store.lock(id).inspect())?.waiters;
      const late = stopped.order<Granted>("acquire", { id, as: "late", how: { leaseMs, waitMs: 60_000 } });
      await poll(waiters).toBe(1);
      await stop(stopped);
      const waiting = held(next, { id, as: "next", how: long });
      await poll(waiters).toBe(2);
      await holder.release();
      const theirs = await waiting; // it was passed over
      stopped.signal("SIGCONT");
      await next.order("save", { id, as: "next", value: "next" });
      expect(await next.order("signal", { as: "next" })).toEqual({ aborted: false, code: null });
      expect(await next.order("release", { as: "next" })).toBe(true);
      expect((await late).fence).toBeGreaterThan(theirs);
      expect(await stopped.order("save", { id, as: "late", value: "late" })).toBeGreaterThan(0);
    }, 40_000);
  });
}
