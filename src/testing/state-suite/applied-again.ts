/** Changes that are saved together, when the state that they began with is gone, or the lock is. */
import { strict as assert } from "node:assert";
import type { Store } from "../../store/store.ts";
import { aborted, deferred, rejection, rejectsWith } from "../assertions.ts";
import { hang, meanwhile } from "../faults.ts";
import type { FaultyBackend } from "../faulty-backend.ts";
import { needing, proof, type Case } from "../suite.ts";
import { add, emptyLog, expiring, type Log } from "./append-only-state.ts";

export const appliedAgainCases: readonly Case[] = [
  proof(
    "[S5] a call that failed because of a change that was not saved in the end is judged again",
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
    "[S3] [S5] nothing to save, and the loaded state expired before a caller came: its result is of the present state",
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
    "[S5] the lock is lost before the save: no result is based on changes that were not saved",
    async (fixture) => {
      const id = fixture.id();
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const state = store.state<number>(id);
      faults.once("releaseLock", meanwhile({ before: () => other.lock(id).forceRelease() }));
      const calls = await Promise.allSettled([
        state.update((n) => {
          if (n === undefined) throw new Error("nothing there"); // true regardless of the others
        }),
        state.update(() => 1),
        state.update((n) => {
          if (n === 1) throw new Error("one"); // of a state that was never saved
        }),
        state.trySave(2, { ifRevision: "absent" }),
      ]);
      const codes = calls.map((call) => call.status === "rejected" && failureOf(call.reason));
      assert.deepEqual(codes, ["nothing there", "LOCK_LOST", "LOCK_LOST", "LOCK_LOST"]);
      assert.equal(await other.state(id).load(), undefined);
    },
  ),
  proof(
    "[L5] a function that runs while earlier ones are applied again learns that its lock is lost",
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
  proof("[L1] [S4] no function is called again under a lock that has been lost", async (fixture) => {
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
    "[S3] a save that is applied again returns its own revision: later changes are saved separately",
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
  proof("[S5] a function that failed on a state that was saved keeps its own error", async (fixture) => {
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
  needing(["flush"], "[S5] the same after the server has forgotten everything", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    for (;;) {
      const state: ReturnType<Store["state"]> = store.state(fixture.id());
      const asked = asksIn(faults);
      faults.once("releaseLock", meanwhile({ before: () => fixture.hook("flush")() }));
      const created = state.update(() => 1);
      const refused = state.trySave(2, { ifRevision: "absent" });
      await rejectsWith(created, "LOCK_LOST");
      const error = await refused.then(() => undefined, failureOf);
      // A process that is kept from the CPU for as long as one hold may go on serves the second after it.
      if (asksIn(faults) > asked + 1) continue;
      assert.equal(error, "LOCK_LOST");
      assert.equal(await state.load(), undefined);
      return;
    }
  }),
];

/** How often a lock was asked for, or a state written without one. */
function asksIn({ calls }: FaultyBackend): number {
  return calls.filter(({ method }) => method === "acquireLock" || method === "writeState").length;
}

function failureOf(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  return code ?? message;
}
