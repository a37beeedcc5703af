/** Callers whose changes are saved together: none waits for the function of a later caller [S3]. */
import { strict as assert } from "node:assert";
import { deferred, inTime, rejection, rejectsWith, stillPending } from "../assertions.ts";
import { failBefore, loseReply, meanwhile } from "../faults.ts";
import { proof, type Case } from "../suite.ts";
import { add, emptyLog, expiring, type Log } from "./append-only-state.ts";

export const neighbourCases: readonly Case[] = [
  proof("[S3] a function may wait for an earlier update of the same state", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const count = store.state(id, { initial: () => 0 });
    const first = count.update((n) => n + 1);
    const second = count.update(async (n) => n + (await first));
    const third = count.update(async (n) => n + (await second) + (await first));
    assert.deepEqual(await inTime(Promise.all([first, second, third])), [1, 2, 5]);
    assert.equal(await count.load(), 5);
    await fixture.becomesFree(id);
  }),
  proof("[S3] a function may wait for any earlier call of the same state", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const log = store.state(id, { initial: emptyLog });
    const saved = log.save({ ids: ["saved"] });
    const unchanged = log.run((draft) => draft.ids.length);
    const failed = log.update(() => Promise.reject(new Error("mine")));
    const deleted = log.delete();
    const refused = log.trySave({ ids: ["too late"] }, { ifRevision: 1 });
    const last = log.update(async (draft) => {
      assert.ok((await saved) > 0);
      assert.equal(await unchanged, 1);
      assert.equal((await rejection(failed)).message, "mine");
      await deleted;
      assert.equal(await refused, null);
      draft.ids.push("last");
    });
    assert.deepEqual(await inTime(last), { ids: ["last"] });
    assert.deepEqual(await log.load(), { ids: ["last"] });
  }),
  proof(
    "[S3] a change whose function has ended is saved and answered while a later one still runs",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const id = fixture.id();
      const log = store.state(id, { initial: emptyLog });
      const [begun, end] = [deferred(), deferred()];
      const first = log.update(add("first"));
      const failed = log.update(() => Promise.reject(new Error("mine")));
      const slow = log.update(async (draft) => {
        draft.ids.push("slow");
        begun.resolve();
        await end.promise;
      });
      const behind = log.update(add("behind"));
      await begun.promise;
      assert.deepEqual(await inTime(first), { ids: ["first"] });
      assert.equal((await rejection(failed)).message, "mine");
      assert.deepEqual(await other.state<Log>(id).load(), { ids: ["first"] });
      await stillPending(behind);
      end.resolve();
      assert.deepEqual(await slow, { ids: ["first", "slow"] });
      assert.deepEqual(await behind, { ids: ["first", "slow", "behind"] });
    },
  ),
  proof(
    "[S3] the store is closed while a function waits for an earlier update: all settle",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const count = store.state(id, { initial: () => 0 });
      const begun = deferred();
      const first = count.update((n) => n + 1);
      const second = count.update(async (n) => {
        begun.resolve();
        return n + (await first);
      });
      await begun.promise; // before that, both would be refused as waiters
      const closing = store.close();
      assert.deepEqual(await inTime(Promise.all([first, second, closing])), [1, 2, undefined]);
    },
  ),
  proof(
    "[S3] [S5] the save of the earlier changes finds the state gone: they and the later one are applied again",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const expire = await expiring(fixture, id);
      const log = store.state(id, { initial: emptyLog });
      await log.save({ ids: ["old"] });
      const seen: string[][] = [];
      faults.once("writeState", meanwhile({ before: expire }));
      const first = log.update(add("first"));
      const second = log.update(async (draft) => {
        seen.push([...draft.ids]);
        await first;
        draft.ids.push("second");
      });
      assert.deepEqual(await inTime(first), { ids: ["first"] });
      assert.deepEqual(await inTime(second), { ids: ["first", "second"] });
      assert.deepEqual(seen, [["old", "first"], ["first"]]);
      assert.deepEqual(await log.load(), { ids: ["first", "second"] });
    },
  ),
  proof(
    "[S3] [S5] the save of the earlier changes fails: they share its error, and the later one is not saved",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
      const log = store.state(id, { initial: emptyLog });
      faults.always("writeState", failBefore("none"));
      const end = deferred();
      const first = log.update(add("first"));
      const second = log.update(async (draft) => {
        draft.ids.push("second");
        await end.promise;
      });
      assert.equal((await rejectsWith(first, "UNREACHABLE")).outcome, "none");
      end.resolve();
      await rejectsWith(second, "UNREACHABLE");
      assert.equal(await log.load().then(({ ids }) => ids.length), 0);
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[S3] [S5] the reply to the save of the earlier changes is lost: they are saved once, and the later one follows",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const log = store.state(id, { initial: emptyLog });
      faults.once("writeState", loseReply());
      const first = log.update(add("first"));
      const second = log.update(async (draft) => {
        await first;
        draft.ids.push("second");
      });
      assert.deepEqual(await inTime(second), { ids: ["first", "second"] });
      assert.deepEqual(await log.load(), { ids: ["first", "second"] });
    },
  ),
  proof("[S4] the lock is lost while the earlier changes are saved: none is saved", async (fixture) => {
    const id = fixture.id();
    const { store, faults } = await fixture.faultyStore();
    const other = await fixture.store();
    const log = store.state(id, { initial: emptyLog });
    faults.once("writeState", meanwhile({ before: () => other.lock(id).forceRelease() }));
    const first = log.update(add("first"));
    const second = log.update(async (draft) => {
      await rejection(first);
      draft.ids.push("second");
    });
    await rejectsWith(first, "LOCK_LOST");
    await rejectsWith(second, "LOCK_LOST");
    assert.equal(await other.state(id).load(), undefined);
  }),
];
