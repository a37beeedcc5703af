/** Losing a lock [L5] and giving up [L7]: the holder is notified in time, and nothing is left behind. */
import { strict as assert } from "node:assert";
import { aborted, deferred, eventually, pause, rejection, rejectsWith } from "../assertions.ts";
import { delay, failBefore, hang, LateCopy, loseReply, meanwhile } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";

export const lossCases: readonly Case[] = [
  proof(
    "[L5] renewals get no reply: the signal aborts at most one lease after the last successful one was sent",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 400 });
      const grant = await store.lock(fixture.id()).acquire();
      const { signal } = grant;
      faults.always("renewLocks", hang());
      assert.equal((await aborted(signal)).code, "LOCK_LOST");
      assert.equal(await grant.release(), false);
    },
  ),
  proof(
    "[L5] renewals get no reply: the signal has aborted before another holder enters",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 400 });
      const other = await fixture.store();
      const id = fixture.id();
      faults.always("renewLocks", hang());
      const grant = await store.lock(id).acquire();
      const { signal } = grant; // reading it again would check the clock
      await using next = await other.lock(id).acquire();
      assert.equal(signal.aborted, true);
      assert.ok(next.fence > grant.fence);
      assert.equal(await grant.release(), false);
    },
  ),
  needing(
    ["pushes"],
    "[L5] a late wake: its lease counts from the last ask, so it has ended before another holder enters",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 1_000 });
      const [holder, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
      const held = await holder.lock(id).acquire();
      const waiting = store.lock(id).acquire();
      await eventually(async () => assert.equal((await holder.lock(id).inspect())?.waiters, 1));
      faults.wakes = 350;
      faults.always("renewLocks", hang());
      const next = client.ticketFor(id);
      await next.queued();
      await held.release();
      const { signal } = await waiting;
      await eventually(() => next.granted());
      assert.equal(signal.aborted, true);
    },
  ),
  proof(
    "[L5] the event loop is blocked beyond the lease: the next check reports that the lock is lost",
    async (fixture) => {
      const store = await fixture.store({ leaseMs: 150 });
      const grant = await store.lock(fixture.id()).acquire();
      const { signal } = grant;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250); // like a long computation
      assert.equal(grant.signal.aborted, true);
      assert.equal(signal.aborted, true);
      await rejectsWith(store.state(grant.id).save(1, { grant }), "LOCK_LOST");
      assert.equal(await grant.release(), false);
      await fixture.becomesFree(grant.id);
    },
  ),
  proof("[L5] after one lost renewal, the next keeps the lock held", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ leaseMs: 600 });
    const other = await fixture.store();
    const grant = await store.lock(fixture.id()).acquire();
    const plans = [1, 3, 5].map((nth) => faults.once("renewLocks", loseReply(), nth));
    await eventually(() => assert.ok(plans.every(({ fired }) => fired)));
    await eventually(() =>
      assert.ok(faults.calls.filter(({ method }) => method === "renewLocks").length > 6),
    );
    assert.equal(grant.signal.aborted, false);
    assert.equal(await other.lock(grant.id).tryAcquire(), null);
    assert.equal(await grant.release(), true);
  }),
  proof(
    "[L5] renewals that are answered after more than a quarter of the lease keep the lock",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 3_000 });
      const grant = await store.lock(fixture.id()).acquire();
      faults.always("renewLocks", delay(0, 1_200));
      await pause(5_000);
      assert.equal(grant.signal.aborted, false);
      assert.equal(await grant.release(), true);
      await fixture.becomesFree(grant.id);
    },
  ),
  needing(
    ["deleteLock"],
    "[L5] the lock is deleted while it is held: the next renewal reports it, and release returns false",
    async (fixture) => {
      const [store, other] = await fixture.stores(2, { leaseMs: 300 });
      const id = fixture.id();
      const run = store.lock(id).run(async ({ signal }) => {
        await fixture.hook("deleteLock")(id);
        assert.equal((await aborted(signal)).code, "LOCK_LOST");
        await using _next = await other.lock(id).acquire();
        return "what fn returned";
      });
      const error = await rejectsWith(run, "LOCK_LOST");
      assert.equal(error.result, "what fn returned");
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L5] a grant whose reply comes after its lease is not handed out, and is given back",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 150 });
      const id = fixture.id();
      faults.once("acquireLock", delay(0, 250));
      const handedOutAt = store.lock(id).acquire();
      const grant = await handedOutAt; // by a later ask
      assert.equal(grant.signal.aborted, false);
      assert.ok(faults.calls.filter(({ method }) => method === "acquireLock").length > 1);
      await grant.release();
      await fixture.becomesFree(id);
    },
  ),
  proof("[L6] a renewal that arrives after the release does not bring the lock back", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ leaseMs: 300 });
    const other = await fixture.store();
    const id = fixture.id();
    const copy = new LateCopy();
    const plan = faults.once("renewLocks", copy.fault);
    const grant = await store.lock(id).acquire();
    await eventually(() => assert.ok(plan.fired));
    await grant.release();
    await copy.deliver();
    assert.equal(await other.lock(id).inspect(), null);
  }),
  proof("[L6] renewal ends before the release is sent", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ leaseMs: 300 });
    const grant = await store.lock(fixture.id()).acquire();
    faults.once("releaseLock", delay(250));
    let renewed = 0;
    const releasing = grant.release();
    faults.always("renewLocks", meanwhile({ before: () => (renewed += 1) }));
    await releasing;
    assert.equal(renewed, 0);
  }),
  proof("[L6] release and renewal race repeatedly: the lock is free each time", async (fixture) => {
    const [store, other] = [await fixture.store({ leaseMs: 100 }), await fixture.store()];
    const ids = Array.from({ length: 100 }, () => fixture.id());
    await Promise.all(
      ids.map(async (id, n) => {
        const grant = await store.lock(id).acquire();
        await pause(20 + (n % 30)); // around the renewal at a third of the lease
        await grant.release();
      }),
    );
    for (const id of ids) assert.equal(await other.lock(id).inspect(), null);
  }),
  proof(
    "[L5] a call without a reply for operationMs fails as UNREACHABLE, even if it was only waiting",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
      const id = fixture.id();
      const silent = faults.always("any", failBefore("unknown"));
      const calls = [store.lock(id).acquire(), store.lock(id).tryAcquire(), store.lock(id).inspect()];
      await Promise.all(calls.map((call) => rejectsWith(call, "UNREACHABLE")));
      silent.cancel();
      await (await store.lock(id).acquire()).release();
      await fixture.becomesFree(id);
    },
  ),
  proof("[L5] an error of fn takes precedence over the loss of the lock", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ leaseMs: 150 });
    faults.always("renewLocks", failBefore("unknown"));
    const gone = deferred();
    const mine = new Error("mine");
    const run = store.lock(fixture.id()).run(async ({ signal }) => {
      await aborted(signal);
      gone.resolve();
      throw mine;
    });
    await gone.promise;
    assert.equal(await rejection(run), mine);
  }),
];
