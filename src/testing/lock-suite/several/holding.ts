/** Holding several locks [L14]: re-entry, branches, and the loss of one of them. */
import { strict as assert } from "node:assert";
import type { GrantSet } from "../../../ownership/grant-set.ts";
import { aborted, deferred, eventually, pause, rejectsWith } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";
import { allFree, isFree, threeIds } from "./helpers.ts";

/** The ids of the locks that were asked for, in order. */
const asked = (calls: readonly { readonly method: string; readonly args: readonly unknown[] }[]): unknown[] =>
  calls.filter(({ method }) => method === "acquireLock").map(({ args }) => args[0]);

export const holdingSeveralCases: readonly Case[] = [
  proof("[L14] [L4] ids that the caller holds are entered again, and stay held", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const other = await fixture.store();
    const ids = threeIds(fixture);
    const [a, b, c] = ids;
    await store.lock(b).run(async (outer) => {
      const before = faults.calls.length;
      await store.lockAll(ids).run((grant) => {
        assert.deepEqual(asked(faults.calls.slice(before)).sort(), [a, c].sort()); // shards answer in any order
        assert.equal(grant.fences[b], outer.fence);
      });
      assert.equal(await isFree(other, a), true);
      assert.equal(await isFree(other, b), false);
    });
    const byHand = await store.lock(a).acquire();
    await using both = await store.lockAll([a, b]).acquire({ grant: byHand });
    await using again = await store.lockAll([b, c]).acquire({ grant: both });
    assert.deepEqual(
      again.fences,
      Object.assign(Object.create(null), { [b]: both.fences[b], [c]: again.fences[c] }),
    );
    await again.release();
    await both.release();
    assert.equal(await isFree(other, a), false);
    await byHand.release();
    await allFree(fixture, ids);
  }),
  proof(
    "[L14] [L4] inside run, locks and states of each id use its grant; outside, it is passed",
    async (fixture) => {
      const store = await fixture.store();
      const [a, b] = threeIds(fixture);
      const ids = [a, b];
      await store.lockAll(ids).run(async (grant) => {
        await store.state(a).save("in a");
        await store.state(b, { initial: () => "" }).update(() => "in b");
        await store.lock(b).run(({ fence }) => assert.equal(fence, grant.fences[b]));
      });
      assert.deepEqual([await store.state(a).load(), await store.state(b).load()], ["in a", "in b"]);
      await using grant = await store.lockAll(ids).acquire();
      await store.state(b).save("by hand", { grant, waitMs: 0 });
      await rejectsWith(store.state(a).save("no", { waitMs: 0 }), "LOCK_TIMEOUT");
      await rejectsWith(store.state(fixture.id()).save("no", { grant }), "INVALID_ARGUMENT");
      await grant.release();
      await rejectsWith(store.state(b).save("no", { grant }), "LOCK_LOST");
      assert.equal(await store.state(b).load(), "by hand");
    },
  ),
  proof(
    "[L14] [L4] branches of one owner exclude each other, whatever the order of their ids",
    async (fixture) => {
      const store = await fixture.store();
      const ids = threeIds(fixture);
      let inside = 0;
      const branch = (of: readonly string[]): Promise<void> =>
        store.lockAll(of).run(async () => {
          assert.equal((inside += 1), 1);
          await pause(2);
          inside -= 1;
        });
      await store
        .lockAll(ids)
        .run(() => Promise.all([ids, ids.toReversed(), ids, ids.toReversed()].map(branch)));
      await allFree(fixture, ids);
    },
  ),
  proof("[L14] [L5] one of them is lost: the signal aborts, and the others are released", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = threeIds(fixture);
    const [a, b, c] = ids;
    for (const byHand of [false, true]) {
      const inside = deferred<GrantSet>();
      const work = async (grant: GrantSet): Promise<string> => {
        inside.resolve(grant);
        const { message } = await aborted(grant.signal);
        assert.ok(message.includes(JSON.stringify(b)), message);
        await eventually(async () => assert.ok((await isFree(other, a)) && (await isFree(other, c))));
        const refused = store.state(c).save("late", { grant });
        const error = await rejectsWith(refused, "LOCK_LOST");
        assert.ok(
          error.message.includes(`${JSON.stringify(b)}, which was acquired together with it, was lost`),
        );
        return "what fn returned";
      };
      const set = store.lockAll(ids, { leaseMs: 600 });
      const ending = byHand
        ? set.acquire().then((grant) => work(grant).then(() => grant.release()))
        : set.run(work);
      ending.catch(() => undefined);
      await inside.promise;
      assert.equal(await other.lock(b).forceRelease(), true);
      if (byHand) assert.equal(await ending, false);
      else assert.equal((await rejectsWith(ending, "LOCK_LOST")).result, "what fn returned");
      assert.equal(await other.state(c).load(), undefined);
      await allFree(fixture, ids);
    }
  }),
  proof(
    "[L14] one is lost while another is waited for: the call fails at once, and nothing stays held",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const ids = threeIds(fixture);
      const [a, b, c] = ids;
      const held = await other.lock(c).acquire();
      const waiting = rejectsWith(store.lockAll([a, b, c]).acquire({ waitMs: 60_000 }), "LOCK_LOST");
      await eventually(async () => assert.equal((await other.lock(c).inspect())?.waiters, 1));
      assert.equal(await other.lock(a).forceRelease(), true);
      await waiting;
      assert.deepEqual([await isFree(other, a), await isFree(other, b)], [true, true]);
      await held.release();
      for (const id of ids) await fixture.becomesFree(id);
    },
  ),
];
