/** Views: parts of a store under a prefix of ids, which see only their own. */
import { strict as assert } from "node:assert";
import { id as idOf } from "../../../ids/id.ts";
import type { StoreView } from "../../../store/store.ts";
import { rejectsWith } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";

interface Count {
  n: number;
}
const zero = (): Count => ({ n: 0 });
const counter = (view: StoreView, id: string) => view.state<Count>(id, { initial: zero });

async function idsOf(list: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids.sort();
}

const text = "}{a}:%\u0000\u0085 ☃\ud83d";

export const viewCases: readonly Case[] = [
  proof(
    "[S1] the same id in two views is two states; in the store, their ids have the prefix",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const [a, b] = [fixture.id(), fixture.id()];
      const [ours, theirs] = [store.within(`${a}:`), store.within(`${b}:`)];
      await ours.state("x").save("ours");
      assert.equal(await theirs.state("x").load(), undefined);
      await theirs.state("x").save("theirs");
      assert.equal(await ours.state("x").load(), "ours");
      assert.equal(await other.state(`${a}:x`).load(), "ours");
      assert.equal(await other.within(`${a}:`).state("x").load(), "ours");
      await theirs.state("x").delete();
      assert.equal(await ours.state("x").load(), "ours");
      assert.equal(ours.state("x").id, "x");
    },
  ),
  proof("[S3] updates of a state by its views and by the store are updates of one state", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const outer = fixture.id();
    const add = (draft: Count): void => void (draft.n += 1);
    const places = [
      counter(store, `${outer}:in:n`),
      counter(store.within(`${outer}:`), "in:n"),
      counter(other.within(`${outer}:`).within("in:"), "n"),
    ];
    await Promise.all(places.flatMap((state) => Array.from({ length: 10 }, () => state.update(add))));
    assert.deepEqual(await counter(other, `${outer}:in:n`).load(), { n: 30 });
  }),
  proof(
    "[S8] the lock of a view guards its state, also in the store and in views around it",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const outer = fixture.id();
      const view = store.within(`${outer}:`);
      const grant = await view.lock("x").acquire();
      assert.equal(grant.id, "x");
      await rejectsWith(other.state(`${outer}:x`).save(1, { waitMs: 0 }), "LOCK_TIMEOUT");
      assert.equal(await other.within(`${outer}:`).lock("x").tryAcquire(), null);
      assert.deepEqual(await idsOf(view.locks()), ["x"]);
      assert.equal((await view.lock("x").inspect())?.id, "x");
      await store.state(`${outer}:x`).save(1, { grant });
      const inner = await store.lock(`${outer}:x`).acquire({ grant });
      assert.equal(inner.fence, grant.fence);
      await inner.release();
      await rejectsWith(store.state("x").save(1, { grant }), "INVALID_ARGUMENT");
      assert.equal(await grant.release(), true);
      assert.deepEqual(await idsOf(view.locks()), []);
    },
  ),
  proof(
    "[L4] inside run(fn) of a view, calls for the same lock through the store re-enter",
    async (fixture) => {
      const [store, outer] = [await fixture.store(), fixture.id()];
      const view = store.within(`${outer}:`);
      const state = counter(store, `${outer}:x`);
      await view.lock("x").run(async (grant) => {
        assert.equal(grant.id, "x");
        assert.equal(await store.lock(`${outer}:x`).run((again) => again.fence), grant.fence);
        await state.update((draft) => void (draft.n = grant.fence), { waitMs: 0 });
        assert.deepEqual(await counter(view, "x").load(), { n: grant.fence });
      });
    },
  ),
  proof(
    "[L14] lockAll of a view has the ids that it was given, and locks those of the view",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const outer = fixture.id();
      const locks = store.within(`${outer}:`).lockAll(["b", "a"]);
      assert.deepEqual(locks.ids, ["a", "b"]);
      await locks.run(async (set) => {
        assert.deepEqual(set.ids, ["a", "b"]);
        assert.deepEqual(Object.keys(set.fences), ["a", "b"]);
        const holder = await other.lock(`${outer}:b`).inspect();
        assert.equal(holder?.fence, set.fences.b);
        await store.state(`${outer}:b`).save(1, { grant: set, waitMs: 0 });
      });
      assert.equal(await other.lock(`${outer}:a`).inspect(), null);
    },
  ),
  proof("[S9] transact of a view changes its states, and names them as the view does", async (fixture) => {
    const [store, tag] = [await fixture.store(), `{${fixture.id()}}:`];
    const view = store.within(tag);
    const [a, b, outside] = [counter(view, "a"), counter(view, "b"), counter(store, `{${fixture.id()}}:c`)];
    const names = await view.transact([a, b], ([first], context) => {
      first.n = 7;
      context.delete(b);
      return Object.keys(context.fences);
    });
    assert.deepEqual(names, ["a", "b"]);
    assert.deepEqual(await counter(store, `${tag}a`).load(), { n: 7 });
    await rejectsWith(
      view.transact([a, outside], () => undefined),
      "INVALID_ARGUMENT",
    );
    assert.deepEqual(await store.transact([a], (_, { fences }) => Object.keys(fences)), [`${tag}a`]);
  }),
  proof("[S1] a listing is bounded by its view, and its ids are those of the view", async (fixture) => {
    const [store, outer] = [await fixture.store(), fixture.id()];
    const ids = [`${outer}:a`, `${outer}:in:b`, `${outer}:in:c`, `${outer}2:d`];
    for (const id of ids) await store.state(id).save(id);
    const view = store.within(`${outer}:`);
    assert.deepEqual(await idsOf(view.states()), ["a", "in:b", "in:c"]);
    assert.deepEqual(await idsOf(view.states({ idPrefix: "in:" })), ["in:b", "in:c"]);
    assert.deepEqual(await idsOf(view.within("in:").states()), ["b", "c"]);
    assert.deepEqual(await idsOf(view.within("in:").states({ idPrefix: "c" })), ["c"]);
    for await (const { id } of view.states()) assert.equal(await view.state(id).load(), `${outer}:${id}`);
  }),
  proof(
    "[O1] [L13] [E1] what a view runs once, its semaphores and its leaders are its own",
    async (fixture) => {
      const store = await fixture.store();
      const [a, b] = [store.within(`${fixture.id()}:`), store.within(`${fixture.id()}:`)];
      const once = (view: StoreView) => view.once("job", { keepMs: 60_000 });
      assert.equal(await once(a).run(() => "a"), "a");
      assert.equal(await once(b).run(() => "b"), "b");
      assert.equal(await store.once(`${a.idPrefix}job`, { keepMs: 60_000 }).run(() => "again"), "a");
      await using permit = await a.semaphore("gpu", { permits: 1 }).acquire();
      assert.equal(permit.id, "gpu");
      await using other = await b.semaphore("gpu", { permits: 1 }).acquire({ waitMs: 0 });
      assert.equal(await store.semaphore(`${b.idPrefix}gpu`, { permits: 1 }).tryAcquire(), null);
      assert.ok(other.fence > 0);
      await a.leader("main").run(async (term) => {
        assert.equal(term.id, "main");
        assert.equal(await b.leader("main").current(), null);
        assert.equal((await store.leader(`${a.idPrefix}main`).current())?.fence, term.fence);
      });
    },
  ),
  proof("[S1] ids made of any text are kept exactly, in listings too", async (fixture) => {
    const [store, outer] = [await fixture.store(), fixture.id()];
    const view = store.within(`${outer}:`);
    const made = [["user", text], ["user", ""], ["user:", ""], [text], ["long", text.repeat(100)]];
    const ids = made.map((parts) => view.id(...parts));
    for (const id of ids) await view.state(id).save(id);
    assert.deepEqual(await idsOf(view.states()), [...ids].sort());
    const users = [view.id("user", text), view.id("user", "")].sort();
    assert.deepEqual(await idsOf(view.states({ idPrefix: `${idOf("user")}:` })), users);
  }),
];
