// Sealed values, versions and schemas together with calls that change or read several states, and with lives.

import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";

import { sealed, type Schema, type State, type Store } from "../../../src/index.ts";
import { codeOf, lifeOf, placeNames, storesAt } from "./places.ts";

interface Count {
  n: number;
}
const [first, second] = [
  { id: "2026-10", key: randomBytes(32) },
  { id: "2026-11", key: randomBytes(32) },
] as const;
const older = sealed("json", { keys: [first] });
const newer = sealed("json", { keys: [second, first] });
const without = sealed("json", { keys: [second] });

const counts: Schema<Count> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      typeof (value as Partial<Count> | null)?.n === "number"
        ? { value: value as Count }
        : { issues: [{ message: "n must be a number" }] },
  },
};

/** Of a release that is older, and of the one after it. */
const before = (store: Store, id: string): State<Count> => store.state<Count>(id, { version: 1 });
const after = (store: Store, id: string): State<Count> =>
  store.state(id, { version: 2, migrate: { 1: same }, ttlMs: 3_600_000, schema: counts });
const same = (value: unknown): unknown => value;

/** Rejects with the error of the only answer. */
function rejected([answer]: readonly { readonly error: Error | undefined }[]): Promise<never> {
  return Promise.reject(answer?.error ?? new Error("no error"));
}

/** What each must do, with an id of its own. */
const rows: Readonly<Record<string, (store: Store, id: string) => Promise<void>>> = {
  "[S6] sealed: many are saved, loaded, listed and taken": async (store, id) => {
    const ids = [`${id}a`, `${id}b`];
    await store.saveMany(
      ids.map((one) => ({ id: one, value: { n: 1 } })),
      { serializer: older },
    );
    const loaded = await store.loadMany(ids, { serializer: newer });
    expect(loaded.map(({ value }) => value)).toEqual([{ n: 1 }, { n: 1 }]);
    const missing = await store.loadMany(ids, { serializer: without });
    expect(missing.map(({ error }) => error?.code)).toEqual(["SEAL", "SEAL"]);
    for await (const entry of store.states({ idPrefix: id, values: true, serializer: without }))
      expect(entry).toMatchObject({ error: { code: "SEAL" }, serializer: "sealed-json" });
    expect(await codeOf(store.state(`${id}a`, { serializer: without }).take())).toBe("SEAL");
    expect(await store.state(`${id}a`, { serializer: newer }).take()).toEqual({ n: 1 });
  },
  "[S6] sealed: transact with one state whose key is missing changes none": async (store, id) => {
    await store.state(`${id}a`, { serializer: older }).save({ n: 1 });
    const initial = (): Count => ({ n: 0 });
    const [a, b] = [
      store.state<Count>(`${id}a`, { serializer: without, initial }),
      store.state<Count>(`${id}b`, { serializer: without, initial }),
    ];
    const change = (drafts: Count[]): void => {
      for (const draft of drafts) draft.n += 1;
    };
    expect(await codeOf(store.transact([a, b], change))).toBe("SEAL");
    expect(await b.exists()).toBe(false);
    await store.transact([store.state<Count>(`${id}a`, { serializer: newer, initial }), b], change);
    expect([await a.load(), await b.load()]).toEqual([{ n: 2 }, { n: 1 }]); // sealed with the new key
  },
  "[S7] sealed: a new key keeps the life, and a life that is asked for counts": async (store, id) => {
    const [old, state] = [older, newer].map((serializer) => store.state<Count>(id, { serializer }));
    const lives: unknown[] = [];
    for (const ttlMs of [undefined, "keep", { whenNew: 5_000 }, 20_000, "none"] as const) {
      await old?.save({ n: 1 }, { ttlMs: 60_000 });
      await state?.update(() => undefined, { ttlMs });
      lives.push(await lifeOf(store, id));
    }
    expect(lives).toEqual([60, 60, 60, 20, "none"]);
  },
  "[S3] sealed: a batch with take, delete and saves is as if each was alone": async (store, id) => {
    const state = store.state<string>(id, { serializer: newer, initial: () => "" });
    const add = (text: string) => state.update((draft) => draft + text);
    const answers = [add("a"), add("b"), state.take(), add("c"), state.update(() => undefined), add("d")];
    expect(await Promise.all(answers)).toEqual(["a", "ab", "ab", "c", "c", "cd"]);
    expect(await state.load()).toBe("cd");
  },
  "[O1] sealed: the record of a once is read with its keys only": async (store, id) => {
    const keep = { keepMs: 60_000, fingerprint: { n: 1 } };
    await store.once(id, { ...keep, serializer: older }).run(() => ({ n: 1 }));
    expect(await store.once(id, { ...keep, serializer: newer }).peek()).toEqual({ value: { n: 1 } });
    expect(await codeOf(store.once(id, { ...keep, serializer: without }).peek())).toBe("SEAL");
    expect(await codeOf(store.once(id, keep).run(() => 2))).toBe("CORRUPT_STATE");
  },
  "[S6] sealed: the version is bound, also for an older key": async (store, id) => {
    const migrate = { 1: (value: unknown) => ({ ...(value as Count), m: 1 }) };
    const old = store.state<Count>(id, { serializer: older, version: 1 });
    const state = store.state<Count>(id, { serializer: newer, version: 2, migrate });
    await old.save({ n: 1 }, { ttlMs: 60_000 });
    expect(await state.update(() => undefined)).toEqual({ n: 1, m: 1 });
    const next = store.state<Count>(id, { serializer: newer, version: 3, migrate: { 2: same } });
    expect(await next.load()).toEqual({ n: 1, m: 1 });
    const asItIs = (name: string) => ({
      name,
      serialize: (value: unknown) => value as Uint8Array,
      deserialize: (bytes: Uint8Array): unknown => bytes,
    });
    const bytes = await store.state<Uint8Array>(id, { serializer: asItIs("sealed-json"), version: 2 }).load();
    await state.delete();
    await store.state<Uint8Array | undefined>(id, { serializer: asItIs("sealed-json") }).save(bytes);
    expect(await codeOf(state.load())).toBe("SEAL"); // the same bytes, as version 1
  },
  "[S6] versions: an older release changes nothing by any call": async (store, id) => {
    await after(store, id).save({ n: 2 });
    const old = before(store, id);
    const calls = [
      old.load(),
      old.save({ n: 1 }),
      old.update(() => ({ n: 1 })),
      old.run((draft) => draft),
      old.take(),
      old.update((_, context) => {
        context.delete();
      }),
      store.transact([old], (drafts) => void (drafts[0] = { n: 1 })),
      store.saveMany([{ id, value: { n: 1 } }]).then(rejected),
      store.loadMany([id]).then(rejected),
      old.watch()[Symbol.asyncIterator]().next(),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => "VERSION"));
    expect(await after(store, id).load()).toEqual({ n: 2 });
    expect(await old.exists()).toBe(true);
  },
  "[S7] versions: a value that is migrated and equal keeps its life, unless one is asked for": async (
    store,
    id,
  ) => {
    const [old, state] = [before(store, id), after(store, id)];
    const changes: readonly (readonly [() => Promise<unknown>, unknown])[] = [
      [() => state.update(() => undefined), 60],
      [() => state.run(() => 1), 60],
      [() => state.update((draft) => draft, { ttlMs: { whenNew: 5_000 } }), 60],
      [() => store.transact([state], () => undefined), 60],
      [() => Promise.all([state.run(() => 1), state.run(() => 2)]), 60],
      [() => state.update(() => undefined, { ttlMs: 20_000 }), 20],
      [() => state.run((_, context) => context.setTtl("none")), "none"],
      [() => store.transact([state], (_, context) => context.setTtl(state, 20_000)), 20],
      [() => state.update((draft) => ({ n: (draft?.n ?? 0) + 1 })), 3_600],
      [() => state.update((_, context) => context.delete()), "absent"],
      [() => state.take(), "absent"],
    ];
    for (const [change, life] of changes) {
      await state.delete();
      await old.save({ n: 1 }, { ttlMs: 60_000 });
      await change();
      expect(await lifeOf(store, id), change.toString()).toBe(life);
    }
  },
  "[S6] versions: releases side by side in one batch are refused alone": async (store, id) => {
    const [old, state] = [before(store, id), after(store, id)];
    await old.save({ n: 1 });
    const add = (draft: Count | undefined): void => {
      if (draft !== undefined) draft.n += 1;
    };
    const ends = await Promise.all([state.update(add), old.update(add), state.update(add)].map(codeOf));
    expect(ends).toEqual([{ n: 2 }, "VERSION", { n: 3 }]);
  },
  "[S6] schemas: what does not fit is neither taken, changed nor watched, and fails alone": async (
    store,
    id,
  ) => {
    const [state, raw] = [store.state(id, { schema: counts }), store.state(id)];
    await raw.save({ n: "1" });
    const other = store.state<Count>(`${id}b`, { initial: () => ({ n: 0 }) });
    const calls = [
      state.load(),
      state.take(),
      state.run(() => 1),
      state.update((_, context) => {
        context.delete();
      }),
      store.transact([state, other], ([, draft]) => void (draft.n = 1)),
      state.watch()[Symbol.asyncIterator]().next(),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => "VALIDATION"));
    expect([await raw.load(), await other.exists(), await state.delete()]).toEqual([{ n: "1" }, false, true]);
    const draft = (n: unknown) => state.update(() => ({ n }) as Count);
    expect(await Promise.all([draft(1), draft("2"), draft(3)].map(codeOf))).toEqual([
      { n: 1 },
      "VALIDATION",
      { n: 3 },
    ]);
  },
};

describe.each(placeNames)("on %s", (name) => {
  const opened = storesAt(name);
  test.each(Object.entries(rows))("%s", async (title, run) => {
    await run(opened(), `{t}${Object.keys(rows).indexOf(title)}:`);
  });
});
