/** Users' own serializers: views of their input, buffers that are reused, errors at any time [S3]. */
import { strict as assert } from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { deserialize, serialize } from "node:v8";
import type { Serializer } from "../../serializers/serializer.ts";
import { rejection, rejectsWith } from "../assertions.ts";
import { proof, type Case } from "../suite.ts";

interface Seen {
  seen: Uint8Array;
}
const untouched = (): Seen => ({ seen: new Uint8Array([0, 0, 0, 0]) });

/** As in the guide: its typed arrays are views of its input. */
const v8: Serializer = {
  name: "v8",
  serialize: (value) => serialize(value),
  deserialize: (bytes) => deserialize(bytes) as unknown,
};

/** Returns its input unchanged, in both directions. */
const raw: Serializer = {
  name: "raw",
  serialize: (value) => value as Uint8Array,
  deserialize: (bytes) => bytes,
};

/** Reuses one buffer for all its output. */
function reusing(): Serializer {
  const buffer = new Uint8Array(64);
  return {
    name: "reusing",
    serialize: (value) => {
      const { written } = new TextEncoder().encodeInto(String(value), buffer);
      return buffer.subarray(0, written);
    },
    deserialize: (bytes) => new TextDecoder().decode(bytes),
  };
}

/** Reads nothing that begins with this. */
const picky = (refused: string): Serializer => ({
  name: "picky",
  serialize: (value) => new TextEncoder().encode(String(value)),
  deserialize: (bytes) => {
    const text = new TextDecoder().decode(bytes);
    if (text.startsWith(refused)) throw new Error("not that one");
    return text;
  },
});

export const serializerCases: readonly Case[] = [
  proof(
    "[S3] a draft that is a view of what was stored: its change is noticed and saved",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state(id, { initial: untouched, serializer: v8 });
      await state.save(untouched());
      const before = (await state.read())?.revision ?? 0;
      const after = await state.update((draft) => void (draft.seen[0] = 1));
      assert.deepEqual([...after.seen], [1, 0, 0, 0]);
      const stored = await state.read();
      assert.deepEqual([...(stored?.value.seen ?? [])], [1, 0, 0, 0]);
      assert.ok((stored?.revision ?? 0) > before);
    },
  ),
  proof("[S3] the same under a grant, next to drafts that fail", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: untouched, serializer: v8 });
    await state.save(untouched());
    const calls = await Promise.allSettled([
      state.update((draft) => void (draft.seen[0] = 1)),
      state.update((draft) => {
        draft.seen[1] = 2;
        throw new Error("mine");
      }),
      state.update(async (draft) => {
        draft.seen[2] = 3;
        await Promise.reject(new Error("mine"));
      }),
    ]);
    assert.deepEqual(
      calls.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected"],
    );
    await store.lock(id).run(() => state.update((draft) => void (draft.seen[3] = 4)));
    assert.deepEqual([...(await state.load()).seen], [1, 0, 0, 4]);
  }),
  proof("[S3] later callers do not see what a caller does with its result", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: untouched, serializer: v8 });
    const spoilt = state.update((draft) => void (draft.seen[0] = 1)).then((value) => value.seen.fill(9));
    // Begun before the first resolves, so that the third continues from the state saved for the first.
    const failed = state.update(async () => {
      await spoilt;
      throw new Error("mine");
    });
    const second = state.update((draft) => void (draft.seen[1] = 1));
    assert.equal((await rejection(failed)).message, "mine");
    assert.deepEqual([...(await second).seen], [1, 1, 0, 0]);
    (await state.load()).seen.fill(8);
    assert.deepEqual([...(await state.load()).seen], [1, 1, 0, 0]);
    const unchanged = await state.update(() => undefined);
    unchanged.seen.fill(7);
    assert.deepEqual([...(await state.update(() => undefined)).seen], [1, 1, 0, 0]);
  }),
  proof("[S2] bytes that the caller changes after save() are saved as they were", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<Uint8Array>(id, { serializer: raw });
    const value = new Uint8Array([1, 2, 3]);
    const saving = state.save(value);
    value.fill(9);
    await saving;
    const loaded = await state.load();
    assert.deepEqual([...(loaded ?? [])], [1, 2, 3]);
    const updating = state.update(() => value);
    const result = await updating;
    result?.fill(7);
    value.fill(8);
    assert.deepEqual([...((await state.load()) ?? [])], [9, 9, 9]);
  }),
  proof("[S2] [S3] a serializer that reuses its buffer: each value is kept separately", async (fixture) => {
    const [store, ids] = [await fixture.store(), [fixture.id(), fixture.id(), fixture.id()]];
    const serializer = reusing();
    const states = ids.map((id) => store.state<string>(id, { serializer }));
    await Promise.all(states.map((state, index) => state.save(`value ${String(index)}`)));
    for (const [index, state] of states.entries()) assert.equal(await state.load(), `value ${String(index)}`);
    const [first] = states;
    assert.ok(first);
    const results = await Promise.all(
      ["a", "b", "c"].map((name) => first.update((text) => `${text ?? ""}${name}`)),
    );
    assert.deepEqual(results, ["value 0a", "value 0ab", "value 0abc"]);
    assert.equal(await first.load(), "value 0abc");
  }),
  proof(
    "[S5] a value that its serializer cannot read back is refused, and nothing is saved",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<string>(id, { serializer: picky("bad") });
      await state.save("good");
      const { revision } = (await state.read()) ?? {};
      const calls = await Promise.allSettled([
        state.update(() => "bad"),
        state.update((text) => `${text ?? ""}!`),
      ]);
      const [refused, kept] = calls;
      assert.ok(refused.status === "rejected");
      assert.equal((refused.reason as { code?: string }).code, "SERIALIZATION");
      assert.equal((refused.reason as { outcome?: string }).outcome, "none");
      assert.deepEqual(kept, { status: "fulfilled", value: "good!" });
      assert.equal(await state.load(), "good!");
      assert.ok(((await state.read())?.revision ?? 0) > (revision ?? 0));
      const inGrant = store.lock(id).run(() => state.update(() => "bad"));
      await rejectsWith(inGrant, "SERIALIZATION");
      assert.equal(await state.load(), "good!");
    },
  ),
  proof("[S3] a serializer always runs in the async context of the call", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const context = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const tracing: Serializer = {
      name: "tracing",
      serialize: (value) => {
        seen.push(`${context.getStore() ?? "nobody"} writes ${String(value)}`);
        return new TextEncoder().encode(String(value));
      },
      deserialize: (bytes) => {
        const text = new TextDecoder().decode(bytes);
        seen.push(`${context.getStore() ?? "nobody"} reads ${text}`);
        return text;
      },
    };
    const state = store.state<string>(id, { initial: () => "", serializer: tracing });
    const call = (name: string) =>
      context.run(name, () =>
        state.update((text) => (name === "b" ? Promise.resolve(text + name) : text + name)),
      );
    await Promise.all(["a", "b", "c"].map(call));
    assert.deepEqual(
      seen.map((line) => line.replace(/ .*/, "")).join(""),
      "aaabbbccc".replace("aaa", "aaaa"), // the first makes its initial value, too
    );
  }),
  proof(
    "[S1] a stored value that its serializer cannot read is corrupt, and stays as it is",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      await store.state<string>(id, { serializer: picky("never") }).save("bad");
      const state = store.state<string>(id, { serializer: picky("bad") });
      await rejectsWith(state.load(), "CORRUPT_STATE");
      await rejectsWith(
        state.update(() => "good"),
        "CORRUPT_STATE",
      );
      assert.match((await rejection(state.load())).message, /not that one/);
      assert.equal(await store.state<string>(id, { serializer: picky("never") }).load(), "bad");
    },
  ),
];
