// process.exit, SIGKILL and their like while holding. The locks are free within the lease by the server's clock,
// those who wait already go on by themselves, in order, and what was under way is there whole or not at all. The leases decide here;
// dead processes are passed over in test/integration/processes/dying. See also
// test/integration/processes/lives.test.ts (process.exit while waiting and saving) and pauses.test.ts (a holder that is killed).
//
// Seen failing with the defence taken out:
// - src/scheduling/acquirer.ts: the first in the queue does not look again when the lease that it was told of ends: Redis, since the
//   waiters come 5 s after their ask;
// - acquire.lua sets ten times the lease: Redis, by what is left of it;
// - src/backends/rows/locks.ts: what is left of a lease is never less than all of it: SQLite, by when the waiters come.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

const leaseMs = 1_000;
/** A waiter that asked only as often as all waiters do, every 5 s on Redis, would come later. */
const promptlyMs = 4_000;
const env = { DYING_LEASE_MS: String(leaseMs) };
const program = join(import.meta.dirname, "dying.ts");
const kinds = ["by hand", "body", "draft"];
const endings = { "process.exit": 7, SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", "an uncaught error": 1 };

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let first: Store;
    let second: Store;
    beforeAll(async () => {
      backend = await served[name]();
      [first, second] = [1, 2].map(() => open(backend.url, { waitMs: 30_000 })) as [Store, Store];
      await Promise.all([first.ready(), second.ready()]);
    });
    afterEach(killAll);
    afterAll(async () => {
      await Promise.all([first.close({ drainMs: 0 }), second.close({ drainMs: 0 })]);
      await backend.end();
    });

    /** Calls of one store for these locks, all at once; their fences, in the order of the ids. */
    async function enter(
      store: Store,
      ids: readonly string[],
      entered: (id: string) => void,
    ): Promise<number[]> {
      const one = (id: string): Promise<number> =>
        store.lock(id).run(({ fence }) => {
          entered(id);
          return fence;
        });
      return Promise.all(ids.map(one));
    }

    /** Each lock has just so many waiters. */
    async function queued(ids: readonly string[], count: number): Promise<void> {
      for (const id of ids) await poll(async () => (await first.lock(id).inspect())?.waiters).toBe(count);
    }

    async function watchItDie(death: string, ending: number | string): Promise<void> {
      const ids = kinds.map((kind) => `${death}: ${kind}`);
      const worker = new Worker(backend.url, death, env, program);
      await worker.until((told) => told.some((line) => "holding" in line));
      const fences = await Promise.all(ids.map(async (id) => (await first.lock(id).inspect())?.fence ?? NaN));
      const entered: string[] = [];
      const ones = enter(first, ids, (id) => entered.push(`first in ${id}`));
      await queued(ids, 1);
      const twos = enter(second, ids, (id) => entered.push(`second in ${id}`));
      await queued(ids, 2);

      worker.signal("SIGUSR2");
      expect(await worker.ended).toBe(ending);
      const diedAt = performance.now();
      for (const [n, id] of ids.entries()) {
        const found = await first.lock(id).inspect();
        if (found?.fence === fences[n]) expect(found?.expiresInMs).toBeLessThanOrEqual(leaseMs);
        else expect(performance.now() - diedAt).toBeLessThan(promptlyMs); // the waiters have it already
      }
      const [one, two] = [await ones, await twos];
      expect(performance.now() - diedAt).toBeLessThan(promptlyMs);

      for (const [n, id] of ids.entries()) {
        expect(entered.filter((entry) => entry.endsWith(` ${id}`))).toEqual([
          `first in ${id}`,
          `second in ${id}`,
        ]);
        expect(one[n]).toBeGreaterThan(fences[n] ?? NaN);
        expect(two[n]).toBeGreaterThan(one[n] ?? NaN);
        expect(await first.lock(id).inspect()).toBeNull();
      }
      expect(await first.state(`${death}: draft`).load()).toBeUndefined();
      expect([undefined, "half"]).toContain(await first.state(`${death}: saved`).load());
    }

    test("[P1] [S2] [L2] [L10] process.exit, SIGKILL, SIGTERM or an error while holding: free within the lease, and the waiters go on by themselves", async () => {
      await Promise.all(Object.entries(endings).map(([death, ending]) => watchItDie(death, ending)));
    });
  });
}
