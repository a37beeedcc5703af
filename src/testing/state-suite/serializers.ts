/** Users' own serializers: views of their input, buffers that are reused, errors at any time [S3]. */
import { strict as assert } from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import { deserialize, serialize } from "node:v8";
import { PyDateTime, PyTuple } from "../../pickle.ts";
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

/** Writes any bytes as a pickle. */
const asPickle: Serializer = { ...raw, name: "pickle" };

/** What JSON has no form for, with a list that holds itself. */
function visits(): { counts: Map<unknown, bigint>; seen: Set<string>; last: unknown[] } {
  const last: unknown[] = [PyDateTime.fromDate(new Date(0)), new PyTuple(["ada", 1])];
  last.push(last);
  return { counts: new Map([[1, 2n ** 64n]]), seen: new Set(["ada"]), last };
}

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
  proof("[S3] [S6] pickle keeps the types of Python, shared parts and cycles", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: visits, serializer: "pickle" });
    await Promise.all([
      state.run((draft) => void draft.seen.add("bob")),
      state.run((draft) => void draft.counts.set(new PyTuple([1]), 2n ** 70n)),
    ]);
    await store.lock(id).run(() => state.run((draft) => void draft.seen.delete("ada")));
    const expected = visits();
    expected.seen = new Set(["bob"]);
    expected.counts.set(new PyTuple([1]), 2n ** 70n);
    const loaded = await state.load();
    assert.deepStrictEqual(loaded, expected);
    assert.equal(loaded.last[2], loaded.last);
    const { revision } = (await state.read()) ?? {};
    await state.update(() => expected); // equal values give equal bytes: nothing is saved
    assert.equal((await state.read())?.revision, revision);
  }),
  proof("[S1] [S6] a pickle that asks for code is corrupt, and stays as it is", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const written = store.state<Uint8Array>(id, { serializer: asPickle });
    const bytes = new TextEncoder().encode("cos\nsystem\n(S'true'\ntR.");
    await written.save(bytes);
    const state = store.state<number>(id, { initial: () => 0, serializer: "pickle" });
    await rejectsWith(state.load(), "CORRUPT_STATE");
    await rejectsWith(
      state.update((n) => n + 1),
      "CORRUPT_STATE",
    );
    assert.match((await rejection(state.load())).message, /asks for "os.system".* at byte 0/);
    assert.deepEqual(await written.load(), bytes);
  }),
  proof("[S5] a value that pickle cannot keep is refused, and nothing is saved", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<unknown>(id, { serializer: "pickle" });
    await rejectsWith(state.save({ a: new Map([[[1], 2]]) }), "SERIALIZATION");
    await rejectsWith(
      state.update(() => ({ set: new Set([1, true]) })),
      "SERIALIZATION",
    );
    assert.equal(await state.load(), undefined);
  }),
  proof("[O1] a once keeps its result as a pickle, undefined included", async (fixture) => {
    const [store, ids] = [await fixture.store(), [fixture.id(), fixture.id()]];
    const results = [new Map([[1n, "one"]]), undefined];
    for (const [index, result] of results.entries()) {
      const once = store.once(ids[index] ?? "", { keepMs: 60_000, serializer: "pickle", fingerprint: [1n] });
      await once.run(() => result);
      const { value } = (await once.peek()) as { value: unknown };
      assert.deepStrictEqual(value, result && new Map([[1, "one"]]));
    }
  }),
  proof("[S1] [S3] an empty text and no bytes are states, and no bytes are shared", async (fixture) => {
    const [store, text, bytes] = [await fixture.store(), fixture.id(), fixture.id()];
    const words = store.state<string>(text, { serializer: "text" });
    await words.save("");
    assert.equal(await words.load(), "");
    assert.equal(await words.update((draft) => `${draft ?? "absent"}ü`), "ü");
    assert.equal(await store.lock(text).run(() => words.load()), "ü");
    const numbers = store.state<Uint8Array>(bytes, { serializer: "bytes" });
    await numbers.save(new Uint8Array());
    assert.deepEqual(await numbers.load(), new Uint8Array());
    await Promise.all(
      [1, 2].map((byte) => numbers.update((draft) => Uint8Array.of(...(draft ?? [9]), byte).sort())),
    );
    (await numbers.load())?.fill(7);
    assert.deepEqual(await numbers.load(), Uint8Array.of(1, 2));
  }),
];
