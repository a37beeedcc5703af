// A process is killed while it saves many states: each of them is whole, and none is older than what was acknowledged.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { served, type Served } from "../../../support/served.ts";
import { killAll, Worker } from "../../../support/workers.ts";

const program = join(import.meta.dirname, "many-program.ts");
const count = 2_000;

interface Saved {
  readonly round: number;
  readonly text: string;
}

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    beforeAll(async () => {
      backend = await served[name]();
    });
    afterEach(killAll);
    afterAll(() => backend.end());

    test("[S2] killed while it saves many states: each is as before, or as saved, and can be written at once", async () => {
      const worker = new Worker(backend.url, String(count), {}, program);
      await worker.until((told) => told.length >= 2);
      const store = open(backend.url, { waitMs: 1_000 });
      const ids = Array.from({ length: count }, (_, n) => `state:${String(n)}`);
      const [first = ""] = ids;
      const begun = (): Promise<number> =>
        store
          .state<Saved>(first)
          .load()
          .then((saved) => saved?.round ?? 0);
      const before = await begun();
      while ((await begun()) === before); // in the middle of the next round
      await worker.kill();

      const acknowledged = Number(worker.told.at(-1)?.["round"]);
      const loaded = await store.loadMany<Saved>(ids);
      for (const { value, error } of loaded) {
        expect(error).toBeUndefined();
        expect(value?.text).toBe(`${String(value?.round)} `.repeat(30));
      }
      const rounds = new Set(loaded.map(({ value }) => value?.round));
      for (const round of rounds) expect([acknowledged, acknowledged + 1]).toContain(round);
      const again = await store.saveMany(ids.map((id) => ({ id, value: 0 })));
      expect(again.every(({ error }) => error === undefined)).toBe(true);
      await store.close();
    }, 60_000);
  });
}
