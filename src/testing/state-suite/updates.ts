/** Many updates at once: none is lost, none is applied twice, each fails alone, and each gets its own copies [S3]. */
import { strict as assert } from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import type { Store } from "../../store/store.ts";
import { assertRises, deferred, pause, rejection, rejectsWith } from "../assertions.ts";
import { delay } from "../faults.ts";
import { proof, type Case } from "../suite.ts";

interface Log {
  ids: string[];
}
const emptyLog = (): Log => ({ ids: [] });
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

export const updateCases: readonly Case[] = [
  proof(
    "[S3] of many updates from several stores none is lost and none is applied twice",
    async (fixture) => {
      const stores = await fixture.stores(3, { waitMs: 60_000 });
      const id = fixture.id();
      const add = async (store: Store, name: string): Promise<void> => {
        const log = await store.state(id, { initial: emptyLog }).update((draft) => void draft.ids.push(name));
        assert.equal(log.ids.at(-1), name);
      };
      const each = async (store: Store, s: number): Promise<void> => {
        await Promise.all(range(40).map((n) => add(store, `${String(s)}:${String(n)}`))); // in batches
        for (const n of range(5)) await add(store, `${String(s)}:alone ${String(n)}`); // one by one
      };
      await Promise.all(stores.map(each));
      const { ids } = await stores[0].state(id, { initial: emptyLog }).load();
      assert.equal(ids.length, 3 * 45);
      assert.equal(new Set(ids).size, ids.length);
      for (const s of range(3)) {
        const own = ids.filter((name) => name.startsWith(`${String(s)}:`) && !name.includes("alone"));
        assert.deepEqual(
          own,
          range(40).map((n) => `${String(s)}:${String(n)}`),
        ); // [L2] in call order
      }
    },
  ),
  proof("[S3] any number of updates may change nothing, fail, or delete an absent state", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const state = store.state(id, { initial: () => 0 });
    await state.save(7);
    const holder = await other.lock(id).acquire();
    const calls = [
      ...range(40).map(() => state.update(() => undefined)),
      ...range(40).map(() => state.update(() => Promise.reject(new Error("mine"))).catch(() => 7)),
    ];
    await pause(20);
    await holder.release();
    assert.deepEqual(
      await Promise.all(calls),
      range(80).map(() => 7),
    );

    const absent = store.state<number>(fixture.id());
    const guard = await other.lock(absent.id).acquire();
    const deletes = range(20).map(() => absent.delete());
    await pause(20);
    await guard.release();
    await Promise.all(deletes);
    await fixture.becomesFree(id);
    await fixture.becomesFree(absent.id);
  }),
  proof("[S3] any number of updates that change nothing may follow one another", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: () => ({ n: 1 }) });
    for (let round = 0; round < 200; round += 1)
      assert.deepEqual(await state.update(() => undefined), { n: 1 });
    await Promise.all(
      range(3).map(async () => {
        for (let round = 0; round < 50; round += 1) await state.run(() => undefined);
      }),
    );
    await fixture.becomesFree(id);
  }),
  proof("[S3] a function that throws does not affect the other updates of its batch", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: emptyLog });
    const calls = range(10).map((n) =>
      state.update((draft) => {
        draft.ids.push(String(n));
        if (n % 3 === 0) throw new Error(`no ${String(n)}`);
      }),
    );
    const settled = await Promise.allSettled(calls);
    assert.deepEqual(
      settled.map(({ status }) => status),
      range(10).map((n) => (n % 3 === 0 ? "rejected" : "fulfilled")),
    );
    assert.deepEqual((await state.load()).ids, ["1", "2", "4", "5", "7", "8"]);
  }),
  proof("[S3] every draft and every result is its caller's own copy", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: emptyLog });
    const drafts: Log[] = [];
    const results = await Promise.all(
      range(4).map((n) =>
        state.update((draft) => {
          drafts.push(draft);
          draft.ids.push(String(n));
        }),
      ),
    );
    for (const log of [...drafts, ...results]) log.ids.push("spoilt");
    assert.equal(new Set([...drafts, ...results]).size, 8);
    assert.deepEqual((await state.load()).ids, ["0", "1", "2", "3"]);
  }),
  proof("[S3] each function runs in its caller's async context", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: emptyLog });
    const context = new AsyncLocalStorage<string>();
    const names = range(5).map(String);
    const seen = names.map((name) => context.run(name, () => state.run(() => context.getStore())));
    assert.deepEqual(await Promise.all(seen), names);
  }),
  proof("[S3] saves, deletes and updates of one process happen in call order", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: emptyLog });
    const [first, , second, , loaded] = await Promise.all([
      state.save({ ids: ["saved"] }),
      state.update((draft) => void draft.ids.push("a")),
      state.save({ ids: ["again"] }),
      state.delete(),
      state.update((draft) => void draft.ids.push("b")),
    ]);
    assertRises([first, second], "revisions");
    assert.deepEqual(loaded, { ids: ["b"] });
    assert.deepEqual(await state.load(), { ids: ["b"] });
  }),
  proof("[S3] conditions see the effects of earlier calls", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<number>(id);
    const holder = await store.lock(id).acquire();
    const calls = [
      state.trySave(1, { ifRevision: "absent" }),
      state.trySave(2, { ifRevision: "absent" }),
      state.update((n) => (n ?? 0) + 10),
      state.trySave(3, { ifRevision: "absent" }),
    ];
    await holder.release();
    const [first, second, third, fourth] = await Promise.all(calls);
    assert.ok(first !== null);
    assert.deepEqual([second, third, fourth], [null, 11, null]);
    assert.equal(await state.load(), 11);
  }),
  proof(
    "[S3] a state that expires during an update: the function is called again, and takes effect once",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state(id, { initial: emptyLog });
      await state.save({ ids: ["old"] }, { ttlMs: 150 });
      const drafts: string[][] = [];
      const result = await state.update(async (draft) => {
        drafts.push([...draft.ids]);
        draft.ids.push("new");
        await pause(200);
      });
      assert.deepEqual(drafts, [["old"], []]);
      assert.deepEqual(result, { ids: ["new"] });
      assert.deepEqual(await state.load(), { ids: ["new"] });
    },
  ),
  proof("[S3] a long update keeps its lock alive and excludes the others", async (fixture) => {
    const [store, other] = await fixture.stores(2, { leaseMs: 500 });
    const id = fixture.id();
    const begun = deferred();
    const long = store.state(id, { initial: emptyLog }).update(async (draft, context) => {
      begun.resolve();
      await pause(1_500);
      assert.equal(context.signal.aborted, false);
      draft.ids.push("long");
    });
    await begun.promise;
    await other.state(id, { initial: emptyLog }).update((draft) => void draft.ids.push("other"));
    await long;
    assert.deepEqual((await other.state(id, { initial: emptyLog }).load()).ids, ["long", "other"]);
  }),
  proof("[L3] the fence that an update sees rises from hold to hold", async (fixture) => {
    const [one, two] = await fixture.stores(2);
    const id = fixture.id();
    const fences: number[] = [];
    for (const store of [one, two, one, one, two, one]) {
      await store.state(id, { initial: emptyLog }).update((draft, context) => {
        fences.push(context.fence);
        draft.ids.push("x");
      });
    }
    assertRises(fences, "fences");
  }),
  proof("[S3] a write of a state inside its own draft function is refused at once", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: emptyLog });
    const misuses = [
      () => state.save(emptyLog()),
      () => state.trySave(emptyLog()),
      () => state.update(() => undefined),
      () => state.run(() => undefined),
      () => state.delete(),
    ];
    for (const misuse of misuses) {
      await state.update(async () => {
        await rejectsWith(misuse(), "INVALID_ARGUMENT");
      });
    }
    // Another state may be changed in it, and this one again afterwards.
    const other = store.state(fixture.id(), { initial: emptyLog });
    await state.update(async (draft) => {
      draft.ids.push("outer");
      await other.update((inner) => void inner.ids.push("inner"));
    });
    assert.deepEqual((await other.load()).ids, ["inner"]);
    assert.deepEqual((await state.update((draft) => void draft.ids.push("after"))).ids, ["outer", "after"]);
  }),
  proof(
    "[L2] [S3] updates of several stores alternate, even if loading the state takes longer than a hold may last",
    async (fixture) => {
      const id = fixture.id();
      const add = async (): Promise<void> => {
        const { store, faults } = await fixture.faultyStore({ waitMs: 5_000 });
        faults.always("loadState", delay(0, 20)); // a hold may last 10 ms while others wait
        const state = store.state(id, { initial: () => ({ n: 0, large: "x".repeat(20_000) }) });
        for (let n = 0; n < 10; n += 1) await state.run((draft) => void (draft.n += 1));
      };
      await Promise.all([add(), add()]);
      assert.equal((await (await fixture.store()).state<{ n: number }>(id).load())?.n, 20);
    },
  ),
  proof("[P2] after close every call is refused with ClosedError", async (fixture) => {
    const store = await fixture.store();
    const state = store.state(fixture.id(), { initial: emptyLog });
    await state.save(emptyLog());
    await store.close();
    const calls = [
      state.load(),
      state.read(),
      state.save(emptyLog()),
      state.update(() => undefined),
      state.touch(1_000),
      state.delete(),
      store.ready(),
    ];
    for (const call of calls) await rejectsWith(call, "CLOSED");
    assert.equal(
      (await rejection(store.close().then(() => Promise.reject(new Error("closed"))))) instanceof Error,
      true,
    );
  }),
];
