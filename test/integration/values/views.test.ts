// Views together with what works on many states, and with what watches, adopts, transacts, leads, or runs once.

import { describe, expect, test } from "vitest";

import type { Store, StoreView } from "../../../src/index.ts";
import { codeOf, listed, placeNames, storesAt } from "./places.ts";

interface Two {
  /** In the store, under this prefix: a view, and one in it. */
  readonly store: Store;
  readonly prefix: string;
  readonly view: StoreView;
  readonly inner: StoreView;
  /** The same view of another process. */
  readonly there: StoreView;
}

/** What is done in the views, and what that must answer. */
const rows: Readonly<Record<string, (at: Two) => Promise<void>>> = {
  "[S1] loadMany and deleteMany take and answer the ids of the view": async ({ store, prefix, view }) => {
    await filled(view);
    const loaded = await view.loadMany<number>(["a", "none", "in:a"]);
    expect(loaded.map(({ id, value }) => [id, value])).toEqual([
      ["a", 1],
      ["none", undefined],
      ["in:a", 3],
    ]);
    const deleted = await view.deleteMany(["a", "none", "a"]);
    expect(deleted.map(({ id, deleted: was }) => [id, was])).toEqual([
      ["a", true],
      ["none", false],
      ["a", true],
    ]);
    expect(await listed(store.states({ idPrefix: prefix }))).toEqual([`${prefix}b`, `${prefix}in:a`]);
  },
  "[S8] deleteAll of everything in a view deletes the view, and nothing else": async (at) => {
    const { store, prefix, view, inner } = at;
    await filled(view);
    await store.saveMany([prefix.slice(0, -1), `${prefix.slice(0, -1)}~`].map((id) => ({ id, value: 0 })));
    expect(await inner.deleteAll({ idPrefix: "" })).toBe(1);
    expect(await listed(view.states())).toEqual(["a", "b"]);
    expect(await view.deleteAll({ idPrefix: "b" })).toBe(1);
    expect(await view.deleteAll({ idPrefix: "" })).toBe(1);
    expect(await store.count({ idPrefix: prefix.slice(0, -1) })).toMatchObject({ count: 2 });
  },
  "[S8] deleteAll of a view waits for a lock of another process, and reports it": async ({ view, there }) => {
    await filled(view);
    const grant = await there.lock("b").acquire();
    const failed: unknown = await view
      .deleteAll({ idPrefix: "", waitMs: 200 })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "LOCK_TIMEOUT" });
    expect((failed as Error).message).toMatch(/deleted 2 states; not deleted: ".*b"\./);
    expect((failed as Error).message).not.toMatch(/waitMs \(\d+\.\d/); // what is left of it, in whole milliseconds
    expect(await listed(view.states())).toEqual(["b"]);
    const all = view.deleteAll({ idPrefix: "" });
    await grant.release();
    expect(await all).toBe(1);
  },
  "[S1] count and listings with values see the view, without records of once and leader": async ({
    view,
  }) => {
    await filled(view);
    await view.once("o", { keepMs: 60_000 }).run(() => 1);
    await view.leader("l").run(async () => {
      expect(await view.count()).toMatchObject({ count: 3 });
    });
    const values: unknown[] = [];
    for await (const { id, value } of view.states<number>({ values: true })) values.push(`${id}=${value}`);
    expect(values.sort()).toEqual(["a=1", "b=2", "in:a=3"]);
    expect(await view.count({ idPrefix: "in:" })).toMatchObject({ count: 1 });
    expect(await view.deleteAll({ idPrefix: "" })).toBe(3);
    expect(await view.once("o", { keepMs: 60_000 }).peek()).toEqual({ value: 1 });
  },
  "[E2] a watcher in a view sees what is written by other names of the state": async (at) => {
    const { store, prefix, view, there } = at;
    const writes = [
      () => view.saveMany([{ id: "a", value: 1 }]),
      () => store.state(`${prefix}a`).save(2),
      () => view.transact([view.state<number>("a", { initial: () => 0 })], (drafts) => void (drafts[0] = 3)),
      () => view.lock("a").run(() => view.state("a").save(4)),
      () => view.deleteAll({ idPrefix: "a" }),
      () => store.state(`${prefix}a`).save(5),
      () => view.state("a").take(),
    ];
    const seen: unknown[] = [];
    for await (const snapshot of there.state<number>("a").watch()) {
      seen.push(snapshot?.value);
      const write = writes.shift();
      if (write === undefined) break;
      void write();
    }
    expect(seen).toEqual([undefined, 1, 2, 3, 4, undefined, 5, undefined]);
  },
  "[L1] [L6] a token of a view's lock is adopted by the same view elsewhere, and by no other": async (at) => {
    const { view, inner, there } = at;
    const old = await view.lock("a").acquire();
    expect(await codeOf(inner.lock("a").adopt(old.token()))).toBe("INVALID_ARGUMENT");
    const grant = await there.lock("a").adopt(old.token());
    expect([grant.id, grant.fence > old.fence]).toEqual(["a", true]);
    const saved = await there.saveMany(
      ["a", "b"].map((id) => ({ id, value: id })),
      { grant },
    );
    expect(saved.map(({ error }) => error)).toEqual([undefined, undefined]);
    const refused = await view.saveMany([{ id: "a", value: "old" }], { grant: old });
    expect(refused[0]?.error).toMatchObject({ code: "LOCK_LOST" });
    await grant.release();
    expect(await view.state("a").load()).toBe("a");
  },
  "[S9] transact takes states of views in it, and names them by their ids here": async ({ view, inner }) => {
    const of = { initial: () => ({ n: 0 }) };
    const [a, b] = [view.state("{t}a", of), inner.state("{t}a", of)];
    const fences = await view.transact([a, b], (drafts, context) => {
      for (const draft of drafts) draft.n += 1;
      context.setTtl(b, 60_000);
      return Object.keys(context.fences).sort();
    });
    expect(fences).toEqual(["in:{t}a", "{t}a"]);
    await view.transact([a, b], (_, context) => {
      context.delete(a);
    });
    expect([await a.exists(), await b.load()]).toEqual([false, { n: 1 }]);
    expect((await b.read())?.expiresInMs).not.toBe(null);
    expect(await codeOf(inner.transact([a], () => undefined))).toBe("INVALID_ARGUMENT");
  },
  "[E1] [O1] once and leader of a view are those of its ids": async ({ store, prefix, view, inner }) => {
    const keep = { keepMs: 60_000 };
    expect(await view.once("in:x", keep).run(() => "first")).toBe("first");
    expect(await inner.once("x", keep).run(() => "second")).toBe("first");
    expect(await store.once("x", keep).peek()).toBe(null);
    await view.leader("in:x").run(async (term) => {
      expect(term.id).toBe("in:x");
      expect((await inner.leader("x").current())?.id).toBe("x");
      expect((await store.leader(`${prefix}in:x`).current())?.fence).toBe(term.fence);
      expect(await store.leader("x").current()).toBe(null);
    });
  },
};

async function filled(view: StoreView): Promise<void> {
  const ids = ["a", "b", "in:a"];
  await view.saveMany(ids.map((id, index) => ({ id, value: index + 1 })));
}

describe.each(placeNames)("on %s", (name) => {
  const opened = storesAt(name);
  test.each(Object.entries(rows))("%s", async (title, run) => {
    const store = opened();
    const prefix = `{t}${Object.keys(rows).indexOf(title)}*[:`; // the tag: on two shards, too, transact needs one of them
    const [view, there] = [store.within(prefix), opened().within(prefix)];
    await run({ store, prefix, view, inner: view.within("in:"), there });
  });
});

describe("on two shards on Redis", () => {
  const opened = storesAt("two shards on Redis");
  test("[S9] transact of a view advises ids that the view can have", async () => {
    const view = opened().within("v:");
    const states = Array.from({ length: 20 }, (_, n) => view.within("in:").state(`id-${n}`));
    const failed: unknown = await view.transact(states, () => undefined).catch((error: unknown) => error);
    expect((failed as Error).message).toMatch(
      /states "v:in:id-0" and .*: "\{bank\}:id-0", "\{bank\}:id-\d+"/,
    );
    const [a, b] = ["{bank}:id-0", "{bank}:id-1"].map((id) => view.within("in:").state(id));
    if (a !== undefined && b !== undefined) await view.transact([a, b], (drafts) => void (drafts[0] = 1));
    expect(await a?.load()).toBe(1);
  });
});

describe.each(["memory", "SQLite"])("on %s, where ids have an order", (name) => {
  const opened = storesAt(name);
  test.each([
    [{ after: "a" }, ["b", "in:a"]],
    [{ after: "A" }, ["a", "b", "in:a"]],
    [{ after: "~" }, []],
    [{ after: "b", order: "desc" }, ["a"]],
    [{ after: "~", order: "desc", limit: 2 }, ["in:a", "b"]],
    [{ after: "a", idPrefix: "in:", order: "asc" }, ["in:a"]],
    [{ after: "~", idPrefix: "b", order: "desc" }, ["b"]],
  ] as const)("[S1] %j of a view lists %j", async (options, expected) => {
    const store = opened();
    const view = store.within("v:");
    await filled(view);
    await store.saveMany(["a", "u", "w"].map((id) => ({ id, value: 0 })));
    const ids: string[] = [];
    for await (const { id } of view.states(options)) ids.push(id);
    expect(ids).toEqual(expected);
  });
});
