// Eight processes update one state while three of them are killed and started again: what was acknowledged is there
// once, and nothing is there twice.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

interface Log {
  count: number;
  ids: string[];
}

const processes = 8;
const each = 500;
const killed = 3;
const lanes = 2;

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    beforeAll(async () => {
      backend = await served[name]();
    });
    afterEach(killAll);
    afterAll(() => backend.end());

    test(`[S3] ${String(processes)} processes × ${String(each)} updates, ${String(killed)} killed on the way: each acknowledged one is there once`, async () => {
      const options = { leaseMs: 2_000, waitMs: 60_000 };
      const added: string[] = [];
      const work = async (w: number): Promise<void> => {
        let count: number = each;
        for (let run = 0; count > 0; run += 1) {
          const worker = new Worker(backend.url);
          const name = `${String(w)}.${String(run)}`;
          const done = worker.order("updates", { id: "log", name, count, lanes, options });
          done.catch(() => undefined);
          if (run === 0 && w < killed) {
            await Promise.race([worker.until((told) => told.length >= each / 4), done]); // or it fails before
            await worker.kill();
          } else {
            await done;
          }
          const own = worker.told.map((line) => String(line["added"]));
          added.push(...own);
          count -= own.length;
          await worker.kill();
        }
      };
      await Promise.all(Array.from({ length: processes }, (_, w) => work(w)));

      const store = open(backend.url);
      const { count, ids } = (await store.state<Log>("log").load())!;
      await store.close();
      expect(added.length).toBeGreaterThanOrEqual(processes * each);
      expect(new Set(ids).size).toBe(ids.length);
      expect(count).toBe(ids.length);
      const there = new Set(ids);
      expect(added.filter((id) => !there.has(id))).toEqual([]);
      // Those that nobody heard of: at most what the killed ones had under way.
      expect(ids.length - added.length).toBeLessThanOrEqual(killed * lanes);
      // [L2] each caller's own are in its own order
      const lanesSeen = new Set(ids.map((id) => id.split(":")[0]));
      for (const lane of lanesSeen) {
        const order = ids.filter((id) => id.split(":")[0] === lane).map((id) => Number(id.split(":")[1]));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      }
    }, 300_000);
  });
}
