/** Leases that are not renewed, and leases that are given another length. */
import { strict as assert } from "node:assert";
import { aborted, eventually, pause, rejectsWith } from "../../assertions.ts";
import { loseReply } from "../../faults.ts";
import { proof, type Case } from "../../suite.ts";

export const unrenewedCases: readonly Case[] = [
  proof(
    "[L5] with renew: false the lock is lost when its lease is over, and nothing renews it",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const id = fixture.id();
      const grant = await store.lock(id).acquire({ renew: false, leaseMs: 400 });
      assert.equal(grant.held, true);
      assert.ok(grant.expiresInMs > 0 && grant.expiresInMs <= 400, String(grant.expiresInMs));
      const next = await other.lock(id).acquire();
      assert.equal((await aborted(grant.signal)).code, "LOCK_LOST");
      assert.deepEqual([grant.held, grant.expiresInMs], [false, 0]);
      await rejectsWith(store.state(id).save(1, { grant }), "LOCK_LOST");
      assert.equal(await grant.release(), false);
      assert.equal(faults.calls.filter(({ method }) => method === "renewLocks").length, 0);
      assert.equal(await next.release(), true);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L6] a lock that is not renewed is saved under and released as usual; run and tryAcquire take it",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const lock = store.lock(id, { leaseMs: 20_000 });
      const how = { renew: false } as const;
      await lock.run((grant) => store.state<number>(id).save(1, { grant }), how);
      const grant = await lock.tryAcquire(how);
      assert.ok(grant !== null);
      const nested = await lock.acquire({ grant });
      assert.equal(nested.fence, grant.fence);
      assert.equal(await nested.release(), true);
      assert.equal(await grant.release(), true);
      const readers = await Promise.all([1, 2].map(() => lock.acquire({ ...how, shared: true })));
      assert.deepEqual(await Promise.all(readers.map((reader) => reader.release())), [true, true]);
      assert.equal(await store.state(id).load(), 1);
      await fixture.becomesFree(id);
    },
  ),
  proof("[L2] [L5] callers of one process with and without renewal do not share a hold", async (fixture) => {
    const store = await fixture.store({ leaseMs: 500 });
    const lock = store.lock(fixture.id());
    const first = await lock.acquire({ renew: false });
    const [waiting, unrenewed] = [lock.acquire(), lock.acquire({ renew: false })];
    await pause(200);
    await first.release();
    const renewed = await waiting;
    await pause(700);
    assert.equal(renewed.held, true);
    await renewed.release();
    const last = await unrenewed;
    assert.ok(last.expiresInMs > 300, String(last.expiresInMs)); // a lease of its own
    const again = lock.acquire({ renew: false });
    const before = (await lock.inspect())?.holder;
    await last.release(); // at once: others would get the same hold
    const fresh = await again;
    assert.notDeepEqual((await lock.inspect())?.holder, before);
    assert.equal((await aborted(fresh.signal)).code, "LOCK_LOST");
    await fixture.becomesFree(lock.id);
  }),
  proof("[L5] [L2] a waiter without renewal gets its full lease", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const held = await other.lock(id).acquire();
    const waiting = store.lock(id).acquire({ renew: false, leaseMs: 60_000 });
    await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
    await held.release();
    const grant = await waiting;
    assert.ok(grant.expiresInMs > 40_000, String(grant.expiresInMs));
    const left = (await other.lock(id).inspect())?.expiresInMs ?? 0;
    assert.ok(left >= grant.expiresInMs, `${String(left)} ms there`);
    assert.equal(await grant.release(), true);
  }),
  proof(
    "[L5] extend gives a lease from now on, longer or shorter, with or without renewal",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      for (const renew of [true, false]) {
        const lock = store.lock(fixture.id());
        const grant = await lock.acquire({ renew, leaseMs: 1_000 });
        await grant.extend(60_000);
        assert.ok(grant.expiresInMs > 40_000 && grant.expiresInMs <= 60_000, String(grant.expiresInMs));
        const there = (await other.lock(lock.id).inspect())?.expiresInMs ?? 0;
        assert.ok(there >= grant.expiresInMs && there <= 60_000, `${String(there)} ms there`);
        await grant.extend(300);
        assert.ok(grant.expiresInMs <= 300, String(grant.expiresInMs));
        await pause(600);
        assert.equal(grant.held, renew);
        if (!renew) await rejectsWith(grant.extend(300), "LOCK_LOST");
        assert.equal(await grant.release(), renew);
        await rejectsWith(grant.extend(300), "LOCK_LOST");
        await fixture.becomesFree(lock.id);
      }
    },
  ),
  proof(
    "[L5] [S5] extensions that lose their replies are repeated, and never promise too much",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
      const other = await fixture.store();
      const lock = store.lock(fixture.id());
      const grant = await lock.acquire({ renew: false, leaseMs: 10_000 });
      faults.once("renewLocks", loseReply());
      await grant.extend(40_000);
      const there = (await other.lock(lock.id).inspect())?.expiresInMs ?? 0;
      assert.ok(grant.expiresInMs > 20_000 && there >= grant.expiresInMs, `${String(grant.expiresInMs)} ms`);
      const silence = faults.always("renewLocks", loseReply());
      await rejectsWith(grant.extend(5_000), "UNREACHABLE");
      silence.cancel();
      assert.ok(grant.expiresInMs <= 5_000, "the shorter one may have been carried out");
      await grant.extend(30_000);
      assert.ok(grant.expiresInMs <= 5_000, "the shorter one may still come");
      assert.equal(grant.held, true);
      await Promise.all([grant.extend(2_000), grant.extend(3_000)]);
      assert.equal(await grant.release(), true);
      await fixture.becomesFree(lock.id);
    },
  ),
  proof("[L5] a lease that was extended is one that others see", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const lock = store.lock(fixture.id());
    const before = Date.now();
    const grant = await lock.acquire({ renew: false, leaseMs: 60_000 });
    const after = Date.now();
    const info = await other.lock(lock.id).inspect();
    const at = info?.acquiredAt?.getTime() ?? 0;
    assert.ok(at >= before - 50 && at <= after + 1_000, `${String(at - before)} ms`);
    await rejectsWith(grant.extend(99), "INVALID_ARGUMENT");
    await rejectsWith(grant.extend(Infinity), "INVALID_ARGUMENT");
    assert.equal(await grant.release(), true);
  }),
];
