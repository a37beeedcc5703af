/** Reads of a state, and the writes of the same process that were called before and not awaited. */
import { strict as assert } from "node:assert";
import { deferred } from "../../assertions.ts";
import { failBefore, loseReply } from "../../faults.ts";
import { proof, type Case } from "../../suite.ts";

export const programOrderCases: readonly Case[] = [
  proof("[S1] a read sees the saves and deletes that its process has called before", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const [state, other] = [store.state<number>(id), store.state<number>(id)];
    for (const round of [1, 2, 3]) {
      const saving = state.save(round);
      assert.equal(await other.load(), round);
      await saving;
      const several = [state.save(10), state.save(11), state.save(12)]; // they take the lock, and are saved together
      assert.equal((await other.read())?.value, 12);
      const deleting = state.delete();
      assert.equal(await other.exists(), false);
      assert.equal(await other.load(), undefined);
      assert.equal(await other.exists(), false);
      await Promise.all([...several, deleting]);
      const again = state.save(13);
      assert.equal(await other.exists(), true);
      await again;
    }
  }),
  proof(
    "[S1] a read sees what its process has called saveMany and deleteMany for before",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const [state, ids] = [store.state<number>(id), [`${id}:other`, id]];
      for (const round of [1, 2, 3]) {
        const saving = store.saveMany(ids.map((one) => ({ id: one, value: round })));
        assert.equal(await state.load(), round);
        const again = store.saveMany(ids.map((one) => ({ id: one, value: -round })));
        assert.deepEqual(
          (await store.loadMany<number>(ids)).map(({ value }) => value),
          [-round, -round],
        );
        const deleting = store.deleteMany(ids);
        assert.equal(await state.exists(), false);
        await Promise.all([saving, again, deleting]);
      }
    },
  ),
  proof("[S1] a call of saveMany that must be repeated stays ahead of the next one", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = [fixture.id(), fixture.id()];
    for (const [index, fault] of [failBefore("none"), failBefore("unknown"), loseReply()].entries()) {
      faults.once("writeStates", fault);
      const saving = [index + 1, -index - 1].map((value) => store.saveMany(ids.map((id) => ({ id, value }))));
      const loaded = await store.loadMany<number>(ids);
      assert.deepEqual(
        loaded.map(({ value }) => value),
        [-index - 1, -index - 1],
      );
      await Promise.all(saving);
    }
  }),
  proof(
    "[L2] saveMany and deleteMany do not overtake what their process has called before",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state(id, { initial: () => 0 });
      const other = `${id}:other`;
      const saveBoth = (value: number): Promise<unknown> =>
        store.saveMany([other, id].map((one) => ({ id: one, value })));
      for (const round of [1, 2, 3]) {
        const saving = [state.save(10), state.save(11), saveBoth(round)]; // those before it take the lock
        assert.equal(await state.load(), round);
        await Promise.all(saving);
        await Promise.all([state.update((n) => n + 100), saveBoth(-round)]);
        assert.equal(await state.load(), -round);
        await Promise.all([state.save(10), state.save(11), store.deleteMany([other, id])]);
        assert.equal(await state.exists(), false);
      }
    },
  ),
  proof("[S1] a read does not wait for a saveMany that waits for the lock", async (fixture) => {
    const [mine, theirs] = await fixture.stores(2);
    const id = fixture.id();
    await mine.state<number>(id).save(1);
    const grant = await theirs.lock(id).acquire();
    const saving = mine.saveMany([{ id, value: 2 }]);
    assert.equal(await mine.state<number>(id).load(), 1);
    await grant.release();
    await saving;
    assert.equal(await mine.state<number>(id).load(), 2);
  }),
  proof("[S1] [S7] exists and touch see the saves and deletes that were called before", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const [state, other] = [store.state<number>(id), store.state<number>(id)];
    const saving = state.save(1);
    assert.equal(await other.exists(), true);
    const deleting = state.delete();
    assert.equal(await other.exists(), false);
    await Promise.all([saving, deleting]);
    const several = [state.save(2), state.save(3)];
    assert.equal(await other.touch(60_000), true);
    await Promise.all(several);
    const left = (await state.read())?.expiresInMs ?? null;
    assert.ok(left !== null && left <= 60_000, `expires in ${left}`);
    const last = state.delete();
    assert.equal(await other.touch(60_000), false);
    await last;
  }),
  proof("[S1] a read sees a write that was sent and has no reply yet", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<number>(id);
    for (let turns = 0; turns < 20; turns += 1) {
      const saving = state.save(turns);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      assert.equal(await state.load(), turns, `after ${String(turns)} turns`);
      await saving;
    }
  }),
  proof("[S3] saveMany and deleteMany follow the writes that were called before", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<string>(id);
    const before = [state.save("first"), state.save("second")]; // they take the lock
    const saving = store.saveMany([{ id, value: "last" }]);
    await Promise.all([...before, saving]);
    assert.equal(await state.load(), "last");
    await Promise.all([state.save("first"), state.save("second"), store.deleteMany([id])]);
    assert.equal(await state.exists(), false);
  }),
  proof("[S1] a read does not wait for a write that waits for the lock", async (fixture) => {
    const [mine, theirs] = await fixture.stores(2);
    const id = fixture.id();
    await mine.state<number>(id).save(1);
    const grant = await theirs.lock(id).acquire();
    const saving = mine.state<number>(id).save(2);
    assert.equal(await mine.state<number>(id).load(), 1);
    assert.equal(await mine.state<number>(id).exists(), true);
    assert.equal(await mine.state<number>(id).touch(60_000), true);
    await grant.release();
    await saving;
    assert.equal(await mine.state<number>(id).load(), 2);
  }),
  proof(
    "[S1] a function that changes the state may read it, also while writes wait for it",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state(id, { initial: () => 0 });
      const running = deferred();
      const go = deferred();
      const updating = state.update(async (n) => {
        running.resolve();
        await go.promise;
        return n + 1 + (await state.load()); // not what it changes, but what is stored
      });
      const saving = state.save(40);
      const reading = state.load();
      await running.promise;
      assert.equal(await reading, 0);
      go.resolve();
      assert.equal(await updating, 1);
      await saving;
      assert.equal(await state.load(), 40);
    },
  ),
];
