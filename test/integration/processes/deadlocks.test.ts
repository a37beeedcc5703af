// Processes that take locks inside locks, in orders that must end in deadlocks: each of them is named, and all go on.
//
// Seen failing: no notes (a timeout after waitMs); every ask of the circle told.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 120_000 });

const rounds = 8;

for (const name of ["Redis", "SQLite"] as const) {
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

    const nest = async (orders: readonly (readonly [string, string])[]): Promise<string[]> => {
      await store.state("holders").delete();
      const workers = orders.map(() => new Worker(backend.url));
      await Promise.all(workers.map((worker) => worker.order("open")));
      const details = { rounds, holders: orders.length };
      const ended = workers.map((worker, n) =>
        worker.order<{ messages: string[] }>("nested", { ids: orders[n], ...details }),
      );
      const messages = (await Promise.all(ended)).flatMap((one) => one.messages);
      for (const [, inner] of orders) {
        expect(await store.state(inner).load()).toBe(rounds);
        expect(await store.lock(inner).inspect()).toBeNull();
      }
      expect(messages.length).toBeGreaterThanOrEqual(1);
      for (const message of messages)
        for (const [id] of orders) expect(message).toContain(JSON.stringify(id));
      for (const message of messages) {
        const pids = workers.filter(({ pid }) => message.includes(`process ${String(pid)} on `));
        expect(pids).toHaveLength(orders.length - 1); // all but its own
      }
      return messages;
    };

    test("[L15] two processes, crossed orders", () =>
      nest([
        ["a", "b"],
        ["b", "a"],
      ]));

    test("[L15] three processes in a circle", () =>
      nest([
        ["x", "y"],
        ["y", "z"],
        ["z", "x"],
      ]));
  });
}
