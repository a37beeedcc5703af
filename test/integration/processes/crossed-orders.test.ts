// Processes that want the same locks in different orders, all at once, again and again: no circle, and no change is lost.
//
// Seen failing: ids taken in the order in which they are given (a timeout each time); the try of all of them queued.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 120_000 });

/** On SQLite each save is synced to the disk. */
const roundsOn = { Redis: 150, SQLite: 40 };

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    const rounds = roundsOn[name];
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

    const contend = async (orders: readonly (readonly string[])[]): Promise<void> => {
      const workers = orders.map(() => new Worker(backend.url));
      await Promise.all(workers.map((worker) => worker.order("open")));
      await Promise.all(workers.map((worker, n) => worker.order("lockAll", { ids: orders[n], rounds })));
    };

    test("[L14] [L1] two processes, crossed orders, many rounds", async () => {
      await contend([
        ["a", "b"],
        ["b", "a"],
      ]);
      for (const id of ["a", "b"]) {
        expect(await store.state(id).load()).toBe(2 * rounds);
        expect(await store.lock(id).inspect()).toBeNull();
      }
    });

    test("[L14] [L1] three processes, each with two of three ids, in a circle", async () => {
      await contend([
        ["x", "y"],
        ["y", "z"],
        ["z", "x"],
      ]);
      for (const id of ["x", "y", "z"]) {
        expect(await store.state(id).load()).toBe(2 * rounds);
        expect(await store.lock(id).inspect()).toBeNull();
      }
    });
  });
}
