/** Semaphores as a user sees them [L13]. */
import { strict as assert } from "node:assert";
import type { PermitGrant, Semaphore } from "../../../handles/semaphore.ts";
import { aborted, assertRises, eventually, pause, rejectsWith, stillPending } from "../../assertions.ts";
import type { Fixture } from "../../fixture.ts";
import { proof, type Case } from "../../suite.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Handles of two stores. */
async function two(fixture: Fixture, permits: number): Promise<[Semaphore, Semaphore, string]> {
  const [a, b] = await fixture.stores(2);
  const id = fixture.id();
  return [a.semaphore(id, { permits }), b.semaphore(id, { permits }), id];
}

function hasWaiters(semaphore: Semaphore, waiters: number): Promise<void> {
  return eventually(async () => assert.equal((await semaphore.inspect())?.waiters, waiters));
}

function releaseAll(grants: readonly PermitGrant[]): Promise<boolean[]> {
  return Promise.all(grants.map((grant) => grant.release()));
}

export const semaphoreCases: readonly Case[] = [
  proof(
    "[L13] [L3] of many callers with weights, never more than the permits are used; all are served",
    async (fixture) => {
      const stores = await fixture.stores(3, { waitMs: 60_000 });
      const id = fixture.id();
      let [used, served] = [0, 0];
      const fences = new Set<number>();
      const enter = async ({ weight, fence }: PermitGrant): Promise<void> => {
        used += weight;
        assert.ok(used <= 5, `${used} permits are used`);
        fences.add(fence);
        await pause(1);
        used -= weight;
        served += 1;
      };
      await Promise.all(
        stores.flatMap((store) =>
          range(15).map((n) => store.semaphore(id, { permits: 5 }).run(enter, { weight: (n % 5) + 1 })),
        ),
      );
      assert.equal(served, 45);
      assert.equal(fences.size, 45);
      assert.equal((await stores[0].semaphore(id).inspect())?.used, 0);
    },
  ),
  proof(
    "[L13] first come, first served, whatever the weight: a small one does not overtake a big one",
    async (fixture) => {
      const [a, b] = await two(fixture, 3);
      const held = [await a.acquire(), await b.acquire()];
      const big = a.acquire({ weight: 3 });
      await hasWaiters(b, 1);
      assert.equal(await b.tryAcquire(), null); // although one permit is free
      const small = b.acquire();
      await hasWaiters(a, 2);
      await releaseAll(held);
      const grant = await big;
      await stillPending(small);
      await grant.release();
      await (await small).release();
    },
  ),
  proof("[L13] many callers of one process are served in call order", async (fixture) => {
    const [a, b] = await two(fixture, 2);
    const held = await b.acquire({ weight: 2 });
    const order: number[] = [];
    const calls = range(100).map((n) => a.run(() => void order.push(n), { weight: 2, waitMs: 60_000 }));
    await held.release();
    await Promise.all(calls);
    assert.deepEqual(order, range(100));
  }),
  proof("[L13] permits come back when a function throws, and when a store closes", async (fixture) => {
    const [one, other] = await fixture.stores(2);
    const id = fixture.id();
    const [a, b] = [one.semaphore(id, { permits: 1 }), other.semaphore(id, { permits: 1 })];
    await assert.rejects(
      a.run(() => Promise.reject(new Error("no"))),
      /no/,
    );
    const grant = await a.acquire();
    await one.close({ drainMs: 0 });
    assert.equal((await aborted(grant.signal)).code, "CLOSED");
    await (await b.acquire()).release();
  }),
  proof(
    "[L13] another number than the semaphore's is an error that names both; none takes the stored one",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const none = await rejectsWith(store.semaphore(id).acquire(), "INVALID_ARGUMENT");
      assert.match(none.message, /There is no semaphore/);
      const grant = await store.semaphore(id, { permits: 4 }).acquire();
      const wrong = await rejectsWith(store.semaphore(id, { permits: 6 }).acquire(), "INVALID_ARGUMENT");
      assert.match(wrong.message, /has 4 permits, but this handle says 6/);
      const heavy = await rejectsWith(store.semaphore(id).acquire({ weight: 5 }), "INVALID_ARGUMENT");
      assert.match(heavy.message, /which is 4; got 5/);
      await (await store.semaphore(id).acquire({ weight: 3 })).release();
      await grant.release();
    },
  ),
  proof(
    "[L13] resize() lets holders finish, refuses waiters that are too heavy, and serves those that fit",
    async (fixture) => {
      const [a, b, id] = await two(fixture, 4);
      const held = await a.acquire({ weight: 4 });
      const heavy = b.acquire({ weight: 3 });
      await hasWaiters(a, 1);
      const light = a.acquire({ weight: 2 });
      await hasWaiters(a, 2);
      assert.equal(await a.resize(2), true);
      const refused = await rejectsWith(heavy, "INVALID_ARGUMENT");
      assert.match(refused.message, /which is 2; got 3/);
      assert.equal(held.signal.aborted, false);
      const info = await b.inspect();
      assert.deepEqual([info?.permits, info?.createdWith, info?.used], [2, 4, 4]);
      await stillPending(light);
      await held.release();
      const grant = await light;
      const next = b.acquire();
      await hasWaiters(a, 1);
      assert.equal(await b.resize(3), true); // by a handle that still says 4
      await (await next).release();
      await grant.release();
      assert.equal(id, a.id);
    },
  ),
  proof(
    "[L13] inspect() names the holders and their weights; delete() removes one that is not in use",
    async (fixture) => {
      const [a, b] = await two(fixture, 3);
      assert.equal(await a.inspect(), null);
      assert.equal(await a.delete(), false);
      const one = await a.acquire({ weight: 2 });
      const other = await b.acquire();
      assertRises([one.fence, other.fence], "fences");
      const info = await a.inspect();
      assert.deepEqual(
        info?.holders.map(({ weight, fence, here }) => [weight, fence, here]),
        [
          [2, one.fence, true],
          [1, other.fence, false],
        ],
      );
      assert.equal(await a.delete(), false);
      await releaseAll([one, other]);
      assert.equal(await b.delete(), true);
      assert.equal(await a.inspect(), null);
    },
  ),
  proof("[L13] [L7] a wait for permits ends with its time or signal, and leaves nothing", async (fixture) => {
    const [a, b] = await two(fixture, 1);
    const held = await a.acquire();
    await rejectsWith(b.acquire({ waitMs: 30 }), "LOCK_TIMEOUT");
    assert.equal(await b.tryAcquire(), null);
    const abort = new AbortController();
    const calls = range(100).map(() => b.acquire({ signal: abort.signal }));
    await eventually(async () => assert.ok(((await a.inspect())?.waiters ?? 0) > 0));
    abort.abort(new Error("enough"));
    for (const call of calls) await assert.rejects(call, /enough/);
    await hasWaiters(a, 0);
    await held.release();
    await (await b.acquire()).release();
  }),
  proof(
    "[L13] locks, states and their listings know nothing of a semaphore of the same id",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const grant = await store.semaphore(id, { permits: 1 }).acquire();
      const lock = await store.lock(id).tryAcquire();
      assert.ok(lock);
      await store.state(id).save(1, { grant: lock });
      for await (const entry of store.locks()) assert.ok(!entry.id.includes("semaphore"));
      await lock.release();
      assert.equal(await grant.release(), true);
    },
  ),
];
