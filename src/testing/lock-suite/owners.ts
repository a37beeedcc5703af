/** Re-entry [L4]: by owner, nested, and still exclusive. */
import { strict as assert } from "node:assert";
import { getEventListeners } from "node:events";
import type { Grant } from "../../ownership/public-grant.ts";
import { aborted, deferred, pause, rejection, rejectsWith, stillPending } from "../assertions.ts";
import { proof, type Case } from "../suite.ts";

export const ownerCases: readonly Case[] = [
  proof(
    "[L4] inside run the owner enters again, nested, with the same fence and no call to the backend",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const lock = store.lock(fixture.id());
      await lock.run(async (outer) => {
        const before = faults.calls.length;
        await lock.run(async (inner) => {
          assert.equal(inner.fence, outer.fence);
          const innermost = await lock.tryAcquire();
          assert.equal(innermost?.fence, outer.fence);
          assert.equal(await innermost.release(), true);
        });
        assert.equal(faults.calls.length, before);
        assert.equal(await outer.release(), true);
      });
      await fixture.becomesFree(lock.id);
    },
  ),
  proof(
    "[L4] branches that run at once inside one owner exclude each other, in call order",
    async (fixture) => {
      const store = await fixture.store();
      const lock = store.lock(fixture.id());
      const log: string[] = [];
      const branch = (name: string): Promise<void> =>
        lock.run(async () => {
          log.push(`${name} in`);
          await pause(5);
          log.push(`${name} out`);
        });
      await lock.run(() => Promise.all([branch("a"), branch("b"), branch("c")]));
      assert.deepEqual(log, ["a in", "a out", "b in", "b out", "c in", "c out"]);
    },
  ),
  proof(
    "[L4] a branch's update waits for its sibling's grant; the sibling's own update does not",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const state = store.state(id, { initial: () => [] as string[] });
      await store.lock(id).run(async () => {
        const busy = store.lock(id).run(async () => {
          await pause(30);
          await state.update((draft) => void draft.push("nested"));
        });
        await Promise.all([busy, state.update((draft) => void draft.push("sibling"))]);
      });
      assert.deepEqual(await state.load(), ["nested", "sibling"]);
    },
  ),
  proof("[L4] the error of a timeout caused by a sibling says so", async (fixture) => {
    const store = await fixture.store();
    const lock = store.lock(fixture.id());
    await lock.run(async (grant) => {
      const sibling = await lock.acquire();
      const error = await rejectsWith(lock.acquire({ waitMs: 20 }), "LOCK_TIMEOUT");
      assert.match(error.message, /already held by this owner, but another of its concurrent calls/);
      assert.deepEqual(getEventListeners(grant.signal, "abort"), []); // [L7]
      assert.equal(await lock.tryAcquire({ grant }), null);
      const saving = store.state(lock.id).save(1);
      await stillPending(saving);
      await sibling.release();
      await saving;
    });
  }),
  proof(
    "[L4] outside run, the grant is passed explicitly; without it, the same caller waits",
    async (fixture) => {
      const store = await fixture.store();
      const lock = store.lock(fixture.id());
      await using grant = await lock.acquire();
      assert.equal(await lock.tryAcquire(), null);
      await using inner = await lock.acquire({ grant });
      assert.equal(inner.fence, grant.fence);
      await using innermost = await lock.acquire({ grant: inner });
      assert.equal(innermost.fence, grant.fence);
    },
  ),
  proof("[L4] two tasks of one process are two owners", async (fixture) => {
    const store = await fixture.store();
    const lock = store.lock(fixture.id());
    const [inside, go] = [deferred(), deferred()];
    const first = lock.run(async () => {
      inside.resolve();
      await go.promise;
    });
    await inside.promise;
    const second = lock.run(() => "second");
    await stillPending(second);
    go.resolve();
    await first;
    assert.equal(await second, "second");
  }),
  proof(
    "[L4] a task that outlives the grant it inherited does not hold it, and waits like any other caller",
    async (fixture) => {
      const [store, other] = [await fixture.store(), await fixture.store()];
      const lock = store.lock(fixture.id());
      const over = deferred();
      let outliving: Promise<Grant> = Promise.reject(new Error("not begun"));
      outliving.catch(() => undefined);
      const outer = await lock.run((grant) => {
        outliving = over.promise.then(() => lock.acquire());
        return grant;
      });
      const held = await other.lock(lock.id).acquire();
      over.resolve();
      await stillPending(outliving);
      await held.release();
      const grant = await outliving;
      assert.ok(grant.fence > held.fence && held.fence > outer.fence);
      await grant.release();
      await rejectsWith(lock.acquire({ grant: outer }), "LOCK_LOST");
    },
  ),
  proof(
    "[L4] releasing the outer grant ends the inner ones, and callers that wait under it",
    async (fixture) => {
      const store = await fixture.store();
      const lock = store.lock(fixture.id());
      const outer = await lock.acquire();
      const inner = await lock.acquire({ grant: outer });
      const waiting = rejection(lock.acquire({ grant: outer }));
      const { signal } = inner;
      await outer.release();
      assert.equal((await aborted(signal)).code, "LOCK_LOST");
      assert.equal(await inner.release(), false);
      assert.equal((await waiting).code, "LOCK_LOST");
      await rejectsWith(store.state(lock.id).save(1, { grant: inner }), "LOCK_LOST");
      await fixture.becomesFree(lock.id);
    },
  ),
  proof(
    "[L4] listeners of a grant's signal run in nobody's body, whoever notices the loss",
    async (fixture) => {
      const store = await fixture.store();
      const [lost, other] = [await store.lock(fixture.id()).acquire(), fixture.id()];
      const entered = new Promise<Grant | null>((resolve, reject) => {
        lost.signal.addEventListener("abort", () => {
          store.lock(other).tryAcquire().then(resolve, reject);
        });
      });
      await store.lock(other).run(async () => {
        assert.equal(await store.lock(lost.id).forceRelease(), true);
        assert.equal(await entered, null);
      });
    },
  ),
  proof(
    "[L4] the same id in two stores has two owners, even if one store is used inside the other's lock",
    async (fixture) => {
      const [one, two] = [await fixture.store(), await fixture.store()];
      const id = fixture.id();
      await one.lock(id).run(async () => {
        assert.equal(await two.lock(id).tryAcquire(), null);
      });
    },
  ),
  proof(
    "[L4] the draft function of an update may enter its lock again, but not write the state by another call",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const state = store.state(id, { initial: () => 0 });
      await state.update(async (n, context) => {
        await store.lock(id).run((grant) => assert.equal(grant.fence, context.fence));
        return n + 1;
      });
      assert.equal(await state.load(), 1);
    },
  ),
];
