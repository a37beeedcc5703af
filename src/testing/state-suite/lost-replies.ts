/**
 * Lost replies [S5], one backend call after the other: whichever replies are lost, each write takes effect exactly
 * once, and has the result of a call without failures.
 */
import { strict as assert } from "node:assert";
import type { State } from "../../handles/state/state.ts";
import type { Store } from "../../store/store.ts";
import { eventually, pause, rejectsWith } from "../assertions.ts";
import { failBefore, LateCopy, loseReply, type Fault } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";
import type { FaultyStore, Fixture } from "../fixture.ts";

type Ids = string[];

/** A write, tried with each of its backend calls failing in turn. It adds "mine" to the state, which has "old". */
interface Operation {
  readonly name: string;
  run(store: Store, state: State<Ids, Ids>): Promise<unknown>;
  /** What is stored afterwards, if no other client writes. */
  readonly stored: Ids;
  /** Checks the result, if no other client writes. */
  check(answer: unknown, revision: number | undefined): void;
}

const saved = (answer: unknown, revision: number | undefined): void => assert.equal(answer, revision);
const both = ["old", "mine"];

const operations: readonly Operation[] = [
  {
    name: "an update",
    run: (_, state) => state.update((draft) => void draft.push("mine")),
    stored: both,
    check: (answer) => assert.deepEqual(answer, both),
  },
  {
    name: "a run",
    run: (_, state) => state.run((draft) => draft.push("mine")),
    stored: both,
    check: (answer) => assert.equal(answer, 2),
  },
  {
    name: "an update that changes nothing",
    run: (_, state) => state.update(() => undefined),
    stored: ["old"],
    check: (answer) => assert.deepEqual(answer, ["old"]),
  },
  { name: "a save", run: (_, state) => state.save(["mine"]), stored: ["mine"], check: saved },
  {
    name: "a save under a grant that is released afterwards",
    run: (store, state) => store.lock(state.id).run(() => state.save(["mine"])),
    stored: ["mine"],
    check: saved,
  },
  {
    name: "an update inside lock.run",
    run: (store, state) => store.lock(state.id).run(() => state.update((draft) => void draft.push("mine"))),
    stored: both,
    check: (answer) => assert.deepEqual(answer, both),
  },
  {
    name: "two updates in one batch",
    run: (_, state) =>
      Promise.all([state.run((draft) => draft.push("mine")), state.run((draft) => draft.push("too"))]),
    stored: [...both, "too"],
    check: (answer) => assert.deepEqual(answer, [2, 3]),
  },
];

/** What happens to one call. `rival` writes in between; `settle` is called when the operation is over. */
interface Mishap {
  readonly name: string;
  plan(rival: () => Promise<void>): { fault: Fault; settle?: () => Promise<void> };
}

const mishaps: readonly Mishap[] = [
  { name: "its reply lost", plan: () => ({ fault: loseReply() }) },
  { name: "a failure before it is carried out", plan: () => ({ fault: failBefore("unknown") }) },
  {
    name: "its reply lost and another client writing before the retry",
    plan: (rival) => ({ fault: loseReply(rival) }),
  },
  {
    name: "its first copy arriving after the retry",
    plan() {
      const copy = new LateCopy();
      return { fault: copy.afterRetry, settle: () => copy.deliver() };
    },
  },
  {
    name: "its first copy arriving at the end, after another client has written",
    plan(rival) {
      const copy = new LateCopy();
      const settle = async (): Promise<void> => {
        await rival();
        await copy.deliver();
      };
      return { fault: copy.fault, settle };
    },
  },
];

/** One operation, with the same mishap at each of its calls in turn. */
function matrixCase(operation: Operation, mishap: Mishap): Case {
  return {
    name: `[S5] ${operation.name}, at each of its calls with ${mishap.name}: takes effect once, with the first result`,
    async run(fixture) {
      const faulty = await fixture.faultyStore();
      const rival = await fixture.store();
      for (let nth = 1; await attempt(fixture, { operation, mishap, faulty, rival, nth }); nth += 1);
    },
  };
}

interface Attempt {
  readonly operation: Operation;
  readonly mishap: Mishap;
  readonly faulty: FaultyStore;
  readonly rival: Store;
  readonly nth: number;
}

/** Returns false if the operation had fewer calls than that. */
async function attempt(fixture: Fixture, what: Attempt): Promise<boolean> {
  const { operation, mishap, faulty, rival, nth } = what;
  const id = fixture.id();
  const theirs = rival.state<Ids>(id);
  await theirs.save(["old"]);
  const rivals: Promise<unknown>[] = [];
  let seen: Ids | undefined;
  const rivalWrites = async (): Promise<void> => {
    if (rivals.length > 0) return;
    const write = theirs.update((draft) => [...(draft ?? []), "theirs"]).then((ids) => (seen = ids));
    rivals.push(write);
    await Promise.race([write, pause(20)]); // it may have to wait for the lock whose reply is lost
  };
  const { fault, settle } = mishap.plan(rivalWrites);
  const plan = faulty.faults.once("any", fault, nth);
  const answer = await operation.run(faulty.store, faulty.store.state<Ids>(id) as State<Ids, Ids>);
  const own = seen === undefined && rivals.length === 0 ? (await theirs.read())?.revision : undefined;
  await settle?.();
  await Promise.all(rivals);
  plan.cancel();
  await fixture.becomesFree(id);
  const stored = await theirs.load();
  if (seen === undefined) {
    assert.deepEqual(stored, operation.stored);
    operation.check(answer, own);
  } else {
    assertOneOrder({ stored: stored ?? [], seen, alone: operation.stored });
  }
  return plan.fired;
}

/** Theirs before mine, or mine before theirs; never one of them twice, and never one undone by the other's retry. */
function assertOneOrder(ids: { stored: Ids; seen: Ids; alone: Ids }): void {
  const { stored, seen, alone } = ids;
  const theirsLast = seen.includes("mine") || !alone.includes("mine");
  if (theirsLast) assert.deepEqual(stored, seen);
  else if (alone.includes("old")) assert.deepEqual(stored, ["old", "theirs", ...alone.slice(1)]);
  else assert.deepEqual(stored, alone); // a save on top of what they wrote
}

const oneByOne: readonly Case[] = [
  proof("[S5] trySave with ifRevision whose reply is lost does not conflict with itself", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const state = store.state<number>(fixture.id());
    faults.once("writeState", loseReply());
    const first = await state.trySave(1, { ifRevision: "absent" });
    assert.ok(first !== null);
    faults.once("writeState", loseReply());
    const second = await state.trySave(2, { ifRevision: first });
    assert.equal(second, (await state.read())?.revision);
    faults.once("writeState", loseReply());
    await state.delete({ ifRevision: second });
    assert.equal(await state.read(), undefined);
  }),
  proof(
    "[S5] a delete whose reply is lost, with another client's save before the retry: the save stays",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const rival = await fixture.store();
      const id = fixture.id();
      await store.state<number>(id).save(1);
      faults.once(
        "writeState",
        loseReply(() => rival.state<number>(id).save(2)),
      );
      await store.state(id).delete();
      assert.equal(await store.state(id).load(), 2);
    },
  ),
  proof(
    "[S5] a save that was answered with a conflict at its retry: its first copy, arriving late, is refused",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const rival = await fixture.store();
      const id = fixture.id();
      const copy = new LateCopy();
      faults.once("writeState", copy.fault);
      await rival.state<string>(id).save("theirs");
      assert.equal(await store.state<string>(id).trySave("mine", { ifRevision: "absent" }), null);
      await rival.state(id).delete();
      await copy.deliver();
      assert.equal(await rival.state(id).load(), undefined);
    },
  ),
  proof(
    "[S5] a save that had to queue at its retry: its first copy, arriving late, is refused",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const rival = await fixture.store();
      const id = fixture.id();
      const copy = new LateCopy();
      faults.once("writeState", copy.fault);
      const grant = await rival.lock(id).acquire();
      const saving = store.state<string>(id).save("mine", { waitMs: 50 });
      await rejectsWith(saving, "LOCK_TIMEOUT"); // outcome "none": it must not be written any more
      await grant.release();
      await fixture.becomesFree(id);
      await copy.deliver();
      assert.equal(await rival.state(id).load(), undefined);
    },
  ),
  proof(
    "[S5] no reply before the deadline: outcome unknown if the call was sent, none if it was not",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
      const state = store.state<number>(fixture.id());
      const never = faults.always("writeState", failBefore("none"));
      const none = await rejectsWith(state.save(1), "UNREACHABLE");
      assert.equal(none.outcome, "none");
      assert.equal(await state.read(), undefined);
      never.cancel();
      const silent = faults.always("writeState", loseReply());
      const unknown = await rejectsWith(state.save(2), "UNREACHABLE");
      assert.equal(unknown.outcome, "unknown");
      silent.cancel();
      await eventually(async () => assert.equal(await state.load(), 2));
    },
  ),
  proof("[S5] an update whose save gets no reply fails as unknown, and frees the lock", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
    const id = fixture.id();
    const silent = faults.always("releaseLock", failBefore("unknown"));
    const state = store.state(id, { initial: () => 0 });
    const error = await rejectsWith(
      state.update((n) => n + 1),
      "UNREACHABLE",
    );
    assert.equal(error.outcome, "unknown");
    silent.cancel();
    await fixture.becomesFree(id);
    assert.equal(await state.update((n) => n + 1), 1);
  }),
  needing(
    ["flush"],
    "[S5] a flush between an update's save and its retry: the error has the outcome unknown",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const state = store.state(fixture.id(), { initial: () => 0 });
      await state.update((n) => n + 1); // gives the client a proof
      faults.once(
        "releaseLock",
        loseReply(() => fixture.hook("flush")()),
      );
      const error = await rejectsWith(
        state.update((n) => n + 1),
        "UNREACHABLE",
      );
      assert.equal(error.outcome, "unknown");
    },
  ),
  proof(
    "[S1] a load that fails is retried, and throws in the end; it never reports an absent state",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
      const id = fixture.id();
      const state = store.state(id, { initial: () => 0 });
      await state.save(5);
      faults.once("loadState", failBefore("unknown"));
      assert.equal(await state.load(), 5);
      const silent = faults.always("loadState", failBefore("unknown"));
      const noGrant = faults.always("acquireLock", failBefore("unknown"));
      const calls = [state.load(), state.read(), state.update((n) => n + 1)];
      await Promise.all(calls.map((call) => rejectsWith(call, "UNREACHABLE")));
      silent.cancel();
      noGrant.cancel();
      assert.equal(await state.load(), 5);
    },
  ),
];

export const lostReplyCases: readonly Case[] = [
  ...operations.flatMap((operation) => mishaps.map((mishap) => matrixCase(operation, mishap))),
  ...oneByOne,
];
