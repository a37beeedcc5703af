/** Shared locks as a user sees them [L12]. */
import { strict as assert } from "node:assert";
import type { Grant } from "../../../ownership/public-grant.ts";
import type { Store } from "../../../store/store.ts";
import { aborted, assertRises, eventually, pause, rejectsWith, stillPending } from "../../assertions.ts";
import type { Fixture } from "../../fixture.ts";
import { proof, type Case } from "../../suite.ts";

const shared = { shared: true } as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

async function two(fixture: Fixture): Promise<[Store, Store, string]> {
  const [a, b] = await fixture.stores(2);
  return [a, b, fixture.id()];
}

function hasWaiters(store: Store, id: string, waiters: number): Promise<void> {
  return eventually(async () => assert.equal((await store.lock(id).inspect())?.waiters, waiters));
}

export const sharedLockCases: readonly Case[] = [
  proof(
    "[L12] [L3] readers of several stores hold it together; a writer waits for all of them",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const readers = [await a.lock(id).acquire(shared), await a.lock(id).acquire(shared)];
      const other = await b.lock(id).acquire(shared);
      assertRises(
        [...readers, other].map(({ fence }) => fence),
        "fences",
      );
      assert.equal(await b.lock(id).tryAcquire(), null);
      const writer = b.lock(id).acquire();
      for (const reader of readers) assert.equal(await reader.release(), true);
      await stillPending(writer);
      assert.equal(await other.release(), true);
      const grant = await writer;
      assert.ok(grant.fence > other.fence);
      assert.equal(await a.lock(id).tryAcquire(shared), null);
      await grant.release();
      await fixture.becomesFree(id);
    },
  ),
  proof("[L12] no reader overtakes a writer that waits; those behind it enter together", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const first = await a.lock(id).acquire(shared);
    const writer = b.lock(id).acquire();
    await hasWaiters(a, id, 1);
    assert.equal(await b.lock(id).tryAcquire(shared), null);
    await eventually(async () => {
      // In a process that holds it, too, as soon as it knows of the writer.
      const early = await a.lock(id).tryAcquire(shared);
      await early?.release();
      assert.equal(early, null);
    });
    const later = [a, b, a, b].map((store) => store.lock(id).acquire(shared));
    await first.release();
    const grant = await writer;
    await Promise.all(later.map((one) => stillPending(one)));
    await grant.release();
    const grants = await Promise.all(later);
    assert.equal(await a.lock(id).tryAcquire(), null);
    await Promise.all(grants.map((one) => one.release()));
    await fixture.becomesFree(id);
  }),
  proof(
    "[L2] [L12] callers of one process are served in call order: no reader passes a writer of its process",
    async (fixture) => {
      const [a, , id] = await two(fixture);
      await a.lock(id).run(() => undefined); // on Redis, the script is there from now on
      const first = await a.lock(id).acquire(shared);
      const writer = a.lock(id).acquire();
      const reader = a.lock(id).acquire(shared);
      await stillPending(reader);
      await first.release();
      const grant = await writer;
      await stillPending(reader);
      await grant.release();
      await (await reader).release();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L12] readers of one process share a ticket, and the last that leaves releases it",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const grants = await Promise.all(range(5).map(() => a.lock(id).acquire(shared)));
      const info = await b.lock(id).inspect();
      assert.equal(info?.holders?.length, 1);
      assert.equal(new Set(grants.map(({ fence }) => fence)).size, 5);
      const last = grants.pop();
      for (const grant of grants) assert.equal(await grant.release(), true);
      assert.equal((await b.lock(id).inspect())?.holders?.length, 1);
      assert.equal(await last?.release(), true);
      assert.equal(await b.lock(id).inspect(), null);
    },
  ),
  proof(
    "[L12] a writer gets in although readers come all the time, and readers go on after it",
    async (fixture) => {
      const stores = await fixture.stores(3, { waitMs: 60_000 });
      const id = fixture.id();
      let [readers, isWriting, isOver] = [0, false, false];
      const read = async (): Promise<void> => {
        readers += 1;
        assert.ok(!isWriting, "a reader inside with a writer");
        await pause(1);
        readers -= 1;
      };
      const reading = stores.flatMap((store) =>
        range(3).map(async () => {
          while (!isOver) await store.lock(id).run(read, shared);
        }),
      );
      const write = async (): Promise<void> => {
        assert.equal(readers, 0, "a writer inside with readers");
        isWriting = true;
        await pause(1);
        isWriting = false;
      };
      for (let n = 0; n < 10; n += 1) {
        const store = stores[n % 3] ?? assert.fail();
        await store.lock(id).run(write);
      }
      isOver = true;
      await Promise.all(reading);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L12] a holder reads its state under it; to write, or to hold it exclusively as well, is refused",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const state = a.state<number>(id);
      await state.save(7);
      await a.lock(id).run(async (grant) => {
        assert.equal(await state.load(), 7);
        await rejectsWith(a.lock(id).acquire(), "INVALID_ARGUMENT");
        await rejectsWith(a.lock(id).acquire({ grant }), "INVALID_ARGUMENT");
        await rejectsWith(state.save(8), "INVALID_ARGUMENT");
        await rejectsWith(
          state.update((n) => (n ?? 0) + 1),
          "INVALID_ARGUMENT",
        );
        await rejectsWith(state.delete({ grant }), "INVALID_ARGUMENT");
        assert.equal(await a.lock(id).run(() => "inner", shared), "inner");
        const elsewhere = b.state<number>(id).save(9);
        await stillPending(elsewhere);
        void elsewhere.catch(() => undefined);
      }, shared);
      await eventually(async () => assert.equal(await state.load(), 9));
      const inner = await a
        .lock(id)
        .run((grant) => a.lock(id).run((same) => same.fence === grant.fence, shared));
      assert.equal(inner, true); // an exclusive holder may read
    },
  ),
  proof(
    "[L12] forceRelease() ends all shared holders, or the one with that fence; inspect() names them",
    async (fixture) => {
      const [a, b, id] = await two(fixture);
      const one = await a.lock(id).acquire(shared);
      const other = await b.lock(id).acquire(shared);
      const info = await a.lock(id).inspect();
      assert.deepEqual(
        info?.holders?.map(({ fence, here }) => [fence, here]),
        [
          [one.fence, true],
          [other.fence, false],
        ],
      );
      const listed: unknown[] = [];
      for await (const lock of a.locks({ idPrefix: id })) listed.push(lock.holders?.length);
      assert.deepEqual(listed, [2]);
      assert.equal(await a.lock(id).forceRelease({ ifFence: one.fence }), true);
      assert.equal((await aborted(one.signal)).code, "LOCK_LOST");
      assert.equal(other.signal.aborted, false);
      const third = await a.lock(id).acquire(shared);
      assert.equal(await a.lock(id).forceRelease(), true);
      assert.equal((await aborted(third.signal)).code, "LOCK_LOST");
      assert.equal(await other.release(), false);
      assert.equal(await a.lock(id).inspect(), null);
    },
  ),
  proof("[L12] [L7] a wait for a share ends with its time or signal, and leaves nothing", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const holder = await a.lock(id).acquire();
    await rejectsWith(b.lock(id).acquire({ ...shared, waitMs: 30 }), "LOCK_TIMEOUT");
    const abort = new AbortController();
    const waiting = b.lock(id).acquire({ ...shared, signal: abort.signal });
    await hasWaiters(a, id, 1);
    abort.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    await hasWaiters(a, id, 0);
    await holder.release();
    await fixture.becomesFree(id);
  }),
  proof("[L12] maxHoldMs ends one shared grant, and not those that share its ticket", async (fixture) => {
    const [store, other, id] = await two(fixture);
    const [patient, limited] = await Promise.all([
      store.lock(id).acquire(shared),
      store.lock(id).acquire({ ...shared, maxHoldMs: 20 }),
    ]);
    assert.equal((await aborted(limited.signal)).code, "LOCK_LOST");
    await eventually(async () => {
      // It is given up a little later.
      const inner = store.lock(id).acquire({ ...shared, grant: limited });
      await inner.then((grant) => grant.release()).catch(() => undefined);
      await rejectsWith(inner, "LOCK_LOST");
    });
    assert.equal(await limited.release(), false);
    assert.equal(patient.signal.aborted, false);
    assert.equal(await other.lock(id).tryAcquire(), null);
    assert.equal(await patient.release(), true);
    await fixture.becomesFree(id);
  }),
  proof("[L12] close() ends shared holders as it ends others", async (fixture) => {
    const [a, b, id] = await two(fixture);
    const grants: Grant[] = await Promise.all(range(2).map(() => a.lock(id).acquire(shared)));
    await a.close({ drainMs: 0 });
    for (const grant of grants) assert.equal((await aborted(grant.signal)).code, "CLOSED");
    const next = await b.lock(id).acquire();
    await next.release();
  }),
];
