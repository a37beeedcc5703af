// Everything at its defaults: what a crash costs those who come next. Seen failing with a leaseMs of 30 s and a waitMs of 10 s.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { defaults } from "../../../src/options.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

test("a call waits longer than a crash can block it", () => {
  expect(defaults.waitMs).toBeGreaterThan(defaults.leaseMs);
});

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    let stores: readonly Store[];
    beforeAll(async () => {
      backend = await served[name]();
      stores = [open(backend.url), open(backend.url)];
      await Promise.all(stores.map((store) => store.ready()));
    });
    afterEach(killAll);
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()));
      await backend.end();
    });

    test("[L10] a process is killed inside an update: the first callers of the others succeed", async () => {
      const ids = ["updated", "saved", "locked"];
      const worker = new Worker(backend.url);
      for (const id of ids) void worker.order("updateForever", { id });
      await worker.until((told) => told.length === ids.length);
      expect(worker.told).toEqual(expect.arrayContaining(ids.map((inside) => ({ inside }))));
      await worker.kill();

      const [one, two] = await Promise.all(stores.map(callAll));
      expect([one?.updated, two?.updated].sort()).toEqual([1, 2]);
      expect(one?.fence).not.toBe(two?.fence);
      const last = (one?.savedAt ?? 0) > (two?.savedAt ?? 0) ? 0 : 1;
      expect(await stores[0]?.state("saved").load()).toBe(last);
    });
  });
}

async function callAll(
  store: Store,
  n: number,
): Promise<{ updated: number; savedAt: number; fence: number }> {
  const [updated, savedAt, fence] = await Promise.all([
    store.state("updated", { initial: () => 0 }).update((value) => value + 1),
    store.state("saved").save(n),
    store.lock("locked").run((grant) => grant.fence),
  ]);
  return { updated, savedAt, fence };
}
