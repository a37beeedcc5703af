/** Losing a lock [L5] and giving up [L7]: the holder learns it in time, and nothing is left behind. */
import { strict as assert } from "node:assert";
import { getEventListeners } from "node:events";
import type { Store } from "../../store.ts";
import { aborted, deferred, eventually, inTime, pause, rejection, rejectsWith } from "../assertions.ts";
import { delay, failBefore, hang, LateCopy, loseReply, meanwhile } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";

/** A call that may have to wait, with a signal to stop it. Settles when whatever it got has been given back. */
interface Stoppable {
  readonly name: string;
  readonly run: (store: Store, id: string, signal: AbortSignal) => Promise<unknown>;
}

const stoppables: readonly Stoppable[] = [
  { name: "acquire", run: async (store, id, signal) => (await store.lock(id).acquire({ signal })).release() },
  {
    name: "tryAcquire",
    run: async (store, id, signal) => (await store.lock(id).tryAcquire({ signal }))?.release(),
  },
  { name: "lock.run", run: (store, id, signal) => store.lock(id).run(() => pause(1), { signal }) },
  { name: "save", run: (store, id, signal) => store.state<string>(id).save("mine", { signal }) },
  { name: "delete", run: (store, id, signal) => store.state<string>(id).delete({ signal }) },
  { name: "update", run: (store, id, signal) => store.state<string>(id).update(() => "mine", { signal }) },
];

/** Aborted before and after each of its calls in turn, the lock being free or held by another for a while. */
function abortCase({ name, run }: Stoppable, held: boolean): Case {
  const when = held ? "while another holds the lock" : "on a free lock";
  return {
    name: `[L7] ${name} ${when}, aborted at each await point: it ends with the reason or has its effect; nothing is left`,
    async run(fixture) {
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      for (let nth = 1, fired = true; fired; nth += 1) {
        for (const moment of ["before", "after"] as const) {
          const id = fixture.id();
          await other.state<string>(id).save("old");
          const grant = held ? await other.lock(id).acquire() : undefined;
          const controller = new AbortController();
          const reason = new Error("enough");
          const plan = faults.once("any", meanwhile({ [moment]: () => controller.abort(reason) }), nth);
          const call = run(store, id, controller.signal).then(
            () => "done",
            (error: unknown) => error,
          );
          if (grant !== undefined) void pause(30).then(() => grant.release());
          const end = await inTime(call);
          if (end !== "done") assert.equal(end, reason);
          await fixture.becomesFree(id);
          plan.cancel();
          fired = plan.fired;
          // What was given up is not done; what was done was not given up.
          if (end !== "done")
            assert.equal(await other.state(id).load(), "old", `aborted ${moment} call ${String(nth)}`);
        }
      }
    },
  };
}

export const lossCases: readonly Case[] = [
  proof(
    "[L5] nobody answers renewals: the signal aborts at the latest one lease after the last one was sent",
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
    "[L5] nobody answers renewals: the signal has aborted by the time that another enters",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 400 });
      const other = await fixture.store();
      const id = fixture.id();
      faults.always("renewLocks", hang());
      const grant = await store.lock(id).acquire();
      const { signal } = grant; // looking at it again would look at the clock
      await using next = await other.lock(id).acquire();
      assert.equal(signal.aborted, true);
      assert.ok(next.fence > grant.fence);
      assert.equal(await grant.release(), false);
    },
  ),
  needing(
    ["pushes"],
    "[L5] a wake that comes late: its grant counts from the last ask, so it is over before another enters",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 1_000 });
      const [holder, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
      const held = await holder.lock(id).acquire();
      const waiting = store.lock(id).acquire();
      await eventually(async () => assert.equal((await holder.lock(id).inspect())?.waiters, 1));
      faults.wakes = 350;
      faults.always("renewLocks", hang());
      const next = client.turn(id);
      await next.queued();
      await held.release();
      const { signal } = await waiting;
      await eventually(() => next.granted());
      assert.equal(signal.aborted, true);
    },
  ),
  proof(
    "[L7] a ticket of ours that nobody here knows is given back as soon as a reply names it",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const id = fixture.id();
      const ticket = `host:1:${faults.clientId}:999999`; // as if its grant's reply and its cancel had been lost
      const request = { leaseMs: 60_000, queue: false, load: false, fences: 1 };
      const granted = await faults.acquireLock(id, ticket, request, { slot: 900, n: 1, keepMs: 60_000 });
      assert.equal(granted.status, "granted");
      await (await store.lock(id).acquire()).release();
      await fixture.becomesFree(id);
    },
  ),
  needing(
    ["pushes"],
    "[L7] a ticket of ours that nobody here knows is given back as soon as it is woken",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [client, id] = [await fixture.client(), fixture.id()];
      // Wakes may need a connection that is made when the first is waited for.
      const first = client.turn(id);
      await first.granted();
      const warm = store.lock(id).acquire();
      await eventually(async () => assert.equal((await client.backend.inspectLock(id))?.waiters, 1));
      await first.released();
      await (await warm).release();
      const holder = client.turn(id);
      await holder.granted();
      const ticket = `host:1:${faults.clientId}:999999`;
      const request = { leaseMs: 60_000, queue: true, load: false, fences: 1 };
      const waiting = await faults.acquireLock(id, ticket, request, { slot: 900, n: 1, keepMs: 60_000 });
      assert.equal(waiting.status, "waiting");
      await holder.released();
      // By its cancel, long before its hand-over lease has ended.
      await eventually(async () => assert.equal(await client.backend.inspectLock(id), null), 6_000);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L5] the event loop blocked beyond the lease: the very next look says that the lock is lost",
    async (fixture) => {
      const store = await fixture.store({ leaseMs: 150 });
      const grant = await store.lock(fixture.id()).acquire();
      const { signal } = grant;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250); // as a long computation would
      assert.equal(grant.signal.aborted, true);
      assert.equal(signal.aborted, true);
      await rejectsWith(store.state(grant.id).save(1, { grant }), "LOCK_LOST");
      assert.equal(await grant.release(), false);
      await fixture.becomesFree(grant.id);
    },
  ),
  proof("[L5] one lost renewal is made up for by the next: the lock stays held", async (fixture) => {
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
      const { store, faults } = await fixture.faultyStore({ leaseMs: 1_500 });
      const grant = await store.lock(fixture.id()).acquire();
      faults.always("renewLocks", delay(0, 600));
      await pause(4_000);
      assert.equal(grant.signal.aborted, false);
      assert.equal(await grant.release(), true);
      await fixture.becomesFree(grant.id);
    },
  ),
  needing(
    ["deleteLock"],
    "[L5] the lock deleted behind the holder's back: the next renewal tells, release answers false",
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
  proof(
    "[L7] a caller whose time ran out while its grant was under way leaves no lock behind",
    async (fixture) => {
      const [{ store, faults }, other] = [await fixture.faultyStore(), await fixture.store()];
      const id = fixture.id();
      const held = await other.lock(id).acquire();
      const waiting = rejection(store.lock(id).acquire({ waitMs: 1_000 }));
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
      faults.once("cancelLock", delay(60));
      assert.equal((await waiting).code, "LOCK_TIMEOUT");
      await held.release(); // it may be handed to the one that has given up
      await fixture.becomesFree(id);
    },
  ),
  proof("[L7] whoever gives up does not disturb the others of the same process", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const held = await other.lock(id).acquire();
    const controller = new AbortController();
    const order: string[] = [];
    const enter = (name: string) => store.lock(id).run(() => void order.push(name));
    const calls = [
      rejection(store.lock(id).acquire({ signal: controller.signal })),
      enter("a"),
      rejection(store.lock(id).acquire({ waitMs: 20 })),
      enter("b"),
      rejection(store.state(id).save(1, { signal: controller.signal })),
    ];
    await pause(30);
    controller.abort(new Error("enough"));
    await held.release();
    await Promise.all(calls);
    assert.deepEqual(order, ["a", "b"]);
    assert.equal(await store.state(id).load(), undefined);
    await fixture.becomesFree(id);
  }),
  proof("[L7] a signal that has aborted already: nothing is even asked", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const reason = new Error("before");
    const signal = AbortSignal.abort(reason);
    const id = fixture.id();
    for (const { run } of stoppables) assert.equal(await rejection(run(store, id, signal)), reason);
    assert.deepEqual(faults.calls, []);
  }),
  proof(
    "[L7] a signal that aborts after the grant is ignored, and no listener is left on it",
    async (fixture) => {
      const store = await fixture.store();
      const controller = new AbortController();
      const { signal } = controller;
      const grant = await store.lock(fixture.id()).acquire({ signal });
      controller.abort();
      assert.deepEqual(getEventListeners(signal, "abort"), []);
      assert.equal(grant.signal.aborted, false);
      assert.equal(await grant.release(), true);
    },
  ),
  ...stoppables.flatMap((stoppable) => [abortCase(stoppable, false), abortCase(stoppable, true)]),
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
  proof("[L6] release and renewal race, again and again: the lock is free each time", async (fixture) => {
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
    "[L5] what nobody answers for operationMs fails as UNREACHABLE, also for whoever only waits",
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
  proof(
    "[L7] a store that could not be reached while a waiter gave up cleans up when it can",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
      const other = await fixture.store();
      const id = fixture.id();
      const held = await other.lock(id).acquire();
      const waiting = rejection(store.lock(id).acquire({ waitMs: 500 }));
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
      const silent = faults.always("any", failBefore("unknown"));
      assert.equal((await waiting).code, "LOCK_TIMEOUT");
      await pause(1_300);
      silent.cancel();
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 0));
      await held.release();
      await fixture.becomesFree(id);
    },
  ),
  proof("[L5] an error of fn wins over the loss of the lock", async (fixture) => {
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
