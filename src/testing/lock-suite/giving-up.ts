/** Giving up [L7]: a call that is aborted, or out of time, leaves nothing behind. */
import { strict as assert } from "node:assert";
import { getEventListeners, once } from "node:events";
import type { Store } from "../../store/store.ts";
import { eventually, inTime, pause, rejection, rejectsWith } from "../assertions.ts";
import { delay, failBefore, meanwhile } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";

/** A call that may have to wait, with a signal to stop it. Settles once what it got has been released. */
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

/** Aborts before and after each backend call in turn, with the lock free or held by another client for a while. */
function abortCase({ name, run }: Stoppable, held: boolean): Case {
  const when = held ? "while another holds the lock" : "on a free lock";
  return {
    name: `[L7] ${name} ${when}, aborted at each await: it rejects with the reason or takes effect, and leaves nothing`,
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
          // A call that was aborted had no effect; a call that had its effect was not aborted.
          if (end !== "done")
            assert.equal(await other.state(id).load(), "old", `aborted ${moment} call ${String(nth)}`);
        }
      }
    },
  };
}

export const givingUpCases: readonly Case[] = [
  proof(
    "[L7] a ticket of this client that it no longer knows is cancelled as soon as a reply names it",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const id = fixture.id();
      const ticket = `host:1:${faults.clientId}:999999`; // as if its grant's reply and its cancel had been lost
      const request = { leaseMs: 60_000, queue: false, load: false, fences: 1 };
      const granted = await faults.acquireLock(id, ticket, request, { sequence: 900, n: 1, keepMs: 60_000 });
      assert.equal(granted.status, "granted");
      await (await store.lock(id).acquire()).release();
      await fixture.becomesFree(id);
    },
  ),
  needing(
    ["pushes"],
    "[L7] a ticket of this client that it no longer knows is cancelled as soon as it is woken",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [client, id] = [await fixture.client(), fixture.id()];
      // Wakes may need a connection that is made when a client first waits.
      const first = client.ticketFor(id);
      await first.granted();
      const warm = store.lock(id).acquire();
      await eventually(async () => assert.equal((await client.backend.inspectLock(id))?.waiters, 1));
      await first.released();
      await (await warm).release();
      const holder = client.ticketFor(id);
      await holder.granted();
      const ticket = `host:1:${faults.clientId}:999999`;
      const request = { leaseMs: 60_000, queue: true, load: false, fences: 1 };
      const waiting = await faults.acquireLock(id, ticket, request, { sequence: 900, n: 1, keepMs: 60_000 });
      assert.equal(waiting.status, "waiting");
      await holder.released();
      // Freed by its cancel, long before its hand-over lease has ended.
      await eventually(async () => assert.equal(await client.backend.inspectLock(id), null), 6_000);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L7] a caller whose time runs out before its grant arrives leaves no lock behind",
    async (fixture) => {
      const [{ store, faults }, other] = [await fixture.faultyStore(), await fixture.store()];
      const id = fixture.id();
      const held = await other.lock(id).acquire();
      const waiting = rejection(store.lock(id).acquire({ waitMs: 1_000 }));
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
      faults.once("cancelLock", delay(60));
      assert.equal((await waiting).code, "LOCK_TIMEOUT");
      await held.release(); // it may be handed to the waiter that has given up
      await fixture.becomesFree(id);
    },
  ),
  proof("[L7] a caller that gives up does not affect the others of the same process", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const held = await other.lock(id).acquire();
    const controller = new AbortController();
    const order: string[] = [];
    const enter = (name: string) => store.lock(id).run(() => void order.push(name));
    const aborted = rejection(store.lock(id).acquire({ signal: controller.signal }));
    const a = enter("a");
    const late = rejection(store.lock(id).acquire({ waitMs: 20 }));
    const calls = [aborted, a, enter("b"), rejection(store.state(id).save(1, { signal: controller.signal }))];
    await late; // all others still wait
    controller.abort(new Error("enough"));
    await held.release();
    await Promise.all(calls);
    assert.deepEqual(order, ["a", "b"]);
    assert.equal(await store.state(id).load(), undefined);
    await fixture.becomesFree(id);
  }),
  proof(
    "[L2] a call that only tries does not wait for the slow function of another's update",
    async (fixture) => {
      const store = await fixture.store();
      const state = store.state<number>(fixture.id(), { initial: () => 0 });
      const ending = new AbortController();
      const slow = state.update(async (n) => {
        await once(ending.signal, "abort");
        return n + 1;
      });
      await rejectsWith(
        state.update((n) => n + 1, { waitMs: 0 }),
        "LOCK_TIMEOUT",
      );
      ending.abort();
      assert.equal(await slow, 1);
    },
  ),
  proof("[L7] a signal that has already aborted: the backend is not called", async (fixture) => {
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
];
