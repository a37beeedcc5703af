/** `maxHoldMs`: the signal aborts first, and then the lock is given up. */
import { strict as assert } from "node:assert";
import { aborted, deferred, eventually, inTime, pause, rejectsWith, stillPending } from "../assertions.ts";
import { proof, type Case } from "../suite.ts";

const never = (): Promise<never> => new Promise(() => undefined);

export const holdLimitCases: readonly Case[] = [
  proof(
    "[L5] maxHoldMs is over: the signal says so, and until the grace is over the lock is held",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const lock = store.lock(fixture.id(), { maxHoldMs: 30 });
      const result = await lock.run(async (grant) => {
        const reason = await aborted(grant.signal);
        assert.equal(reason.code, "LOCK_LOST");
        assert.match(reason.message, /^maxHoldMs \(30 ms\) of the lock .* is over/);
        assert.ok(reason.message.includes(`${JSON.stringify(grant.id)} (fence ${grant.fence})`));
        await store.state(lock.id).save("in the grace");
        assert.equal(await other.lock(lock.id).tryAcquire(), null);
        await lock.run((inner) => assert.equal(inner.signal.aborted, true));
        return "in good order";
      });
      assert.equal(result, "in good order");
      assert.equal(await other.state(lock.id).load(), "in the grace");
      const grant = await lock.acquire();
      await aborted(grant.signal);
      assert.equal(await grant.release(), true);
      await fixture.becomesFree(lock.id);
    },
  ),
  proof(
    "[L5] [S4] a function that does not end: the lock is given up, and its saves are refused",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const [inside, go] = [deferred(), deferred()];
      const run = store.lock(id).run(
        async () => {
          inside.resolve();
          await go.promise;
          await rejectsWith(store.state(id).save("late"), "LOCK_LOST");
          return "what fn returned";
        },
        { maxHoldMs: 30 },
      );
      run.catch(() => undefined);
      await inside.promise;
      const [next, mine] = [other.lock(id).acquire(), store.lock(id).acquire()];
      for (const one of [next, mine]) await (await inTime(one)).release(); // of this process as well
      await other.state(id).save("by the next");
      go.resolve();
      const error = await rejectsWith(run, "LOCK_LOST");
      assert.match(error.message, /held for longer than maxHoldMs \(30 ms\)/);
      assert.equal(error.result, "what fn returned");
      assert.equal(await other.state(id).load(), "by the next");
      await fixture.becomesFree(id);
    },
  ),
  proof("[L5] a grant that is held for too long is given up: release answers false", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const lock = store.lock(fixture.id());
    for (const call of ["acquire", "tryAcquire"] as const) {
      const grant = await lock[call]({ maxHoldMs: 20 });
      assert.ok(grant);
      await using next = await other.lock(lock.id).acquire();
      assert.equal(grant.signal.aborted, true);
      assert.ok(next.fence > grant.fence);
      await rejectsWith(store.state(lock.id).save("late", { grant }), "LOCK_LOST");
      assert.equal(await grant.release(), false);
    }
    await fixture.becomesFree(lock.id);
  }),
  proof("[L5] released in time, or with a call's own Infinity: nothing happens", async (fixture) => {
    const store = await fixture.store();
    const lock = store.lock(fixture.id(), { maxHoldMs: 20 });
    const grant = await lock.acquire();
    const { signal } = grant;
    assert.equal(await grant.release(), true);
    const unlimited = await lock.acquire({ maxHoldMs: Infinity });
    await pause(60);
    assert.deepEqual([signal.aborted, unlimited.signal.aborted], [false, false]);
    assert.equal(await unlimited.release(), true);
    assert.equal(await lock.run(() => "result"), "result");
  }),
  proof("[L5] [L4] a re-entry has the limit of the outer grant, and none of its own", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const lock = store.lock(fixture.id());
    await lock.run((outer) =>
      lock.run(
        async (inner) => {
          await pause(60);
          assert.deepEqual([outer.signal.aborted, inner.signal.aborted], [false, false]);
        },
        { maxHoldMs: 1 },
      ),
    );
    const run = lock.run(
      (outer) => lock.run(({ signal }) => aborted(signal).then(() => outer.signal.aborted)),
      {
        maxHoldMs: 30,
      },
    );
    assert.equal(await run, true);
    const late = lock.run(
      () =>
        lock.run(async (inner) => {
          await (await other.lock(lock.id).acquire()).release(); // by now it was given up
          return inner.release();
        }),
      { maxHoldMs: 30 },
    );
    assert.equal((await rejectsWith(late, "LOCK_LOST")).result, false);
    await fixture.becomesFree(lock.id);
  }),
  proof(
    "[L5] [S3] an update whose function does not end saves nothing, and the others go on",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const state = store.state(id, { initial: () => ({ n: 0 }), maxHoldMs: 30 });
      const go = deferred();
      const reasons: unknown[] = [];
      const stuck = [
        state.update(async (_, { signal }) => {
          reasons.push((await aborted(signal)).code);
          await go.promise;
          return { n: 100 };
        }),
        state.run(async (draft, { signal }) => {
          draft.n = 200;
          reasons.push((await aborted(signal)).code);
          await go.promise;
          throw new Error("its own");
        }),
      ];
      void state.update(never).catch(() => undefined);
      for (const one of stuck) one.catch(() => undefined);
      assert.deepEqual(await inTime(state.run((draft) => ++draft.n)), 1);
      await other.state(id, { initial: () => ({ n: 0 }) }).run((draft) => ++draft.n);
      assert.deepEqual(reasons, ["LOCK_LOST", "LOCK_LOST"]);
      await stillPending(Promise.race(stuck)); // they are answered when their functions have ended
      go.resolve();
      const error = await rejectsWith(stuck[0] as Promise<unknown>, "LOCK_LOST");
      assert.match(error.message, /held for longer than maxHoldMs \(30 ms\)/);
      await assert.rejects(stuck[1] as Promise<unknown>, { message: "its own" });
      assert.deepEqual(await state.load(), { n: 2 });
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L5] an update that ends in the grace is saved; under a grant, the grant's limit counts",
    async (fixture) => {
      const store = await fixture.store();
      const state = store.state(fixture.id(), { initial: () => 0 });
      const ended = state.update(async (n, { signal }) => aborted(signal).then(() => n + 1), {
        maxHoldMs: 30,
      });
      assert.equal(await ended, 1);
      const nested = store.lock(state.id).run(() =>
        state.update(async (n, { signal }) => pause(60).then(() => (signal.aborted ? -1 : n + 1)), {
          maxHoldMs: 1,
        }),
      );
      assert.equal(await nested, 2);
    },
  ),
  proof(
    "[L5] [L14] several locks are given up together; those that were held before are not",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const ids = [fixture.id(), fixture.id(), fixture.id()];
      const [outer = "", ...rest] = ids;
      const inside = deferred();
      const run = store.lock(outer).run(async (held) => {
        const several = store.lockAll(ids, { maxHoldMs: 30 }).run(async ({ signal }) => {
          inside.resolve();
          assert.match((await aborted(signal)).message, /^maxHoldMs \(30 ms\) of the locks /);
          await eventually(async () => {
            for (const id of rest) assert.equal(await other.lock(id).inspect(), null);
          });
          await rejectsWith(store.state(outer).save("late"), "LOCK_LOST");
          return "what fn returned";
        });
        assert.equal((await rejectsWith(several, "LOCK_LOST")).result, "what fn returned");
        assert.deepEqual([held.signal.aborted, await held.release()], [false, true]);
      });
      await inside.promise;
      await run;
      for (const id of ids) await fixture.becomesFree(id);
    },
  ),
  proof("[L5] [L4] in the grace, calls that wait for another one of their owner go on", async (fixture) => {
    const store = await fixture.store();
    const lock = store.lock(fixture.id(), { maxHoldMs: 30 });
    const result = await lock.run(async (grant) => {
      const first = await lock.acquire();
      const saved = store.state(lock.id).save("after it");
      await aborted(grant.signal);
      await stillPending(saved);
      await first.release();
      return saved;
    });
    assert.ok(result > 0);
  }),
];
