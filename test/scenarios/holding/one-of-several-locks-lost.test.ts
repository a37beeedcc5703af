// One of several locks that are held together is released by force, or their holder
// is killed. The common signal aborts, nothing more is saved under any of them, and all of them are free for others.
//
// Seen failing: the others not released; the signal made of the first lock only.

import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type GrantSet, type HoldfastError, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

const ids = ["a", "b", "c"] as const;

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    let other: Store;
    beforeAll(async () => {
      backend = await served[name]();
      [store, other] = [open(backend.url, { leaseMs: 500 }), open(backend.url)];
      await Promise.all([store.ready(), other.ready()]);
    });
    afterEach(killAll);
    afterAll(async () => {
      await Promise.all([store.close({ drainMs: 0 }), other.close({ drainMs: 0 })]);
      await backend.end();
    });

    const refusedAll = async (grant: GrantSet): Promise<void> => {
      for (const id of ids) {
        const save = store.state(id).save("late", { grant });
        await expect(save).rejects.toMatchObject({ code: "LOCK_LOST" });
      }
    };
    const allFree = async (): Promise<void> => {
      for (const id of ids) await poll(() => other.lock(id).inspect()).toBeNull();
    };

    test.each(ids)("[L14] [L5] %s is released by force while all are held", async (lost) => {
      const run = store.lockAll(ids).run(async (grant) => {
        const abort = once(grant.signal, "abort");
        expect(await other.lock(lost).forceRelease()).toBe(true);
        await abort;
        expect((grant.signal.reason as HoldfastError).message).toContain(`The lock "${lost}"`);
        await allFree();
        await refusedAll(grant);
        return "what fn returned";
      });
      await expect(run).rejects.toMatchObject({ code: "LOCK_LOST", result: "what fn returned" });
      const next = await other.lockAll(ids).acquire({ waitMs: 0 });
      expect(await next.release()).toBe(true);
      expect(await other.state(lost).load()).toBeUndefined();
    });

    test("[L14] [L10] the process that holds them is killed: all are free within the lease", async () => {
      const worker = new Worker(backend.url);
      const hold = { ids, as: "all", how: { leaseMs: 1_000 } };
      await worker.order("holdAll", hold);
      expect(await other.lockAll(ids).tryAcquire()).toBeNull();
      await worker.kill();
      await using grant = await other.lockAll(ids).acquire();
      expect(grant.ids).toEqual(ids);
    });
  });
}
