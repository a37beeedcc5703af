// Who the owner of a grant is. Two tasks of one process exclude each other like two processes, what is
// nested re-enters, branches that run at once inside one owner exclude each other, and a task that outlives the grant it
// inherited does not hold it. All of it at once and many times, beside another store; one by one: the exported lock suite.
//
// Seen failing with the defence taken out:
// - src/ownership/nested-acquire.ts lets everybody in at once: "tasks, nested calls and branches";
// - src/ownership/held-grants.ts finds the grant of whoever holds, not of the caller's context: both tests of tasks fail;
// - it finds none: "tasks, nested calls and branches", which waits for itself;
// - it finds one that has ended: the test of the inherited grant fails.

import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type HoldfastError, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";

vi.setConfig({ testTimeout: 60_000 });

const codeOf = (error: unknown): string => (error as HoldfastError).code;

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    let other: Store;
    beforeAll(async () => {
      backend = await served[name]();
      [store, other] = [1, 2].map(() => open(backend.url, { waitMs: 10_000 })) as [Store, Store];
      await Promise.all([store.ready(), other.ready()]);
    });
    afterAll(async () => {
      await Promise.all([store.close({ drainMs: 0 }), other.close({ drainMs: 0 })]);
      await backend.end();
    });

    test("[L1] [L4] tasks, nested calls and branches at once: exclusion, re-entry, exclusion", async () => {
      let owners = 0;
      let branches = 0;
      const fences: number[] = [];
      const branch = (lockOf: Store, fence: number): Promise<void> =>
        lockOf.lock("x").run(async (grant) => {
          expect(grant.fence).toBe(fence); // it is the owner, again
          expect((branches += 1)).toBe(1);
          await nextTurn();
          await lockOf.lock("x").run(() => nextTurn()); // and within a branch
          branches -= 1;
        });
      const task = async (lockOf: Store): Promise<void> => {
        for (let round = 0; round < 5; round += 1) {
          await lockOf.lock("x").run(async ({ fence }) => {
            expect((owners += 1)).toBe(1);
            fences.push(fence);
            await Promise.all([1, 2, 3].map(() => branch(lockOf, fence)));
            await lockOf.state("x", { initial: () => 0 }).update((n) => n + 1);
            owners -= 1;
          });
        }
      };
      await Promise.all([store, store, store, other, other].map(task));
      expect(fences).toEqual([...fences].sort((one, two) => one - two));
      expect(new Set(fences).size).toBe(25);
      expect(await store.state("x").load()).toBe(25);
      expect(await other.lock("x").inspect()).toBeNull();
    });

    test("[L1] [L4] another task of the process does not get in while one holds, nor save", async () => {
      let look = (): void => {};
      // Begun outside of any grant, and so a task of its own, though it goes on while the other holds.
      const seen = new Promise<void>((resolve) => (look = resolve)).then(() =>
        Promise.all([
          store.lock("y").tryAcquire(),
          store.lock("y").acquire({ waitMs: 20 }).catch(codeOf),
          store.state("y").save("no", { waitMs: 20 }).catch(codeOf),
        ]),
      );
      await store.lock("y").run(async () => {
        look();
        expect(await seen).toEqual([null, "LOCK_TIMEOUT", "LOCK_TIMEOUT"]);
        await store.state("y").save("yes");
      });
      expect(await other.state("y").load()).toBe("yes");
    });

    test("[L4] [S4] a task that inherited a grant and outlives it does not hold it", async () => {
      let late: Promise<unknown[]> = Promise.resolve([]);
      let goOn = (): void => {};
      const inside = await store.lock("z").run((grant) => {
        late = new Promise<void>((resolve) => (goOn = resolve)).then(() =>
          Promise.all([
            store.state("z").save("late").catch(codeOf),
            store
              .state("z")
              .update(() => "late")
              .catch(codeOf),
            store.state("z").save("late", { grant }).catch(codeOf),
            store.lock("z").tryAcquire(), // a new owner, and another holds
          ]),
        );
        return grant.fence;
      });
      const theirs = await other.lock("z").acquire();
      expect(theirs.fence).toBeGreaterThan(inside);
      goOn();
      expect(await late).toEqual(["LOCK_LOST", "LOCK_LOST", "LOCK_LOST", null]);
      expect(await theirs.release()).toBe(true);
      expect(await store.state("z").load()).toBeUndefined();
    });
  });
}
