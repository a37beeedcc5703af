// Lives of states that several calls decide on: batches of updates, many at once, deletes in between, values that are equal.

import { describe, expect, test } from "vitest";

import type { State, Store } from "../../../src/index.ts";
import { lifeOf, listed, placeNames, storesAt } from "./places.ts";

type Num = State<number, number>;
const add = (n: number): number => n + 1;

/** Each begins with a state that is absent; and the lives after each step, in seconds. */
const rows: Readonly<
  Record<string, readonly (readonly [(state: Num, store: Store) => Promise<unknown>, unknown])[]>
> = {
  "whenNew counts once, of updates and of saveMany": [
    [
      (s) =>
        Promise.all([
          s.update(add, { ttlMs: { whenNew: 50_000 } }),
          s.update(add, { ttlMs: { whenNew: 5_000 } }),
        ]),
      50,
    ],
    [(s) => s.update(add, { ttlMs: "keep" }), 50],
    [(s, store) => store.saveMany([{ id: s.id, value: 9, ttlMs: { whenNew: 5_000 } }]), 50],
    [(s, store) => store.saveMany([{ id: s.id, value: 9, ttlMs: 20_000 }], { ttlMs: 5_000 }), 20],
    [(s, store) => store.saveMany([{ id: s.id, value: 9 }]), 20],
    [(s, store) => store.deleteMany([s.id]), "absent"],
    [(s, store) => store.saveMany([{ id: s.id, value: 9 }], { ttlMs: { whenNew: 40_000 } }), 40],
  ],
  "a delete in a batch makes what follows new": [
    [(s) => s.save(1, { ttlMs: 60_000 }), 60],
    [
      (s) =>
        Promise.all([
          s.update((_, c) => c.delete()),
          s.update(add, { ttlMs: { whenNew: 10_000 } }),
          s.update(add, { ttlMs: "keep" }),
        ]),
      10,
    ],
    [(s) => Promise.all([s.update((_, c) => c.delete()), s.update(add, { ttlMs: "keep" })]), "none"],
    [
      (s) =>
        Promise.all([s.update((_, c) => c.setTtl(20_000)), s.update((_, c) => c.delete()), s.update(add)]),
      "none",
    ],
    [(s) => Promise.all([s.update(add), s.take(), s.update(() => undefined)]), "absent"],
  ],
  "an equal value takes the life that a call chose, alone and in a batch": [
    [(s) => s.save(1, { ttlMs: 60_000 }), 60],
    [(s) => s.update((n) => n, { ttlMs: 50_000 }), 50],
    [(s) => s.update((n) => n, { ttlMs: { whenNew: 5_000 } }), 50],
    [(s) => s.update((_, c) => c.setTtl("keep"), { ttlMs: 5_000 }), 50],
    [
      (s) =>
        Promise.all([
          s.update((n) => n),
          s.update((_, c) => c.setTtl(20_000)),
          s.update(add, { ttlMs: "keep" }),
        ]),
      20,
    ],
    [(s, store) => store.lock(s.id).run(() => s.update((n) => n, { ttlMs: 30_000 })), 30],
    [(s) => s.update((n) => n, { expiresAt: new Date(Date.now() + 70_000) }), 70],
    [(s, store) => store.transact([s], (_, c) => c.setTtl(s, 40_000)), 40],
    [(s, store) => store.transact([s], (_, c) => c.setTtl(s, "keep")), 40],
  ],
  "an end that has passed deletes, and what follows is new": [
    [(s) => s.save(1, { ttlMs: 60_000 }), 60],
    [(s) => Promise.all([s.update(add, { expiresAt: 0 }), s.update(add)]), "none"],
    [
      (s) =>
        Promise.all([
          s.update((_, c) => c.setTtl({ expiresAt: 0 })),
          s.update(add, { ttlMs: { whenNew: 10_000 } }),
        ]),
      10,
    ],
    [(s, store) => store.saveMany([{ id: s.id, value: 5, expiresAt: 0 }]), "absent"],
    [(s, store) => store.saveMany([{ id: s.id, value: 5, expiresAt: Date.now() + 30_000 }]), 30],
    [
      (s, store) =>
        store.transact([s], (drafts, c) => {
          drafts[0] += 1;
          c.setTtl(s, { expiresAt: 0 });
        }),
      "absent",
    ],
  ],
  "context.delete() of a state with an initial value": [
    [
      (s) => s.update((n, c) => (n === 0 ? c.delete() : undefined)).then((now) => expect(now).toBe(0)),
      "absent",
    ],
    [(s) => s.save(3), "none"],
    [(s) => s.update((_, c) => c.delete()).then((now) => expect(now).toBe(0)), "absent"],
    [
      (s, store) =>
        store.transact([s], (drafts, c) => {
          drafts[0] = 5;
          c.delete(s);
        }),
      "absent",
    ],
  ],
};

describe.each(placeNames)("[S7] on %s", (name) => {
  const opened = storesAt(name);

  test.each(Object.entries(rows))("%s", async (title, steps) => {
    const store = opened();
    const id = `life-${Object.keys(rows).indexOf(title)}`;
    const state = store.state(id, { initial: () => 0 });
    for (const [step, life] of steps) {
      await step(state, store);
      expect(await lifeOf(store, id), step.toString()).toBe(life);
      expect(await state.exists()).toBe(life !== "absent");
    }
  });

  test("an empty value is there: for exists, touch, listings, loads and take", async () => {
    const store = opened();
    const state = store.state<Uint8Array>("empty", { serializer: "bytes" });
    await store.saveMany([{ id: "empty", value: new Uint8Array() }], { serializer: "bytes" });
    expect([await state.exists(), await state.touch(60_000), await lifeOf(store, "empty")]).toEqual([
      true,
      true,
      60,
    ]);
    expect(await listed(store.states({ idPrefix: "empty" }))).toEqual(["empty"]);
    const [loaded] = await store.loadMany<Uint8Array>(["empty"], { serializer: "bytes" });
    expect(loaded?.value?.byteLength).toBe(0);
    for await (const snapshot of state.watch()) {
      expect(snapshot?.value.byteLength).toBe(0);
      break;
    }
    expect((await state.take())?.byteLength).toBe(0);
    expect(await state.exists()).toBe(false);
  });
});
