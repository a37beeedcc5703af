/** Schemas: what is loaded, drafted and saved fits, or is refused, and nothing changes. */
import { strict as assert } from "node:assert";
import type { Schema, SchemaResult } from "../../../updates/formats/schema.ts";
import { rejectsWith } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";

interface Stock {
  left: number;
}

/** Written here, since a suite needs no library. Takes objects, and leaves out what it does not know. */
const stock: Schema<Stock> = {
  "~standard": {
    version: 1,
    vendor: "suite",
    validate(value): SchemaResult<Stock> {
      const { left } = (value ?? {}) as Partial<Stock>;
      if (typeof left === "number" && left >= 0) return { value: { left } };
      return { issues: [{ message: "must be a number from 0.", path: [{ key: "left" }] }] };
    },
  },
};

const tooFew = /\$\.left: must be a number from 0\./;

export const schemaCases: readonly Case[] = [
  proof("[S6] a value that does not fit its schema is not stored by any call", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { schema: stock, initial: () => ({ left: 5 }) });
    const other = store.state(`{${id}}`, { schema: stock, initial: () => ({ left: 5 }) });
    const revision = await state.save({ left: 3 });
    const calls: readonly (() => Promise<unknown>)[] = [
      () => state.save({ left: -1 }),
      () => state.save({} as Stock),
      () => state.trySave({ left: -1 }, { ifRevision: revision }),
      () => state.update((draft) => void (draft.left -= 4)),
      () => state.update(() => ({ left: -1 })),
      () => state.run((draft) => (draft.left -= 4)),
      () => store.lock(id).run(() => state.update((draft) => void (draft.left -= 4))),
      () => store.transact([other], ([draft]) => void (draft.left = -1)),
      () => store.state(`${id}:new`, { schema: stock, initial: () => ({ left: -1 }) }).load(),
      () =>
        store
          .state(`${id}:new`, { schema: stock, initial: () => ({ left: -1 }) })
          .update(() => ({ left: 1 })),
    ];
    for (const call of calls) {
      const error = await rejectsWith(call(), "VALIDATION");
      assert.match(error.message, tooFew);
      assert.match(error.message, /Nothing was saved/);
      assert.ok(error.message.includes(id));
    }
    assert.deepEqual(await state.read(), { value: { left: 3 }, revision, expiresInMs: null });
    assert.equal(await other.read(), undefined);
  }),
  proof(
    "[S6] a stored value that does not fit is an error when it is loaded, and stays as it is",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const plain = store.state<unknown>(id);
      const state = store.state(id, { schema: stock });
      await plain.save({ left: "many" });
      const calls = [() => state.load(), () => state.read(), () => state.update(() => ({ left: 1 }))];
      for (const call of [...calls, () => state.run(() => 1)]) {
        const error = await rejectsWith(call(), "VALIDATION");
        assert.match(error.message, /stored value/);
        assert.match(error.message, /left as it is/);
      }
      assert.deepEqual(await plain.load(), { left: "many" });
      await state.save({ left: 1 }); // a plain save replaces it without reading it
      assert.deepEqual(await plain.load(), { left: 1 });
    },
  ),
  proof("[S6] what the schema makes of a value is what is stored and loaded", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const plain = store.state<unknown>(id);
    const state = store.state(id, { schema: stock });
    await state.save({ left: 1, more: true } as Stock);
    assert.deepEqual(await plain.load(), { left: 1 });
    await plain.save({ left: 2, more: true });
    assert.deepEqual(await state.load(), { left: 2 });
    assert.deepEqual(await plain.load(), { left: 2, more: true });
    assert.deepEqual(await state.update((draft) => draft), { left: 2 });
    assert.deepEqual(await plain.load(), { left: 2 });
  }),
  proof("[S6] a migrated value is validated, too", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    await store.state<number>(id).save(-3);
    const state = store.state(id, { schema: stock, version: 2, migrate: { 1: (left) => ({ left }) } });
    const error = await rejectsWith(
      state.update(() => ({ left: 1 })),
      "VALIDATION",
    );
    assert.match(error.message, /migrated value/);
    assert.equal(await store.state<number>(id).load(), -3);
    await store.state<number>(id).save(3);
    assert.deepEqual(await state.load(), { left: 3 });
  }),
];
