/** States as a user sees them: values in, values out, and what draft functions may do. */
import { strict as assert } from "node:assert";
import type { Serializer } from "../../serializers/serializer.ts";
import { rejection, rejectsWith } from "../assertions.ts";
import { needing, proof, type Case } from "../suite.ts";

interface Cart {
  items: string[];
}
const emptyCart = (): Cart => ({ items: [] });

export const valueCases: readonly Case[] = [
  proof("[S1] load returns what is stored, initial() or undefined, and writes nothing", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    assert.equal(await store.state(id).load(), undefined);
    assert.deepEqual(await store.state(id, { initial: emptyCart }).load(), { items: [] });
    assert.equal(await store.state(id).read(), undefined);
    const revision = await store.state<Cart>(id).save({ items: ["a"] });
    assert.deepEqual(await store.state(id, { initial: emptyCart }).load(), { items: ["a"] });
    const stored = { value: { items: ["a"] }, revision, expiresInMs: null };
    assert.deepEqual(await store.state<Cart>(id).read(), stored);
  }),
  proof(
    "[S1] initial is copied: changing what load returned does not affect other callers",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const shared = emptyCart();
      const cart = store.state(id, { initial: () => shared });
      (await cart.load()).items.push("mine");
      await cart.update((draft) => void draft.items.push("a"));
      assert.deepEqual(shared, { items: [] });
      assert.deepEqual(await cart.load(), { items: ["a"] });
    },
  ),
  proof("[S2] save serializes before it returns, and resolves with the revision", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const cart = store.state<Cart>(id);
    const value = { items: ["a"] };
    const saving = cart.save(value);
    value.items.push("too late");
    const revision = await saving;
    assert.deepEqual(await cart.read(), { value: { items: ["a"] }, revision, expiresInMs: null });
  }),
  proof(
    "[S2] trySave inserts if absent, compares and sets, and otherwise returns null; save throws",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      const first = await state.trySave(1, { ifRevision: "absent" });
      assert.ok(first !== null);
      assert.equal(await state.trySave(2, { ifRevision: "absent" }), null);
      await rejectsWith(state.save(2, { ifRevision: "absent" }), "CONFLICT");
      const second = await state.trySave(2, { ifRevision: first });
      assert.ok(second !== null && second > first);
      assert.equal(await state.trySave(3, { ifRevision: first }), null);
      await rejectsWith(state.delete({ ifRevision: first }), "CONFLICT");
      await rejectsWith(state.delete({ ifRevision: "absent" }), "CONFLICT");
      assert.equal(await state.load(), 2);
      await state.delete({ ifRevision: second });
      assert.equal(await state.load(), undefined);
      await state.delete();
      await state.delete({ ifRevision: "absent" });
    },
  ),
  proof(
    "[S3] update takes a changed draft or a new value, and returns what is now stored",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const cart = store.state(id, { initial: emptyCart });
      assert.deepEqual(await cart.update((draft) => void draft.items.push("a")), { items: ["a"] });
      assert.deepEqual(await cart.update((draft) => ({ items: [...draft.items, "b"] })), {
        items: ["a", "b"],
      });
      assert.deepEqual(await cart.update((draft) => Promise.resolve(draft)), { items: ["a", "b"] });
      const count = store.state(fixture.id(), { initial: () => 0 });
      assert.equal(await count.update((n) => n + 1), 1);
      assert.equal(await count.update(() => undefined), 1);
      assert.equal(await count.load(), 1);
    },
  ),
  proof(
    "[S3] update without initial gets undefined, and an undefined result is not stored",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      assert.equal(await state.update((n) => n), undefined);
      assert.equal(await state.read(), undefined);
      assert.equal(await state.update((n) => (n ?? 0) + 5), 5);
      assert.equal(await state.load(), 5);
    },
  ),
  proof(
    "[S3] changing the draft and returning another value is an error, and nothing is saved",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const cart = store.state(id, { initial: emptyCart });
      const both = cart.update((draft) => {
        draft.items.push("a");
        return { items: ["b"] };
      });
      await rejectsWith(both, "INVALID_ARGUMENT");
      assert.equal(await cart.read(), undefined);
      await fixture.becomesFree(id);
    },
  ),
  proof("[S3] equal bytes are not saved again and keep their revision", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const cart = store.state<Cart>(id);
    const revision = await cart.save({ items: ["a"] });
    await cart.update(() => undefined);
    await cart.update(() => ({ items: ["a"] }));
    await cart.run((draft) => draft?.items.length);
    assert.equal((await cart.read())?.revision, revision);
    await cart.update((draft) => void draft?.items.push("b"));
    assert.ok(((await cart.read())?.revision ?? 0) > revision);
  }),
  proof(
    "[S3] if the function throws, the caller gets that same error, and nothing changes",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const cart = store.state<Cart>(id);
      const revision = await cart.save({ items: ["a"] });
      const mine = new Error("mine");
      const change = (draft: Cart | undefined): never => {
        draft?.items.push("b");
        throw mine;
      };
      assert.equal(await rejection(cart.update(change)), mine);
      assert.equal(await rejection(cart.run((draft) => Promise.resolve().then(() => change(draft)))), mine);
      const stored = { value: { items: ["a"] }, revision, expiresInMs: null };
      assert.deepEqual(await cart.read(), stored);
      await fixture.becomesFree(id);
    },
  ),
  proof("[S3] run saves the changed draft and returns the function's own result", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const stock = store.state(id, { initial: () => ({ left: 2 }) });
    const buy = (s: { left: number }): boolean => {
      if (s.left === 0) return false;
      s.left -= 1;
      return true;
    };
    assert.deepEqual(await Promise.all([stock.run(buy), stock.run(buy), stock.run(buy)]), [
      true,
      true,
      false,
    ]);
    assert.deepEqual(await stock.load(), { left: 0 });
  }),
  proof("[S3] run refuses a value that cannot be changed in place, and names its type", async (fixture) => {
    const store = await fixture.store();
    for (const [value, what] of [
      [1, "a number"],
      ["text", "a string"],
      [null, "null"],
    ] as const) {
      const state = store.state<unknown>(fixture.id(), { initial: () => value });
      const { message } = await rejectsWith(
        state.run(() => undefined),
        "INVALID_ARGUMENT",
      );
      assert.ok(message.endsWith(`this state is ${what}. Use update().`), message);
    }
  }),
  proof("[S3] a stateful function remembers, across stores", async (fixture) => {
    const [one, two] = [await fixture.store(), await fixture.store()];
    const id = fixture.id();
    const make = (store: typeof one) =>
      store.stateful(
        id,
        () => ({ last: 0 }),
        (state, year: number) => {
          state.last += 1;
          return `${String(year)}-${String(state.last)}`;
        },
      );
    assert.equal(await make(one)(2026), "2026-1");
    assert.equal(await make(two)(2027), "2027-2");
    assert.deepEqual(await one.state(id).load(), { last: 2 });
  }),
  proof(
    "[S6] a value that cannot be kept exactly, or is too large, is refused and nothing is written",
    async (fixture) => {
      const store = await fixture.store({ maxStateBytes: 100 });
      const state = store.state<unknown>(fixture.id());
      await state.save("kept");
      await rejectsWith(state.save({ at: new Date() }), "SERIALIZATION");
      await rejectsWith(state.save("x".repeat(100)), "SERIALIZATION");
      await rejectsWith(
        state.update(() => NaN),
        "SERIALIZATION",
      );
      await rejectsWith(
        state.update(() => "x".repeat(100)),
        "SERIALIZATION",
      );
      assert.equal(await state.load(), "kept");
    },
  ),
  proof(
    "[S6] data of another serializer is not read and not overwritten, but may be deleted",
    async (fixture) => {
      const text: Serializer = {
        name: "suite-text",
        serialize: (value) => new TextEncoder().encode(String(value)),
        deserialize: (bytes) => new TextDecoder().decode(bytes),
      };
      const [store, id] = [await fixture.store(), fixture.id()];
      const mine = store.state<string>(id, { serializer: text });
      await mine.save("not json");
      const theirs = store.state<string>(id);
      await rejectsWith(theirs.load(), "CORRUPT_STATE");
      await rejectsWith(theirs.read(), "CORRUPT_STATE");
      await rejectsWith(theirs.save("x"), "CORRUPT_STATE");
      await rejectsWith(
        theirs.update(() => "x"),
        "CORRUPT_STATE",
      );
      assert.equal(await mine.load(), "not json");
      await theirs.delete();
      await theirs.save("x");
      assert.equal(await theirs.load(), "x");
    },
  ),
  needing(["putGarbage"], "[S6] data that is not a state throws, and is left as it is", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    await fixture.hook("putGarbage")(id);
    const state = store.state(id, { initial: () => 0 });
    for (let round = 0; round < 2; round += 1) {
      const error = await rejectsWith(state.load(), "CORRUPT_STATE");
      assert.match(error.message, new RegExp(id));
      await rejectsWith(
        state.update((n) => n + 1),
        "CORRUPT_STATE",
      );
      await rejectsWith(state.save(1), "CORRUPT_STATE");
      await rejectsWith(state.trySave(1, { ifRevision: "absent" }), "CORRUPT_STATE");
      await store.lock(id).run(async () => rejectsWith(state.save(1), "CORRUPT_STATE"));
    }
    await fixture.becomesFree(id);
  }),
  proof("[S1] states() lists every state with a prefix once", async (fixture) => {
    const [store, under] = [await fixture.store(), fixture.id()];
    const ids = Array.from({ length: 12 }, (_, n) => `${under}:${String(n).padStart(2, "0")}`);
    await Promise.all(ids.map((id) => store.state(id).save({ id })));
    const listed: string[] = [];
    for await (const { id, revision } of store.states({ idPrefix: `${under}:` })) {
      assert.ok(revision > 0);
      listed.push(id);
    }
    assert.deepEqual(listed.sort(), ids);
  }),
];
