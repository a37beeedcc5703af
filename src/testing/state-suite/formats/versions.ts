/** Versions of values: older ones are migrated, newer ones are refused, and nothing that is refused changes [S6]. */
import { strict as assert } from "node:assert";
import type { Store } from "../../../store/store.ts";
import type { State } from "../../../handles/state/state.ts";
import { rejectsWith } from "../../assertions.ts";
import { textOf, type ContractClient } from "../../contract-client.ts";
import { proof, type Case } from "../../suite.ts";

/** Versions 1, 2 and 3 of the same value. */
interface Name {
  name: string;
}
interface Names {
  first: string;
  last: string;
}
interface Person extends Names {
  visits: number;
}

const toSecond = ({ name }: Name): Names => {
  const [first = "", last = ""] = name.split(" ");
  return { first, last };
};
const toThird = (names: Names): Person => ({ ...names, visits: 0 });

const first = (store: Store, id: string): State<Name> => store.state<Name>(id);
const second = (store: Store, id: string): State<Names> =>
  store.state<Names>(id, { version: 2, migrate: { 1: toSecond } });
const third = (store: Store, id: string): State<Person> =>
  store.state<Person>(id, { version: 3, migrate: { 1: toSecond, 2: toThird } });

const ada: Name = { name: "Ada Lovelace" };
const names: Names = { first: "Ada", last: "Lovelace" };

async function assertStored(client: ContractClient, id: string, wanted: [string, object]): Promise<void> {
  const stored = await client.stored(id);
  assert.deepEqual([stored.serializer, JSON.parse(String(textOf(stored)))], wanted);
}

export const versionCases: readonly Case[] = [
  proof(
    "[S6] older values are migrated when they are loaded, and stored by the next save",
    async (fixture) => {
      const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
      const revision = await first(store, id).save(ada);
      const state = third(store, id);
      const loaded = { ...names, visits: 0 };
      assert.deepEqual(await state.load(), loaded);
      assert.deepEqual(await state.read(), { value: loaded, revision, expiresInMs: null });
      await assertStored(client, id, ["json", ada]); // a load stores nothing
      assert.equal(await state.run((person) => (person === undefined ? -1 : (person.visits += 1))), 1);
      await assertStored(client, id, ["json@3", { ...names, visits: 1 }]);
      await state.delete();
      await second(store, id).save(names);
      await state.save({ ...names, visits: 5 });
      await assertStored(client, id, ["json@3", { ...names, visits: 5 }]);
      await state.delete();
      await first(store, id).save(ada);
      const held = await store.lock(id).acquire();
      const waiting = [state.save({ ...names, visits: 6 }), state.update((person) => person)];
      await held.release();
      await Promise.all(waiting); // together, under one lock
      await assertStored(client, id, ["json@3", { ...names, visits: 6 }]);
      for await (const { version, serializer } of store.states({ idPrefix: id }))
        assert.deepEqual({ version, serializer }, { version: 3, serializer: "json" });
    },
  ),
  proof("[S6] an update that changes nothing stores the migrated value, once", async (fixture) => {
    const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
    const before = await first(store, id).save(ada, { ttlMs: 600_000 });
    assert.deepEqual(await second(store, id).update(() => undefined), names);
    await assertStored(client, id, ["json@2", names]);
    const { revision, expiresInMs } = (await second(store, id).read()) ?? {};
    assert.ok(revision !== undefined && revision > before);
    assert.ok(typeof expiresInMs === "number"); // [S7] it keeps its life
    await second(store, id).update(() => undefined);
    assert.equal((await second(store, id).read())?.revision, revision);
  }),
  proof("[S6] newer values are refused by every call, and stay as they are", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const revision = await third(store, id).save({ ...names, visits: 7 });
    const older = second(store, id);
    const other = store.state(`{${id}}other`, { initial: () => ({ n: 0 }) });
    const mine = store.state<Names>(`{${id}}`, { version: 2 });
    await store.state<Names>(`{${id}}`, { version: 3 }).save(names);
    const calls: readonly (() => Promise<unknown>)[] = [
      () => older.load(),
      () => older.read(),
      () => older.save(names),
      () => older.save(names, { ifRevision: revision }),
      () => older.trySave(names, { ifRevision: revision }),
      () => older.update(() => names),
      () => older.run(() => 1),
      () => store.lock(id).run(() => older.save(names)),
      () => store.lock(id).run(() => older.update(() => names)),
      () => first(store, id).save(ada),
      () => store.transact([mine, other], ([draft, { n }]) => [draft, n]),
    ];
    for (const call of calls) {
      const error = await rejectsWith(call(), "VERSION");
      assert.match(error.message, /newer release \(version 3; this one knows up to [12]\)\. Deploy/);
      assert.ok(error.message.includes(id));
    }
    assert.deepEqual(await third(store, id).read(), {
      ...{ value: { ...names, visits: 7 }, revision, expiresInMs: null },
    });
    assert.equal(await other.read(), undefined);
    await older.delete(); // a state of any format may be deleted
    assert.equal(await older.load(), undefined);
  }),
  proof("[S6] a version older than the oldest migration is refused", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    await first(store, id).save(ada);
    const state = store.state<Person>(id, { version: 3, migrate: { 2: toThird } });
    assert.match(
      (await rejectsWith(state.load(), "VERSION")).message,
      /reads versions from 2\. Add migrate\[1\], which/,
    );
    await rejectsWith(state.save({ ...names, visits: 0 }), "VERSION");
    assert.deepEqual(await first(store, id).load(), ada);
  }),
  proof("[S6] [S3] updates of several versions in one process, one after the other", async (fixture) => {
    const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
    await first(store, id).save(ada);
    const people = third(store, id);
    const visit = (): Promise<number> =>
      people.run((person) => (person === undefined ? -1 : (person.visits += 1)));
    const results = await Promise.allSettled([
      second(store, id).update((draft) => {
        if (draft !== undefined) draft.last = "King";
      }),
      ...Array.from({ length: 5 }, visit),
      second(store, id).update(() => names),
      visit(),
    ]);
    const codes = results.map((one) =>
      one.status === "fulfilled" ? "" : (one.reason as { code?: string }).code,
    );
    assert.deepEqual(codes, ["", "", "", "", "", "", "VERSION", ""]);
    await assertStored(client, id, ["json@3", { first: "Ada", last: "King", visits: 6 }]);
  }),
  proof("[S9] [S6] transact migrates, and stores what it has migrated", async (fixture) => {
    const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
    const [one, two] = [`{${id}}1`, `{${id}}2`];
    for (const each of [one, two]) await first(store, each).save(ada);
    await store.transact([third(store, one), second(store, two)], ([person]) => {
      if (person !== undefined) person.visits = 3;
    });
    await assertStored(client, one, ["json@3", { ...names, visits: 3 }]);
    await assertStored(client, two, ["json@2", names]);
  }),
  proof("[S6] a migration that fails changes nothing", async (fixture) => {
    const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
    await first(store, id).save(ada);
    const refuse = (): never => {
      throw new TypeError("no such name");
    };
    const state = store.state<Names>(id, { version: 2, migrate: { 1: refuse } });
    for (const call of [() => state.load(), () => state.update(() => names)]) {
      const error = await rejectsWith(call(), "VERSION");
      assert.match(error.message, /version 1.*to version 2: no such name/);
      assert.ok(error.cause instanceof TypeError && error.message.includes(id));
    }
    for (const wrong of [() => undefined, () => Promise.reject(new Error("late"))])
      await rejectsWith(
        store.state<Names>(id, { version: 2, migrate: { 1: wrong } }).load(),
        "INVALID_ARGUMENT",
      );
    await assertStored(client, id, ["json", ada]);
  }),
  proof("[S6] another serializer is a migration, too", async (fixture) => {
    const [store, client, id] = [await fixture.store(), await fixture.client(), fixture.id()];
    await first(store, id).save(ada);
    const state = store.state<Names>(id, {
      ...{ serializer: "pickle", previousSerializers: ["json"] },
      ...{ version: 2, migrate: { 1: toSecond } },
    });
    assert.deepEqual(await state.load(), names);
    await rejectsWith(store.state(id, { serializer: "pickle" }).load(), "CORRUPT_STATE");
    await state.save({ first: "A", last: "L" });
    assert.equal((await client.stored(id)).serializer, "pickle@2");
    assert.deepEqual(await state.load(), { first: "A", last: "L" });
    await rejectsWith(second(store, id).load(), "CORRUPT_STATE");
  }),
];
