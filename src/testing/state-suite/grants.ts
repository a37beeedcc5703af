/** States and the locks of the same id: the holder of the lock may write, and one that lost it is refused [S4] [S8]. */
import { strict as assert } from "node:assert";
import {
  aborted,
  deferred,
  eventually,
  pause,
  rejection,
  rejectsWith,
  stillPending,
  type Failure,
} from "../assertions.ts";
import { failBefore } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";

export const grantCases: readonly Case[] = [
  proof("[S8] a write waits while another store holds the lock, and is then made", async (fixture) => {
    const [holder, writer] = await fixture.stores(2);
    const id = fixture.id();
    const state = writer.state<string>(id);
    const grant = await holder.lock(id).acquire();
    const saving = state.save("saved");
    await stillPending(saving);
    assert.equal(await state.load(), undefined); // reading needs no lock
    await holder.state<string>(id).save("by the holder", { grant });
    await grant.release();
    await saving;
    assert.equal(await state.load(), "saved");
    const again = await holder.lock(id).acquire();
    const deleting = state.delete();
    await stillPending(deleting);
    await again.release();
    await deleting;
    assert.equal(await state.load(), undefined);
  }),
  proof(
    "[S8] a write that waits too long fails with LOCK_TIMEOUT, names the holder, and changes nothing",
    async (fixture) => {
      const [holder, writer] = await fixture.stores(2);
      const id = fixture.id();
      const state = writer.state<number>(id);
      const grant = await holder.lock(id).acquire();
      for (const write of [
        () => state.save(1, { waitMs: 20 }),
        () => state.save(1, { waitMs: 0 }),
        () => state.update(() => 1, { waitMs: 20 }),
        () => state.delete({ waitMs: 0 }),
      ]) {
        const error = await rejectsWith(write(), "LOCK_TIMEOUT");
        assert.match(error.message, new RegExp(`process ${String(process.pid)} on`));
      }
      await grant.release();
      await fixture.becomesFree(id);
      assert.equal(await state.read(), undefined);
    },
  ),
  proof(
    "[S8] inside lock.run, writes use the grant automatically; outside, they take { grant }",
    async (fixture) => {
      const [store, id] = [await fixture.store({ waitMs: 100 }), fixture.id()];
      const state = store.state(id, { initial: () => 0 });
      await store.lock(id).run(async (grant) => {
        await state.save(1);
        assert.equal(
          await state.update((n, context) => (assert.equal(context.fence, grant.fence), n + 1)),
          2,
        );
        await state.delete();
        await state.save(5, { ifRevision: "absent" });
      });
      await using grant = await store.lock(id).acquire();
      const error = await rejectsWith(state.save(6), "LOCK_TIMEOUT");
      assert.match(error.message, /\{ grant \}/);
      await state.save(6, { grant });
      assert.equal(await state.update((n) => n + 1, { grant }), 7);
      assert.equal(await state.trySave(8, { grant, ifRevision: "absent" }), null);
      await state.delete({ grant });
    },
  ),
  proof(
    "[S4] a grant of another id or store, or an invented one, is refused before anything is done",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const [id, elsewhere] = [fixture.id(), fixture.id()];
      const state = store.state<number>(id);
      await using wrongId = await store.lock(elsewhere).acquire();
      await using wrongStore = await other.lock(id).acquire();
      await rejectsWith(state.save(1, { grant: wrongId }), "INVALID_ARGUMENT");
      await rejectsWith(state.save(1, { grant: wrongStore }), "INVALID_ARGUMENT");
      await rejectsWith(state.save(1, { grant: { ...wrongId } }), "INVALID_ARGUMENT");
    },
  ),
  proof(
    "[S4] a save after release is refused with LockLostError, inside and outside run",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<string>(id);
      const grant = await store.lock(id).acquire();
      await grant.release();
      await rejectsWith(state.save("late", { grant }), "LOCK_LOST");
      await rejectsWith(
        state.update(() => "late", { grant }),
        "LOCK_LOST",
      );
      await rejectsWith(state.delete({ grant }), "LOCK_LOST");
      await store.lock(id).run(async (inner) => {
        await inner.release();
        await rejectsWith(state.save("late"), "LOCK_LOST");
      });
      assert.equal(await state.read(), undefined);
    },
  ),
  proof(
    "[S4] the server refuses a force-released holder that does not know it yet: the second holder's state stays",
    async (fixture) => {
      const { store: first, faults } = await fixture.faultyStore();
      const second = await fixture.store();
      const id = fixture.id();
      faults.wakes = "drop"; // as if stopped: it is not notified, and renews nothing
      faults.always("renewLocks", failBefore("unknown"));
      const stale = await first.lock(id).acquire();
      assert.equal(await second.lock(id).forceRelease(), true);
      await using grant = await second.lock(id).acquire();
      await second.state<string>(id).save("second", { grant });
      assert.equal(stale.signal.aborted, false);
      await rejectsWith(first.state<string>(id).save("first", { grant: stale }), "LOCK_LOST");
      assert.equal(stale.signal.aborted, true);
      assert.equal(await stale.release(), false);
      assert.equal(await first.state<string>(id).load(), "second");
      assert.ok(grant.fence > stale.fence);
      assert.notEqual(await second.lock(id).inspect(), null); // the second's lock is untouched
    },
  ),
  proof(
    "[S4] an update whose lock is taken away while it runs is refused, and nothing is written",
    async (fixture) => {
      const { store: first, faults } = await fixture.faultyStore();
      const second = await fixture.store();
      const id = fixture.id();
      faults.wakes = "drop";
      const updating = first.state(id, { initial: () => ["initial"] }).update(async (draft) => {
        draft.push("first");
        assert.equal(await second.lock(id).forceRelease(), true);
        await second.state<string[]>(id).save(["second"]);
      });
      const error = await rejectsWith(updating, "LOCK_LOST");
      assert.equal(error.outcome, "none");
      assert.deepEqual(await second.state(id).load(), ["second"]);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[S4] a lease that ended without renewal: writes are refused, even if the next holder is in the same store",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 300 });
      const id = fixture.id();
      const noRenewals = faults.always("renewLocks", failBefore("unknown"));
      const stale = await store.lock(id).acquire();
      const next = store.lock(id).acquire(); // same store: it waits for the first one's lease to end
      const error = await aborted(stale.signal);
      assert.equal(error.code, "LOCK_LOST");
      noRenewals.cancel();
      await using grant = await next;
      const state = store.state<string>(id);
      await state.save("next", { grant });
      await rejectsWith(state.save("stale", { grant: stale }), "LOCK_LOST");
      await rejectsWith(
        state.update(() => "stale", { grant: stale }),
        "LOCK_LOST",
      );
      assert.equal(await stale.release(), false);
      assert.equal(await state.load(), "next");
      assert.ok(grant.fence > stale.fence);
    },
  ),
  proof(
    "[S4] [L4] a task that outlives lock.run does not write as if it still held the lock",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const over = deferred();
      const outliving: Promise<Failure>[] = [];
      await store.lock(id).run(() => {
        outliving.push(over.promise.then(() => rejection(store.state<string>(id).save("stale"))));
      });
      await using grant = await other.lock(id).acquire();
      await other.state<string>(id).save("other", { grant });
      over.resolve();
      assert.deepEqual(
        (await Promise.all(outliving)).map(({ code }) => code),
        ["LOCK_LOST"],
      );
      assert.equal(await other.state(id).load(), "other");
    },
  ),
  proof("[S4] release waits for the saves in progress under its grant", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const id = fixture.id();
    const reached = deferred();
    const go = deferred();
    faults.once("writeState", async ({ carryOut }) => {
      reached.resolve();
      await go.promise;
      return carryOut();
    });
    const grant = await store.lock(id).acquire();
    const saving = store.state<number>(id).save(1, { grant });
    await reached.promise;
    const releasing = grant.release();
    await stillPending(releasing);
    go.resolve();
    await saving;
    assert.equal(await releasing, true);
    assert.equal(await store.state(id).load(), 1);
  }),
  needing(
    ["deleteLock"],
    "[S4] the lock is deleted during an update: LockLostError, and nothing is written",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state(id, { initial: () => 0 });
      const updating = state.update(async (n) => {
        await fixture.hook("deleteLock")(id);
        return n + 1;
      });
      await rejectsWith(updating, "LOCK_LOST");
      assert.equal(await state.read(), undefined);
      await eventually(async () => assert.equal(await state.update((n) => n + 1), 1));
    },
  ),
  needing(
    ["flush"],
    "[S2] [S4] a flush during a hold: its save is refused, and revisions and fences continue to rise",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      const before = await state.save(1);
      const grant = await store.lock(id).acquire();
      await fixture.hook("flush")();
      const error = await rejection(state.save(2, { grant }));
      assert.equal(error.code, "LOCK_LOST", error.stack);
      assert.equal(await state.read(), undefined);
      await using next = await store.lock(id).acquire();
      assert.ok(next.fence > grant.fence);
      assert.ok((await state.save(3, { grant: next })) > before);
    },
  ),
  proof("[S8] a write without waiting is not delayed by a lock of another id", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    await using _grant = await other.lock(fixture.id()).acquire();
    await store.state<number>(fixture.id()).save(1, { waitMs: 0 });
    await pause(0);
  }),
];
