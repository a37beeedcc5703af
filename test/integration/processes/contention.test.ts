// Sixty-four callers in four processes on one lock: never two inside, in turns, and everybody gets a fair share.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

interface Entry {
  readonly call: number;
  readonly fence: number;
  readonly at: number;
}
interface Contended {
  readonly counts: number[];
  readonly entries: Entry[];
}

const processes = 4;
const callers = 16;

for (const name of ["Redis", "SQLite"] as const) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    let workers: Worker[];
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url);
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close();
      await backend.end();
    });

    const start = async (): Promise<void> => {
      workers = Array.from({ length: processes }, () => new Worker(backend.url));
      await Promise.all(workers.map((worker) => worker.order("open")));
    };
    const waiters = async (id: string): Promise<number> => (await store.lock(id).inspect())?.waiters ?? 0;

    test("[L1] [L2] [L3] 64 callers in 4 processes: never two inside, in call order, with a fair share each", async () => {
      await start();
      // All begin together: until then the lock is held.
      const held = await store.lock("contended").acquire();
      const inside = join(backend.folder, "inside");
      const order = { id: "contended", callers, forMs: 6_000, inside };
      const running = workers.map((worker) => worker.order<Contended>("contend", order));
      await poll(() => waiters("contended")).toBe(processes);
      await held.release();
      const results = await Promise.all(running);

      // [L3] Fences rise in the order in which the callers were inside, by the machine's clock.
      const all = results.flatMap(({ entries }, w) => entries.map((entry) => ({ ...entry, w })));
      const fences = all.toSorted((a, b) => a.at - b.at).map(({ fence }) => fence);
      expect(fences).toEqual(fences.toSorted((a, b) => a - b));
      expect(new Set(fences).size).toBe(fences.length);

      // [L2] Inside a process in call order.
      for (const { entries } of results) {
        const calls = entries.toSorted((a, b) => a.fence - b.fence).map(({ call }) => call);
        expect(calls).toEqual(calls.map((_, n) => n + 1));
      }

      // Turn by turn: they take turns, and nobody keeps the lock for long.
      const turns: { w: number; jobs: number }[] = [];
      for (const { w } of all.toSorted((a, b) => a.fence - b.fence)) {
        const last = turns.at(-1);
        if (last?.w === w) last.jobs += 1;
        else turns.push({ w, jobs: 1 });
      }
      expect(turns.length).toBeGreaterThan(processes * 3);

      const counts = results.flatMap(({ counts: own }) => own);
      expect(counts).toHaveLength(processes * callers);
      expect(Math.max(...counts) / Math.min(...counts), counts.join(" ")).toBeLessThanOrEqual(1.5);
    }, 60_000);

    test("[L2] processes enter in the order in which they asked, round after round", async () => {
      await start();
      for (let round = 0; round < 5; round += 1) {
        const id = `order ${String(round)}`;
        const held = await store.lock(id).acquire();
        const entered: Promise<number>[] = [];
        const order = workers.map((_, n) => (n * 3 + round) % processes); // another one each round
        for (const [place, w] of order.entries()) {
          const how = { id, as: id, how: { waitMs: 30_000 } };
          const enter = async (worker: Worker): Promise<number> => {
            const { fence } = await worker.order<{ fence: number }>("acquire", how);
            expect(await worker.order("release", { as: id })).toBe(true);
            return fence;
          };
          entered.push(enter(workers[w]!));
          await poll(() => waiters(id)).toBe(place + 1);
        }
        await held.release();
        const fences = await Promise.all(entered);
        expect(fences).toEqual(fences.toSorted((a, b) => a - b));
      }
    }, 60_000);
  });
}
