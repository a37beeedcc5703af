/** A grant as text: whoever adopts its token has the lock, and the one that gave it away has it no longer. */
import { strict as assert } from "node:assert";
import { aborted, assertRises, eventually, rejectsWith } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";

export const adoptingCases: readonly Case[] = [
  proof(
    "[L1] [L3] [L5] [L6] another store adopts the lock: its fence is greater, and the old holder is told and refused",
    async (fixture) => {
      const [store, other] = await fixture.stores(2, { leaseMs: 600 });
      const id = fixture.id();
      const state = store.state<number>(id, { initial: () => 0 });
      const grant = await store.lock(id).acquire();
      await state.save(1, { grant });
      const next = await other.lock(id).adopt(grant.token());
      assertRises([grant.fence, next.fence], "fences");
      assert.deepEqual([next.id, next.held, next.signal.aborted], [id, true, false]);
      assert.equal((await aborted(grant.signal)).code, "LOCK_LOST");
      await rejectsWith(state.save(2, { grant }), "LOCK_LOST");
      await rejectsWith(grant.extend(1_000), "LOCK_LOST");
      assert.equal(await grant.release(), false);
      assert.equal(await other.state(id).load(), 1);
      await other.state<number>(id).save(3, { grant: next });
      assert.equal(await next.release(), true);
      await fixture.becomesFree(id);
    },
  ),
  proof("[L5] the holder in the same process learns of an adoption at once", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    for (const adopter of [store, other]) {
      const lock = store.lock(fixture.id());
      const grant = await lock.acquire({ renew: false });
      const next = await adopter.lock(lock.id).adopt(grant.token());
      assert.equal(grant.signal.aborted, true);
      assert.equal(grant.held, false);
      assert.equal(await next.release(), true);
      assert.equal(await grant.release(), false);
      await fixture.becomesFree(lock.id);
    }
  }),
  proof("[L1] of several calls with one token, one gets the lock", async (fixture) => {
    const stores = await fixture.stores(3);
    const id = fixture.id();
    const grant = await stores[0].lock(id).acquire();
    const token = grant.token();
    const adopted = await Promise.allSettled(stores.map((store) => store.lock(id).adopt(token)));
    const grants = adopted.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.equal(grants.length, 1);
    for (const one of adopted)
      if (one.status === "rejected") assert.equal((one.reason as { code?: string }).code, "LOCK_LOST");
    assert.equal(await grants[0]?.release(), true);
    await rejectsWith(stores[1].lock(id).adopt(token), "LOCK_LOST");
    await fixture.becomesFree(id);
  }),
  proof("[L6] a token is worth nothing after the release, and frees nobody else's lock", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const grant = await store.lock(id).acquire();
    const token = grant.token();
    await Promise.all([
      grant.release(),
      store
        .lock(id)
        .acquire()
        .then((next) => next.release()),
    ]);
    const next = await store.lock(id).acquire();
    await rejectsWith(other.lock(id).adopt(token), "LOCK_LOST");
    assert.equal(next.held, true);
    assert.equal(await next.release(), true);
    await fixture.becomesFree(id);
  }),
  proof(
    "[L1] [L2] a caller of this process that waits does not get a hold whose token was given away",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const [first, waiting] = [store.lock(id).acquire(), store.lock(id).acquire()]; // one ask, with two fences
      const grant = await first;
      const token = grant.token();
      await grant.release();
      const next = await waiting;
      await rejectsWith(other.lock(id).adopt(token), "LOCK_LOST");
      assert.equal(await next.release(), true);
    },
  ),
  proof("[L2] those that wait go on waiting, and get the lock from its new holder", async (fixture) => {
    const [store, other, third] = await fixture.stores(3);
    const id = fixture.id();
    const grant = await store.lock(id).acquire();
    const waiting = [other.lock(id).acquire(), store.lock(id).acquire()];
    await eventually(async () => assert.equal((await third.lock(id).inspect())?.waiters, 1));
    const next = await third.lock(id).adopt(grant.token());
    assert.equal(await next.release(), true);
    for (const one of waiting) await (await one).release();
    await fixture.becomesFree(id);
  }),
  proof(
    "[P2] a store that closes leaves the lock of a token to its lease, and it can be adopted",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const grant = await store.lock(id).acquire({ renew: false, leaseMs: 60_000 });
      const token = grant.token();
      await store.close();
      assert.equal((grant.signal.reason as { code?: string }).code, "CLOSED");
      const next = await other.lock(id).adopt(token, { leaseMs: 20_000 });
      assert.equal(await next.release(), true);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[P2] a store closes while a lease of a token is over that was not adopted: nothing is left",
    async (fixture) => {
      const store = await fixture.store();
      const id = fixture.id();
      const grant = await store.lock(id).acquire({ renew: false, leaseMs: 100 });
      grant.token();
      await aborted(grant.signal);
      await store.close();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[P2] what is no token of this lock is refused with advice, and is in no message",
    async (fixture) => {
      const store = await fixture.store();
      const lock = store.lock(fixture.id());
      const grant = await lock.acquire();
      const token = grant.token();
      const wrong = [
        "",
        "x",
        "1.",
        `1.${token}`,
        token.slice(0, -4),
        `2${token}`,
        7 as never,
        undefined as never,
      ];
      for (const text of wrong) await rejectsWith(lock.adopt(text), "INVALID_ARGUMENT");
      const error = await rejectsWith(store.lock(fixture.id()).adopt(token), "INVALID_ARGUMENT");
      assert.match(error.message, /token is one of the lock/);
      assert.ok(!error.message.includes(token.slice(2)));
      const shared = await store.lock(fixture.id()).acquire({ shared: true });
      assert.throws(() => shared.token(), { code: "INVALID_ARGUMENT" });
      await shared.release();
      assert.equal(await grant.release(), true);
      assert.throws(() => grant.token(), { code: "LOCK_LOST" });
    },
  ),
];
