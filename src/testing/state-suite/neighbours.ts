/** What callers owe each other whose changes are saved together: none waits for the code of one who came later [S3]. */
import { strict as assert } from "node:assert";
import type { Store } from "../../store.ts";
import {
  aborted,
  deferred,
  eventually,
  inTime,
  rejection,
  rejectsWith,
  stillPending,
} from "../assertions.ts";
import { failBefore, hang, loseReply, meanwhile } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";
import type { Fixture } from "../fixture.ts";

interface Log {
  ids: string[];
}
const emptyLog = (): Log => ({ ids: [] });
const add = (name: string) => (draft: Log) => void draft.ids.push(name);

/** A log and a call of another store that makes it expire, and waits until it has. */
async function expiring(fixture: Fixture, id: string): Promise<() => Promise<void>> {
  const other = (await fixture.store()).state(id, { initial: emptyLog });
  return async () => {
    await other.touch(1);
    await eventually(async () => assert.equal(await other.read(), undefined));
  };
}

export const neighbourCases: readonly Case[] = [
  proof("[S3] scenario 28: a function may wait for an earlier update of the same state", async (fixture) => {
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
  proof("[S3] whose function is over is answered, and saved, while a later one runs on", async (fixture) => {
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
  }),
  proof(
    "[S3] the store is closed while a function waits for an earlier update: all settle",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const count = store.state(id, { initial: () => 0 });
      const first = count.update((n) => n + 1);
      const second = count.update(async (n) => n + (await first));
      const closing = store.close();
      await inTime(Promise.allSettled([first, second, closing]));
    },
  ),
  proof(
    "[S3] [S5] what a save of the earlier ones finds gone is applied again, and so is the later one",
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
    "[S3] [S5] the save of the earlier ones fails: they share its answer, and the later one is not saved",
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
    "[S3] [S5] the answer to the save of the earlier ones is lost: once, and the later one follows",
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
  proof("[S4] the lock is lost while the earlier ones are saved: none is saved", async (fixture) => {
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
  proof(
    "[S5] scenario 36: a call that failed because of a change that was not saved in the end is judged again",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const expire = await expiring(fixture, id);
      const [log, count] = [store.state(id, { initial: emptyLog }), store.state<number>(fixture.id())];
      await log.save({ ids: ["old"] });
      const { revision } = (await log.read()) ?? {};
      faults.once("releaseLock", meanwhile({ before: expire }));
      const calls = [
        log.update(add("first")).then(({ ids }) => ids),
        log.update((draft) => {
          if (draft.ids.length > 1) throw new Error("full");
          draft.ids.push("second");
        }),
        log.trySave({ ids: ["third"] }, { ifRevision: revision ?? 0 }),
      ];
      const settled = await Promise.allSettled(calls);
      assert.deepEqual(settled, [
        { status: "fulfilled", value: ["first"] },
        { status: "fulfilled", value: { ids: ["first", "second"] } },
        { status: "fulfilled", value: null },
      ]);
      assert.deepEqual(await log.load(), { ids: ["first", "second"] });
      assert.equal(await count.load(), undefined);
    },
  ),
  proof(
    "[S3] [S5] nothing to save, and what was loaded expired before a caller came: its answer is of what is there",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const expire = await expiring(fixture, id);
      const log = store.state<Log>(id);
      await log.save({ ids: ["old"] });
      const [begun, end] = [deferred(), deferred()];
      const long = log.run(async () => {
        begun.resolve();
        await end.promise;
      });
      await begun.promise;
      await expire();
      const calls = [log.trySave({ ids: ["new"] }, { ifRevision: "absent" }), log.update(() => undefined)];
      end.resolve();
      await long;
      assert.notEqual(await calls[0], null);
      assert.deepEqual(await calls[1], { ids: ["new"] });
    },
  ),
  proof(
    "[S5] the lock is lost before the save: no answer is made of changes that never came to be",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const state = store.state<number>(id);
      faults.once("releaseLock", meanwhile({ before: () => other.lock(id).forceRelease() }));
      const calls = await Promise.allSettled([
        state.update((n) => {
          if (n === undefined) throw new Error("nothing there"); // true whatever becomes of the others
        }),
        state.update(() => 1),
        state.update((n) => {
          if (n === 1) throw new Error("one"); // of what never was
        }),
        state.trySave(2, { ifRevision: "absent" }),
      ]);
      const codes = calls.map((call) => call.status === "rejected" && failureOf(call.reason));
      assert.deepEqual(codes, ["nothing there", "LOCK_LOST", "LOCK_LOST", "LOCK_LOST"]);
      assert.equal(await other.state(id).load(), undefined);
    },
  ),
  proof(
    "[L5] a function that runs on while those before it are applied again learns that its lock is lost",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore({ leaseMs: 600 });
      const [other, expire] = [await fixture.store(), await expiring(fixture, id)];
      const log = store.state(id, { initial: emptyLog });
      await log.save({ ids: ["old"] });
      faults.once("writeState", meanwhile({ before: expire }));
      const first = log.update(add("first"));
      let calls = 0;
      const slow = log.update(async (draft, { signal }) => {
        calls += 1;
        await first;
        await other.lock(id).forceRelease();
        await aborted(signal);
        draft.ids.push("slow");
      });
      await rejectsWith(slow, "LOCK_LOST");
      assert.equal(calls, 1, "called under a lock that was lost");
      assert.deepEqual(await log.load(), { ids: ["first"] });
    },
  ),
  proof("[L1] [S4] no function is called again under a lock that was lost meanwhile", async (fixture) => {
    const id = fixture.id();
    const { store, faults } = await fixture.faultyStore();
    const expire = await expiring(fixture, id);
    const log = store.state(id, { initial: emptyLog });
    await log.save({ ids: ["old"] });
    faults.once("releaseLock", meanwhile({ before: expire }));
    faults.once("loadState", meanwhile({ after: () => store.lock(id).forceRelease() }));
    let calls = 0;
    const update = log.update((draft) => {
      calls += 1;
      draft.ids.push("new");
    });
    await rejectsWith(update, "LOCK_LOST");
    assert.equal(calls, 1);
  }),
  proof(
    "[S3] a save that is judged again keeps its revision to itself: what comes after it is saved apart",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const expire = await expiring(fixture, id);
      const log = store.state<Log>(id);
      await log.save({ ids: ["old"] });
      faults.once("releaseLock", meanwhile({ before: expire }));
      const saved = log.trySave({ ids: ["saved"] }, { ifRevision: "absent" });
      const later = log.update((draft) => ({ ids: [...(draft?.ids ?? []), "later"] }));
      const revision = await saved;
      assert.ok(revision !== null);
      assert.deepEqual(await later, { ids: ["saved", "later"] });
      assert.equal(await log.trySave({ ids: ["over it"] }, { ifRevision: revision }), null);
      assert.deepEqual(await log.load(), { ids: ["saved", "later"] });
    },
  ),
  proof("[S5] a function that failed on what is saved by now keeps its own error", async (fixture) => {
    const id = fixture.id();
    const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
    const log = store.state(id, { initial: emptyLog });
    const hanging = faults.always("releaseLock", hang());
    const first = log.update(add("first"));
    const second = log.update(async () => {
      await first;
      throw new RangeError("mine");
    });
    const third = log.update(add("third"));
    assert.equal((await rejection(second)).message, "mine");
    assert.equal((await rejectsWith(third, "UNREACHABLE")).outcome, "unknown");
    hanging.cancel();
    await fixture.becomesFree(id);
  }),
  needing(["flush"], "[S5] the same where the server has forgotten everything", async (fixture) => {
    const id = fixture.id();
    const { store, faults } = await fixture.faultyStore();
    const state: ReturnType<Store["state"]> = store.state(id);
    faults.once("releaseLock", meanwhile({ before: () => fixture.hook("flush")() }));
    const created = state.update(() => 1);
    const refused = state.trySave(2, { ifRevision: "absent" });
    await rejectsWith(created, "LOCK_LOST");
    await rejectsWith(refused, "LOCK_LOST");
    assert.equal(await state.load(), undefined);
  }),
];

function failureOf(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  return code ?? message;
}
