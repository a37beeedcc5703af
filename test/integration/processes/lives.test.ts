// What keeps a process alive, and what does not [P1] [P2].

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 60_000 });

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    beforeAll(async () => {
      backend = await served[name]();
      store = open(backend.url);
      await store.ready();
    });
    afterEach(killAll);
    afterAll(async () => {
      await store.close();
      await backend.end();
    });

    /** What it told until it ended by itself, in good order. */
    const live = async (life: string): Promise<Record<string, unknown>[]> => {
      const worker = new Worker(backend.url, life);
      const code = await worker.ended;
      expect([code, worker.errors]).toEqual([0, ""]);
      return worker.told;
    };

    test("[P1] a store that was used and never closed, with a grant, does not keep its process alive", async () => {
      expect(await live("idle")).toEqual([{ idle: expect.any(Number) as number }]);
      await poll(() => store.lock("held by an idle process").inspect()).toBeNull();
    });

    test("[P1] a call that waits keeps its process alive until it is answered", async () => {
      const held = await store.lock("held").acquire();
      expect(await live("pending")).toEqual([{ waiting: true }, { code: "LOCK_TIMEOUT" }]);
      expect((await store.lock("held").inspect())?.waiters).toBe(0); // [L7]
      await held.release();
    });

    test("[P1] a body that runs keeps its process alive, whatever it waits for", async () => {
      expect(await live("body")).toEqual([{ result: "ran" }]);
      expect(await store.lock("body").inspect()).toBeNull();
    });

    test("[P1] a draft function that runs keeps its process alive as well", async () => {
      expect(await live("draft")).toEqual([{ result: "ran" }]);
      expect(await store.state("draft").load()).toEqual({ n: 1 });
    });

    test("[P2] close while holding and running: everything settles, the locks are free, the process ends", async () => {
      const told = [{ running: true }, { aborted: "CLOSED" }, { body: "LOCK_LOST", waiter: true }];
      expect(await live("closing")).toEqual(told);
      expect(await store.lock("closing").inspect()).toBeNull();
      expect(await store.lock("closing body").inspect()).toBeNull();
    });

    test("[P1] [L10] process.exit while holding, waiting and saving: it ends at once, and the lock is free within its lease", async () => {
      const worker = new Worker(backend.url, "exit");
      expect([await worker.ended, worker.errors]).toEqual([7, ""]);
      await (await store.lock("exit").acquire()).release();
    });
  });
}
