// The serializers "text" and "bytes": what is stored is the text or the bytes, and nothing else is kept.

import { runInNewContext } from "node:vm";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { open, type SerializerName, type State } from "../../../src/index.ts";
import { asItIs } from "../../integration/sealing/stores.ts";

function stateOf(serializer: SerializerName): {
  state: State<unknown>;
  stored: State<Uint8Array, Uint8Array | undefined>;
} {
  const store = open("memory:");
  return {
    state: store.state("x", { serializer }),
    stored: store.state("x", { serializer: asItIs(serializer) }),
  };
}

/** How it is refused, by the id and the code. */
const refused = { code: "SERIALIZATION", id: "x", outcome: "none" };

describe("text", () => {
  const texts = ["", " ", '"quoted"', "\uFEFFwith a mark", "a\0b\r\n", "Grüße, 世界 🙂", "x".repeat(100_000)];

  test.each(texts)("%j is stored as its UTF-8", async (value) => {
    const { state, stored } = stateOf("text");
    await state.save(value);
    expect(Buffer.from((await stored.load()) ?? [])).toEqual(Buffer.from(value, "utf8"));
    expect(await state.load()).toBe(value);
  });

  test("[S3] any text comes back as it was", async () => {
    const { state } = stateOf("text");
    const anyText = fc.string({ unit: "binary", maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(anyText, async (value) => {
        await state.save(value);
        expect(await state.load()).toBe(value);
      }),
      { numRuns: 30 },
    );
  });

  test.each([[1], [null], [undefined], [{ text: "x" }], [new String("x")], [["x"]], [Buffer.from("x")]])(
    "%o is refused",
    async (value) => {
      const { state, stored } = stateOf("text");
      await expect(state.save(value)).rejects.toMatchObject(refused);
      await expect(state.save(value)).rejects.toThrow(/keeps strings only/);
      expect(await stored.load()).toBeUndefined();
    },
  );

  test("a lone surrogate is refused, with what to do", async () => {
    await expect(stateOf("text").state.save("a\ud800")).rejects.toThrow(/lone surrogate.*toWellFormed\(\)/);
  });

  test("[S6] bytes that are not UTF-8 are refused, and left as they are", async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const { state, stored } = stateOf("text");
      await stored.save(Uint8Array.from(bytes));
      await expect(state.update(() => "x")).rejects.toMatchObject({ code: "CORRUPT_STATE", id: "x" });
      expect([...((await stored.load()) ?? [])]).toEqual(bytes);
    }
  });

  test("update returns the new text; run refuses a text", async () => {
    const { state } = stateOf("text");
    await state.save("");
    expect(await state.update((draft) => `${String(draft)}more`)).toBe("more");
    await expect(state.run(() => undefined)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("bytes", () => {
  test.each([new Uint8Array(), Uint8Array.of(0, 255, 10), new Uint8Array(70_000).fill(7)])(
    "are stored as they are (%#)",
    async (value) => {
      const { state, stored } = stateOf("bytes");
      await state.save(value);
      expect(await stored.load()).toEqual(value);
      expect(await state.load()).toEqual(value);
    },
  );

  test("a Buffer comes back as a Uint8Array, as does one of another realm", async () => {
    const { state } = stateOf("bytes");
    for (const value of [Buffer.from("abc"), runInNewContext("Uint8Array.of(97, 98, 99)")]) {
      await state.save(value);
      const loaded = await state.load();
      expect(Object.getPrototypeOf(loaded)).toBe(Uint8Array.prototype);
      expect(loaded).toEqual(Uint8Array.of(97, 98, 99));
    }
  });

  test("of a view, only what it shows is stored", async () => {
    const { state } = stateOf("bytes");
    await state.save(Uint8Array.of(1, 2, 3, 4).subarray(1, 3));
    expect(await state.load()).toEqual(Uint8Array.of(2, 3));
  });

  test("[S3] every caller gets bytes of its own", async () => {
    const { state } = stateOf("bytes");
    const given = Uint8Array.of(1, 2);
    const saved = state.save(given);
    given.fill(9);
    await saved;
    const [a, b] = (await Promise.all([state.load(), state.load()])) as [Uint8Array, Uint8Array];
    a.fill(8);
    const updated = (await state.update((draft) => void (draft as Uint8Array).fill(3, 0, 1))) as Uint8Array;
    expect([[...a], [...b], [...updated]]).toEqual([
      [8, 8],
      [1, 2],
      [3, 2],
    ]);
    updated.fill(7);
    expect(await state.load()).toEqual(Uint8Array.of(3, 2));
  });

  class Tagged extends Uint8Array {}
  test.each([
    ["text"],
    [[1, 2]],
    [null],
    [new ArrayBuffer(2)],
    [new DataView(new ArrayBuffer(2))],
    [Int8Array.of(1)],
    [Tagged.of(1)],
  ])("%o is refused", async (value) => {
    await expect(stateOf("bytes").state.save(value)).rejects.toMatchObject(refused);
    await expect(stateOf("bytes").state.save(value)).rejects.toThrow(/keeps a Uint8Array only/);
  });
});

describe("[P2] once and leader keep objects", () => {
  test.each(["text", "bytes"] as const)("in a store of %s, as JSON", async (serializer) => {
    const store = open("memory:", { serializer });
    expect(await store.once("k", { keepMs: 60_000 }).run(() => ({ n: 1 }))).toEqual({ n: 1 });
    const leader = store.leader<{ url: string }>("boss");
    const seen = await leader.run(() => leader.current(), { value: { url: "http://a" } });
    expect(seen?.value).toEqual({ url: "http://a" });
  });

  test.each(["text", "bytes"])("so once() refuses %s", (serializer) => {
    const options = { keepMs: 60_000, serializer: serializer as "json" };
    expect(() => open("memory:").once("k", options)).toThrow(
      /cannot be "(text|bytes)".*an object.*Use "json"/,
    );
  });
});

test("[P2] a name that there is not is refused with those that there are; msgpack, with where it is", () => {
  const withName = (serializer: string) => () => open("memory:", { serializer: serializer as "json" });
  expect(withName("yaml")).toThrow(/must be "json", "text", "bytes", "pickle" or an object/);
  expect(withName("msgpack")).toThrow(/npm install msgpackr.*holdfast\/msgpack/);
  expect(withName("toString")).toThrow(/must be "json"/);
});
