/** Acquiring several locks [L14]: all or nothing, in one order, and nothing left behind. */
import { strict as assert } from "node:assert";
import type { Store } from "../../../store/store.ts";
import { aborted, eventually, inTime, pause, rejection, rejectsWith } from "../../assertions.ts";
import { failBefore, meanwhile } from "../../faults.ts";
import { proof, type Case } from "../../suite.ts";
import { allFree, isFree, threeIds, waitersOf } from "./helpers.ts";

export const acquiringSeveralCases: readonly Case[] = [
  proof(
    "[L14] one grant of several ids: each once, in the order of their bytes, with its fence",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const [a, z, wide, face] = [`${id}a`, `${id}z`, `${id}\uffee`, `${id}😀`]; // in UTF-16, the last is before \uffee
      const ids = [a, z, wide, face];
      const before = await other.lock(z).run(({ fence }) => fence);
      const grant = await store.lockAll([face, a, z, wide, a, face]).acquire();
      assert.deepEqual(grant.ids, ids);
      assert.deepEqual(Object.keys(grant.fences), ids);
      assert.ok((grant.fences[z] ?? 0) > before);
      for (const id of ids) {
        const info = await other.lock(id).inspect();
        assert.equal(info?.fence, grant.fences[id]);
        assert.equal(await other.lock(id).tryAcquire(), null);
      }
      assert.equal(await grant.release(), true);
      assert.equal(await grant.release(), true);
      assert.equal(grant.signal.aborted, false);
      await allFree(fixture, ids);
    },
  ),
  proof("[L14] free locks are asked for all at once, and released all at once", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    await store.ready();
    const ids = threeIds(fixture);
    const before = faults.calls.length;
    let answered = 0;
    faults.always("acquireLock", meanwhile({ after: () => (answered += 1) }));
    const acquiring = store.lockAll(ids).acquire();
    await eventually(() => assert.ok(answered > 0));
    const grant = await acquiring;
    await grant.release();
    const calls = faults.calls.slice(before).filter(({ method }) => method !== "renewLocks");
    const methods = calls.map(({ method }) => method);
    assert.deepEqual(methods, [...ids.map(() => "acquireLock"), ...ids.map(() => "releaseLock")]);
    await allFree(fixture, ids);
  }),
  proof("[L14] tryAcquire: null if one is not free, and none is held then", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = threeIds(fixture);
    for (const id of ids) {
      const held = await other.lock(id).acquire();
      assert.equal(await store.lockAll(ids).tryAcquire(), null);
      for (const one of ids) assert.equal(await isFree(other, one), one !== id);
      await held.release();
    }
    const grant = await store.lockAll(ids).tryAcquire();
    assert.equal(await grant?.release(), true);
    await allFree(fixture, ids);
  }),
  proof("[L14] while it waits for one, it holds those before it and none after it", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = threeIds(fixture);
    const [a, b, c] = ids;
    const held = await other.lock(b).acquire();
    const waiting = store.lockAll([c, b, a]).acquire();
    await eventually(async () => assert.equal(await waitersOf(other, b), 1));
    assert.equal(await isFree(other, a), false);
    assert.equal(await isFree(other, c), true);
    const heldToo = await other.lock(c).acquire();
    await held.release();
    await eventually(async () => assert.equal(await waitersOf(other, c), 1));
    assert.equal(await isFree(other, b), false);
    await heldToo.release();
    assert.equal(await (await waiting).release(), true);
    await allFree(fixture, ids);
  }),
  proof("[L14] [L2] a try does not overtake callers of its own process that wait", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const [a, b] = threeIds(fixture);
    const ids = [a, b];
    const held = await other.lock(b).acquire();
    const order: string[] = [];
    const first = store.lock(b).run(() => void order.push("first"));
    await eventually(async () => assert.equal(await waitersOf(other, b), 1));
    assert.equal(await store.lockAll(ids).tryAcquire(), null);
    const second = store.lockAll(ids).run(() => void order.push("second"));
    await eventually(async () => assert.equal(await isFree(other, a), false));
    await held.release();
    await Promise.all([first, second]);
    assert.deepEqual(order, ["first", "second"]);
    await allFree(fixture, ids);
  }),
  proof("[L14] a timeout names the id and its holder, and nothing stays held", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = threeIds(fixture);
    const [, b] = ids;
    const held = await other.lock(b).acquire();
    const error = await rejectsWith(
      store.lockAll(ids).run(() => 1, { waitMs: 50 }),
      "LOCK_TIMEOUT",
    );
    assert.ok(error.message.includes(JSON.stringify(b)), error.message);
    assert.match(
      error.message,
      new RegExp(`within waitMs \\(50 ms\\): it is held by process ${process.pid} on`),
    );
    for (const id of ids) assert.equal(await isFree(other, id), id !== b);
    await eventually(async () => assert.equal(await waitersOf(other, b), 0));
    await held.release();
    await allFree(fixture, ids);
  }),
  proof(
    "[L14] [L7] one of them cannot be had for another reason: the others are given back",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 500 });
      const other = await fixture.store();
      const ids = threeIds(fixture);
      const [, b] = ids;
      const silent = faults.always("acquireLock", (call) => {
        const isB = faults.calls.findLast(({ method }) => method === "acquireLock")?.args[0] === b;
        return isB ? failBefore()(call) : call.carryOut();
      });
      await rejectsWith(store.lockAll(ids).acquire(), "UNREACHABLE");
      silent.cancel();
      for (const id of ids) assert.equal(await isFree(other, id), true);
      await allFree(fixture, ids);
    },
  ),
  proof(
    "[L14] [L7] aborted at each await: it rejects with the reason or succeeds, and leaves nothing",
    async (fixture) => {
      for (const isHeld of [false, true]) {
        const { store, faults } = await fixture.faultyStore();
        const other = await fixture.store();
        for (let nth = 1, fired = true; fired; nth += 1) {
          const ids = threeIds(fixture);
          const held = isHeld ? await other.lock(ids[1]).acquire() : undefined;
          const controller = new AbortController();
          const reason = new Error("enough");
          const plan = faults.once("any", meanwhile({ before: () => controller.abort(reason) }), nth);
          const call = store.lockAll(ids).run(() => "done", { signal: controller.signal });
          if (held !== undefined) void pause(30).then(() => held.release());
          const end = await inTime(call.catch((error: unknown) => error));
          if (end !== "done") assert.equal(end, reason);
          await allFree(fixture, ids);
          plan.cancel();
          fired = plan.fired;
        }
      }
    },
  ),
  proof(
    "[L14] a caller that holds a greater id tries once, then gets an error that names it",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const ids = threeIds(fixture);
      const [a, b, c] = ids;
      const held = await other.lock(a).acquire();
      for (const wanted of [
        [a, b],
        [a, b, c],
      ]) {
        const run = store.lock(c).run(() => store.lockAll(wanted).run(() => 1));
        const { message } = await rejectsWith(run, "LOCK_TIMEOUT");
        assert.ok(message.includes(`The lock ${JSON.stringify(a)} was not free`), message);
        assert.ok(message.includes(`its caller holds the lock ${JSON.stringify(c)}`), message);
      }
      await held.release();
      assert.equal(await store.lock(c).run(() => store.lockAll([a, b]).run(() => "free")), "free");
      // What it holds is smaller: it waits.
      const later = await other.lock(c).acquire();
      const waiting = store.lock(a).run(() => store.lockAll([b, c]).run(() => "waited"));
      await eventually(async () => assert.equal(await waitersOf(other, c), 1));
      await later.release();
      assert.equal(await waiting, "waited");
      await allFree(fixture, ids);
    },
  ),
  proof("[L14] [P2] closing rejects those that wait, and ends those that hold", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = threeIds(fixture);
    const [, b] = ids;
    const held = await other.lock(b).acquire();
    const waiting = rejection(store.lockAll(ids).acquire());
    await eventually(async () => assert.equal(await waitersOf(other, b), 1));
    const more = await store.lockAll(threeIds(fixture)).acquire();
    const { signal } = more;
    await store.close({ drainMs: 0 });
    assert.equal((await waiting).code, "CLOSED");
    assert.equal((await aborted(signal)).code, "CLOSED");
    assert.equal(await more.release(), true); // it was held until the store released it
    await held.release();
    await allFree(fixture, [...ids, ...more.ids]);
  }),
  proof("[L14] [L1] crossed orders, many times: no circle, and never two inside", async (fixture) => {
    const stores = await fixture.stores(2, { waitMs: 30_000 });
    const ids = threeIds(fixture);
    const inside = new Set<string>();
    const counts = new Map<string, number>();
    const caller = async (store: Store, n: number): Promise<void> => {
      for (let round = 0; round < 12; round += 1) {
        const wanted = ids.filter((_, index) => index !== (n + round) % 4); // two of them, or all
        if (n % 2 === 1) wanted.reverse();
        await store.lockAll(wanted).run(async () => {
          for (const id of wanted) assert.equal(inside.size, inside.add(id).size - 1);
          await pause(n % 3 === 0 ? 1 : 0);
          for (const id of wanted) {
            await store.state(id, { initial: () => 0 }).update((count) => count + 1);
            counts.set(id, (counts.get(id) ?? 0) + 1);
            inside.delete(id);
          }
        });
      }
    };
    const callers = [0, 1, 2].flatMap((n) => stores.map((store, index) => caller(store, 2 * n + index)));
    await inTime(Promise.all(callers), 60_000);
    for (const id of ids) assert.equal(await stores[0].state(id).load(), counts.get(id));
    await allFree(fixture, ids);
  }),
];
