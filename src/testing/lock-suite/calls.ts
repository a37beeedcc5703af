/** Locks as a user sees them: acquire, tryAcquire, run, inspect, forceRelease, and grants. */
import { strict as assert } from "node:assert";
import type { Grant } from "../../ownership/public-grant.ts";
import type { Store } from "../../store/store.ts";
import {
  aborted,
  assertRises,
  eventually,
  pause,
  rejection,
  rejectsWith,
  stillPending,
} from "../assertions.ts";
import { needing, proof, type Case } from "../suite.ts";
import type { Fixture } from "../fixture.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function two(fixture: Fixture): Promise<[Store, Store, string]> {
  const [a, b] = await fixture.stores(2);
  return [a, b, fixture.id()];
}

export const callCases: readonly Case[] = [
  proof(
    "[L1] of many callers in several stores, never two are inside; every call is served once",
    async (fixture) => {
      const stores = await fixture.stores(3, { waitMs: 60_000 });
      const id = fixture.id();
      let inside = 0;
      let served = 0;
      const fences: number[] = [];
      const enter = async (grant: Grant): Promise<void> => {
        inside += 1;
        assert.equal(inside, 1, "two inside at once");
        fences.push(grant.fence);
        await pause(served % 5 === 0 ? 1 : 0);
        inside -= 1;
        served += 1;
      };
      const each = async (store: Store): Promise<void> => {
        await Promise.all(range(25).map(() => store.lock(id).run(enter)));
        for (let n = 0; n < 5; n += 1) await store.lock(id).run(enter);
      };
      await Promise.all(stores.map(each));
      assert.equal(served, 90);
      assertRises(fences, "fences"); // [L3] in the order in which they entered
      await fixture.becomesFree(id);
    },
  ),
  proof("[L2] callers of one process are served in call order, whatever they want", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const holder = await b.lock(id).acquire();
    const order: number[] = [];
    const state = a.state(id, { initial: () => 0 });
    const calls = range(30).map((n) => {
      if (n % 3 === 0) return a.lock(id).run(() => void order.push(n));
      if (n % 3 === 1) return state.update(() => void order.push(n));
      return a
        .lock(id)
        .acquire()
        .then(async (grant) => {
          order.push(n);
          await grant.release();
        });
    });
    await pause(20);
    await holder.release();
    await Promise.all(calls);
    assert.deepEqual(order, range(30));
  }),
  proof("[L2] processes get the lock in the order in which they asked", async (fixture) => {
    const [first, ...stores] = [await fixture.store(), ...(await fixture.stores(3))];
    const id = fixture.id();
    const holder = await first.lock(id).acquire();
    const order: number[] = [];
    const calls: Promise<void>[] = [];
    for (const [n, store] of stores.entries()) {
      calls.push(store.lock(id).run(() => void order.push(n)));
      await eventually(async () => assert.equal((await first.lock(id).inspect())?.waiters, n + 1));
    }
    await holder.release();
    await Promise.all(calls);
    assert.deepEqual(order, [0, 1, 2]);
  }),
  proof("[L2] a hold is bounded: a process with many callers lets the others in", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const holder = await fixture.store();
    const held = await holder.lock(id).acquire();
    let ahead = 0;
    const many = range(100).map(() => a.lock(id).run(() => void (ahead += 1)));
    await eventually(async () => assert.equal((await holder.lock(id).inspect())?.waiters, 1));
    const one = b.lock(id).run(() => ahead);
    await eventually(async () => assert.equal((await holder.lock(id).inspect())?.waiters, 2));
    await held.release();
    const before = await one;
    assert.ok(before <= 16, `the other one had to wait for ${String(before)} calls`);
    await Promise.all(many);
  }),
  proof(
    "[L6] run returns what fn returned, and always releases; an error of fn takes precedence",
    async (fixture) => {
      const [a, , id] = await two(fixture);
      const lock = a.lock(id);
      assert.equal(await lock.run((grant) => (assert.equal(grant.id, id), 5)), 5);
      const mine = new Error("mine");
      assert.equal(await rejection(lock.run(() => Promise.reject(mine))), mine);
      assert.equal(
        await rejection(
          lock.run(() => {
            throw mine;
          }),
        ),
        mine,
      );
      await lock.run((grant) => grant.release());
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L6] release returns true if the lock was held, may be repeated, and await using releases",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const grant = await a.lock(id).acquire();
      assert.deepEqual(await Promise.all([grant.release(), grant.release()]), [true, true]);
      assert.equal(await grant.release(), true);
      assert.equal(grant.signal.aborted, false);
      {
        await using inner = await b.lock(id).acquire();
        assert.equal(await a.lock(id).tryAcquire(), null);
        assert.ok(inner.fence > grant.fence);
      }
      await (await a.lock(id).acquire({ waitMs: 0 })).release();
    },
  ),
  proof(
    "[L1] tryAcquire returns null while the lock is held, in this store or another, and leaves nothing behind",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const grant = await a.lock(id).tryAcquire();
      assert.ok(grant !== null);
      assert.equal(await a.lock(id).tryAcquire(), null);
      assert.equal(await b.lock(id).tryAcquire(), null);
      assert.equal((await a.lock(id).inspect())?.waiters, 0);
      await grant.release();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L7] LockTimeoutError says who holds the lock, and what to do if it is the caller itself",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const grant = await a.lock(id).acquire();
      const elsewhere = await rejectsWith(b.lock(id).acquire({ waitMs: 30 }), "LOCK_TIMEOUT");
      assert.match(elsewhere.message, new RegExp(`process ${String(process.pid)} on \\S+`));
      assert.match(elsewhere.message, /30 ms/);
      const here = await rejectsWith(a.lock(id).acquire({ waitMs: 0 }), "LOCK_TIMEOUT");
      assert.match(here.message, /held by this store in this process/);
      assert.match(here.message, /\{ grant \}/);
      assert.equal(here.outcome, "none");
      await grant.release();
      await fixture.becomesFree(id);
    },
  ),
  proof("[L7] LockTimeoutError names the present holder, not a previous one", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const theirs = await b.lock(id).acquire();
    const waiting = a.lock(id).acquire();
    await eventually(async () => assert.equal((await b.lock(id).inspect())?.waiters, 1));
    await theirs.release();
    const ours = await waiting;
    const error = await rejectsWith(a.lock(id).acquire({ waitMs: 20 }), "LOCK_TIMEOUT");
    assert.match(error.message, /held by this store in this process/);
    await ours.release();
  }),
  needing(
    ["putForeignLock", "removeForeignLock"],
    "[L11] LockTimeoutError names a foreign holder's token; a waiter gets the lock when it is released",
    async (fixture) => {
      const [a, , id] = await two(fixture);
      await fixture.hook("putForeignLock")(id, "their token", 1_000);
      const error = await rejectsWith(a.lock(id).acquire({ waitMs: 30 }), "LOCK_TIMEOUT");
      assert.match(error.message, /foreign.*their token/);
      const info = await a.lock(id).inspect();
      assert.deepEqual([info?.holder, info?.fence], [{ foreign: "their token" }, null]);
      await (await a.lock(id).acquire()).release(); // when its lease has ended
    },
  ),
  proof(
    "[L1] inspect and locks() report holders, remaining leases and the number of waiters",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      assert.equal(await a.lock(id).inspect(), null);
      const grant = await a.lock(id).acquire({ leaseMs: 60_000 });
      const waiting = b.lock(id).acquire();
      const info = await eventually(async () => {
        const seen = await b.lock(id).inspect();
        assert.equal(seen?.waiters, 1);
        return seen;
      });
      assert.ok("pid" in info.holder);
      assert.equal(info.holder.pid, process.pid);
      assert.equal(info.holder.here, false);
      assert.equal(info.fence, grant.fence);
      assert.ok(info.expiresInMs !== null && info.expiresInMs > 30_000 && info.expiresInMs <= 60_000);
      const listed = [];
      for await (const one of a.locks({ idPrefix: id })) listed.push(one);
      assert.deepEqual(
        listed.map(({ holder }) => "here" in holder && holder.here),
        [true],
      );
      await grant.release();
      await (await waiting).release();
    },
  ),
  proof(
    "[L6] forceRelease takes the lock if ifFence matches, notifies the holder, and hands the lock to the next",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      assert.equal(await b.lock(id).forceRelease(), false);
      const grant = await a.lock(id).acquire();
      const next = b.lock(id).acquire();
      await eventually(async () => assert.equal((await a.lock(id).inspect())?.waiters, 1));
      assert.equal(await b.lock(id).forceRelease({ ifFence: grant.fence + 1_000 }), false);
      await stillPending(next);
      assert.equal(await b.lock(id).forceRelease({ ifFence: grant.fence }), true);
      const won = await next;
      assert.ok(won.fence > grant.fence);
      if (fixture.pushes) assert.equal((await aborted(grant.signal)).code, "LOCK_LOST");
      await rejectsWith(a.state(id).save(1, { grant }), "LOCK_LOST");
      assert.equal(await grant.release(), false);
      await won.release();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L6] forceRelease of a lock that the same store holds aborts its signal at once",
    async (fixture) => {
      const [a, , id] = await two(fixture);
      const grant = await a.lock(id).acquire();
      const { signal } = grant;
      assert.equal(await a.lock(id).forceRelease(), true);
      assert.equal(signal.aborted, true);
      assert.equal(await grant.release(), false);
      await fixture.becomesFree(id);
    },
  ),
  proof("[L10] a holder has died: the waiter gets the lock when the lease ends", async (fixture) => {
    const client = await fixture.client();
    const [store, id] = [await fixture.store(), fixture.id()];
    const dead = await client.ticketFor(id).grantReply({ leaseMs: 400 });
    await using grant = await store.lock(id).acquire();
    assert.ok(grant.fence > dead.fence);
  }),
  needing(["pushes"], "[L8] after a lost wake, the next ask gets the lock", async (fixture) => {
    const holder = await fixture.store({ leaseMs: 300 });
    const { store, faults } = await fixture.faultyStore();
    const id = fixture.id();
    faults.wakes = "drop";
    const held = await holder.lock(id).acquire();
    const waiting = store.lock(id).acquire();
    await eventually(async () => assert.equal((await holder.lock(id).inspect())?.waiters, 1));
    await held.release();
    await (await waiting).release(); // when the reported lease ends, at the latest
    await fixture.becomesFree(id);
  }),
  proof("[L2] grants of different leases wait for each other, in order", async (fixture) => {
    const [a, , id] = await two(fixture);
    const order: number[] = [];
    const calls = range(12).map((n) =>
      a.lock(id).run(() => void order.push(n), { leaseMs: 1_000 * (1 + (n % 3)) }),
    );
    await Promise.all(calls);
    assert.deepEqual(order, range(12));
    await fixture.becomesFree(id);
  }),
];
