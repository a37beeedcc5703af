/** What a transaction does with its states, and under which locks [S9]. */
import { strict as assert } from "node:assert";
import type { AnyState } from "../../../handles/transact/transact.ts";
import type { Store } from "../../../store/store.ts";
import { deferred, rejection, rejectsWith } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";
import { accountIds, allFree, assertCents, move, twoAccounts } from "./accounts.ts";

const callsOf = (calls: readonly { readonly method: string }[], method: string): number =>
  calls.filter((call) => call.method === method).length;

export const transactCases: readonly Case[] = [
  proof("[S9] changes, replaces, creates and deletes states, and returns the result", async (fixture) => {
    const store = await fixture.store();
    const ids = accountIds(fixture, 4);
    const [a, b] = twoAccounts(store, ids);
    const [count, gone] = [store.state<number>(ids[2] ?? ""), store.state<string>(ids[3] ?? "")];
    await count.save(1);
    await gone.save("here");
    const result = await store.transact([a, count, gone, b], (drafts, context) => {
      const [one, , , other] = drafts;
      move(30)([one, other]);
      drafts[1] = (drafts[1] ?? 0) + 1;
      assert.equal(drafts[2], "here");
      drafts[2] = undefined;
      assert.deepEqual(Object.keys(context.fences).sort(), ids);
      assert.equal(context.signal.aborted, false);
      return "done";
    });
    assert.equal(result, "done");
    await assertCents([a, b], [70, 130]);
    assert.deepEqual([await count.load(), await gone.load()], [2, undefined]);
    await store.transact([count, a], (drafts, { delete: remove }) => {
      drafts[0] = 7;
      remove(a);
      remove(count);
    });
    assert.deepEqual([await count.read(), await a.read()], [undefined, undefined]);
    await store.transact([gone, count], (drafts) => void (drafts[0] = "again"));
    assert.deepEqual([await gone.load(), await count.read()], ["again", undefined]);
    await allFree(fixture, ids);
  }),
  proof("[S9] [S2] a state whose draft is left as it is keeps its revision", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 3);
    const [a, b] = twoAccounts(store, ids);
    const never = store.state(ids[2] ?? "", { initial: () => ({ cents: 5 }) });
    const revision = await a.save({ cents: 1 });
    await store.transact([a, b, never], ([, other]) => void (other.cents = 2));
    assert.equal((await a.read())?.revision, revision);
    assert.equal(await never.read(), undefined);
    const before = faults.calls.length;
    assert.equal(await store.transact([a, b], ([one, other]) => one.cents + other.cents), 3);
    assert.equal(callsOf(faults.calls.slice(before), "commitStates"), 1); // they were stored together
    await allFree(fixture, ids);
  }),
  proof("[S9] if the function throws, nothing changes", async (fixture) => {
    const store = await fixture.store();
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    const failure = new Error("not enough");
    for (const fail of [
      () => {
        throw failure;
      },
      () => Promise.reject(failure),
    ]) {
      const failing = store.transact([a, b], ([one]) => {
        one.cents = 0;
        return fail();
      });
      assert.equal(await rejection(failing), failure);
    }
    assert.deepEqual([await a.read(), await b.read()], [undefined, undefined]);
    await allFree(fixture, ids);
  }),
  proof(
    "[S9] a draft cannot be taken out of its place, so no state gets another's value",
    async (fixture) => {
      const store = await fixture.store();
      const ids = accountIds(fixture, 2);
      const [a, b] = twoAccounts(store, ids);
      await store.transact([a, b], move(10));
      for (const misuse of [
        (drafts: unknown[]) => drafts.shift(),
        (drafts: unknown[]) => drafts.push({ cents: 0 }),
        (drafts: unknown[]) => drafts.splice(0, 1),
        (drafts: unknown[]) => (drafts.length = 0),
      ]) {
        const failing = store.transact([a, b], (drafts) => misuse(drafts as unknown[]));
        assert.ok((await rejection(failing)) instanceof TypeError);
      }
      await assertCents([a, b], [90, 110]);
      await allFree(fixture, ids);
    },
  ),
  proof("[S9] [S1] transactions of several stores in any order: nothing is lost", async (fixture) => {
    const stores = await fixture.stores(3);
    const ids = accountIds(fixture, 2);
    const transfers = stores.flatMap((store, which) => {
      const [a, b] = twoAccounts(store, ids);
      const pairs = [[a, b] as const, [b, a] as const];
      return Array.from({ length: 12 }, (_, nth) =>
        store.transact(pairs[(nth + which) % 2] ?? [a, b], ([from, to]) => {
          move(1)([from, to]);
          return nth % 3 === 0 ? Promise.resolve() : undefined;
        }),
      );
    });
    const updates = stores.map((store) =>
      twoAccounts(store, ids)[0].run((draft) => void (draft.cents += 10)),
    );
    await Promise.all([...transfers, ...updates]);
    await assertCents(twoAccounts(stores[0], ids), [130, 100]);
    await allFree(fixture, ids);
  }),
  proof("[S9] one round trip for the locks with the states, and one for the commit", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    await store.transact([a, b], move(1));
    const before = faults.calls.length;
    await store.transact([b, a], move(1));
    const methods = faults.calls.slice(before).map(({ method }) => method);
    assert.deepEqual(methods, ["acquireLock", "acquireLock", "commitStates"]);
  }),
  proof("[S9] callers of one process continue from what the one before has saved", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const [a, b] = twoAccounts(store, accountIds(fixture, 2));
    await Promise.all(Array.from({ length: 20 }, () => store.transact([a, b], move(1))));
    await assertCents([a, b], [80, 120]);
    assert.ok(callsOf(faults.calls, "loadState") < 40, "some continue from what is loaded");
  }),
  proof("[S9] [L4] inside lock.run, and with its grant: the lock is held on", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    await store.lock(a.id).run(async (grant) => {
      await store.transact([b, a], ([one, two], { fences }) => {
        move(1)([one, two]);
        assert.equal(fences[a.id], grant.fence);
      });
      await a.update((draft) => void (draft.cents += 1));
      await store.transact([a], ([draft]) => void (draft.cents += 1));
      assert.equal((await other.lock(a.id).inspect())?.fence, grant.fence);
      assert.equal(await other.lock(b.id).inspect(), null);
    });
    await using both = await store.lockAll(ids).acquire();
    await store.transact([a, b], move(3), { grant: both, waitMs: 0 });
    await rejectsWith(store.transact([a, b], move(1), { waitMs: 0 }), "LOCK_TIMEOUT");
    await both.release();
    await rejectsWith(store.transact([a, b], move(1), { grant: both }), "LOCK_LOST");
    await assertCents([a, b], [100, 102]);
    await allFree(fixture, ids);
  }),
  proof("[S9] [L4] inside a function that changes one of the states, it is refused", async (fixture) => {
    const store = await fixture.store();
    const [a, b] = twoAccounts(store, accountIds(fixture, 2));
    await a.update(async () => {
      await rejectsWith(store.transact([a, b], move(1)), "INVALID_ARGUMENT");
      await store.transact([b], ([draft]) => void (draft.cents += 1));
    });
    await store.transact([a], async () => {
      await rejectsWith(a.save({ cents: 0 }), "INVALID_ARGUMENT");
      await rejectsWith(store.transact([a, b], move(1)), "INVALID_ARGUMENT");
      await store.transact([b], ([draft]) => void (draft.cents += 1));
    });
    await assertCents([a, b], [100, 102]);
  }),
  proof("[S9] [L12] under a shared lock of one of the states, it is refused", async (fixture) => {
    const store = await fixture.store();
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    const inside = (): Promise<unknown> => rejectsWith(store.transact([a, b], move(1)), "INVALID_ARGUMENT");
    await store.lock(b.id).run(inside, { shared: true });
    await assertCents([a, b], [100, 100]);
    await allFree(fixture, ids);
  }),
  proof("[S9] work that outlives the function writes as any other caller", async (fixture) => {
    const store = await fixture.store();
    const [a, b] = twoAccounts(store, accountIds(fixture, 2));
    const end = deferred();
    let late: Promise<unknown> = Promise.resolve();
    await store.transact([a, b], (drafts) => {
      move(1)(drafts);
      late = end.promise.then(() => a.update((draft) => void (draft.cents += 7)));
    });
    end.resolve();
    await late;
    await assertCents([a, b], [106, 101]);
  }),
  proof("[S9] bad arguments are refused at once", async (fixture) => {
    const [{ store, faults }, other] = [
      await fixture.faultyStore({ maxStateBytes: 100 }),
      await fixture.store(),
    ];
    const [a, b] = twoAccounts(store, accountIds(fixture, 2));
    const many = Array.from({ length: 33 }, (_, index) => store.state(`{x}${String(index)}`));
    const nothing = (): void => undefined;
    const refused = (given: unknown, fn: unknown = nothing, options?: object): Promise<unknown> =>
      rejectsWith(
        (store as { transact: (...args: unknown[]) => Promise<unknown> }).transact(given, fn, options),
        "INVALID_ARGUMENT",
      );
    for (const given of [[], undefined, a, [a, "b"], [a, undefined], [a, b, a], many]) await refused(given);
    await refused([a, twoAccounts(other, [a.id, b.id])[1]]);
    await refused([a, store.lock("x")]);
    await refused([a, b], "fn");
    for (const options of [{ waitMs: -1 }, { ifRevision: 1 }, { grant: {} }, { maxHoldMs: 0 }])
      await refused([a, b], nothing, options);
    await using elsewhere = await other.lock("elsewhere").acquire();
    await refused([a, b], nothing, { grant: elsewhere });
    assert.equal(faults.calls.length, 0);
    await using unrelated = await store.lock("unrelated").acquire();
    await refused([a, b], nothing, { grant: unrelated });
    for (const other of [b, null, undefined, b.id] as AnyState[])
      await refused([a], (_: unknown, context: { delete: (state: AnyState) => void }) =>
        context.delete(other),
      );
  }),
  proof("[S9] together the states may have at most maxStateBytes", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ maxStateBytes: 100 });
    const ids = accountIds(fixture, 3);
    const states = ids.map((id) => store.state<string>(id)) as Parameters<Store["transact"]>[0];
    const write = (size: number): Promise<unknown> =>
      store.transact(states, (drafts) => {
        drafts.fill("x".repeat(size));
      });
    await write(31);
    const before = faults.calls.length;
    await rejectsWith(write(32), "SERIALIZATION");
    await rejectsWith(write(200), "SERIALIZATION");
    assert.equal(callsOf(faults.calls.slice(before), "commitStates"), 0);
    assert.equal(await store.state(ids[0] ?? "").load(), "x".repeat(31));
    await allFree(fixture, ids);
  }),
];
