// MessagePack keeps a value exactly or refuses it, whatever msgpackr would make of it.

import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { msgpack } from "../../../../src/msgpack.ts";

const kept: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  255,
  -129,
  2 ** 31,
  2 ** 53,
  -(2 ** 53),
  0.1,
  5e-324,
  1.7976931348623157e308,
  NaN,
  Infinity,
  -Infinity,
  "",
  "Grüße 🙂",
  "x".repeat(70_000),
  5n,
  -(2n ** 63n),
  2n ** 64n - 1n,
  new Date(0),
  new Date(-1),
  new Date(1_700_000_000_123),
  new Date(8.64e15),
  new Date(-8.64e15),
  new Uint8Array(),
  Uint8Array.of(0, 255),
  [],
  [undefined, null],
  [[[]]],
  {},
  { a: undefined, b: 1 },
  { "": "", constructor: 1, toJSON: 2, hasOwnProperty: "x", length: 3, then: null, valueOf: [] },
  { 2: "b", 1: "a" },
  Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index])),
  Array.from({ length: 70_000 }, () => ({ a: 1, b: new Date(1) })),
];

describe("[S3] kept exactly", () => {
  test.each(kept.map((value) => [value]))("%o", (value) => {
    const loaded = msgpack.deserialize(msgpack.serialize(value));
    expect(isDeepStrictEqual(loaded, value)).toBe(true);
  });

  test("any such value, and equal values give equal bytes", () => {
    const leaf = fc.oneof(
      fc.constantFrom(null, undefined, true, false),
      fc.double().filter((value) => !Object.is(value, -0)),
      fc.integer(),
      fc.string({ unit: "binary" }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
    );
    const key = fc.string({ unit: "binary" }).filter((text) => text !== "__proto__");
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        leaf,
        fc.array(tie("value"), { maxLength: 6 }),
        fc.dictionary(key, tie("value"), { noNullPrototype: true, maxKeys: 6 }),
      ),
    }));
    fc.assert(
      fc.property(
        value.filter((made) => made !== undefined),
        (made) => {
          const bytes = msgpack.serialize(made);
          const loaded = msgpack.deserialize(bytes);
          expect(isDeepStrictEqual(loaded, made)).toBe(true);
          expect(Buffer.compare(msgpack.serialize(loaded), bytes)).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("documented exceptions: Buffers, missing prototypes, hidden properties, another realm", () => {
    const hidden = Object.defineProperty({ a: 1 }, "b", { value: 2 });
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    for (const [value, loaded] of [
      [Buffer.from("ab"), Uint8Array.of(97, 98)],
      [bare, { a: 1 }],
      [hidden, { a: 1 }],
      [runInNewContext("({ a: [1, { b: null }], constructor: 1 })"), { a: [1, { b: null }], constructor: 1 }],
    ]) {
      expect(isDeepStrictEqual(msgpack.deserialize(msgpack.serialize(value)), loaded)).toBe(true);
    }
  });

  test("what other programs write in other forms of the format is read as well", () => {
    const forms = {
      de0001a16101: { a: 1 },
      dc00010a: [10],
      d9016b: "k",
      ca3fc00000: 1.5,
      d20000000a: 10,
      cf000000000000000a: 10n,
      d6ff00000001: new Date(1_000),
    };
    for (const [hex, value] of Object.entries(forms)) {
      expect(msgpack.deserialize(Buffer.from(hex, "hex")), hex).toEqual(value);
    }
  });
});

class Point {
  x = 1;
}
const cycle: unknown[] = [];
cycle.push({ cycle });
const sparse = Object.assign(new Array<number>(3), { 0: 1, 2: 3 });
const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 0);
const shared = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner], []);

describe("[S3] refused, with the path", () => {
  test.each<[string, unknown, RegExp]>([
    ["undefined", undefined, /\$ is undefined/],
    ["-0", { a: [-0] }, /\$\.a\[0\] is -0/],
    ["a Map", { a: new Map([[1, 2]]) }, /\$\.a is a Map/],
    ["a Set", [new Set([1])], /\$\[0\] is a Set/],
    ["a class", { p: new Point() }, /\$\.p is a Point/],
    ["an error", new Error("x"), /is a Error/],
    ["a regular expression", /x/, /is a RegExp/],
    ["a typed array", { t: Float64Array.of(1) }, /\$\.t is a Float64Array/],
    ["an ArrayBuffer", new ArrayBuffer(1), /is a ArrayBuffer/],
    ["a boxed number", Object(1), /is a Number/],
    ["a subclass of Date", new (class Day extends Date {})(), /is a Day/],
    ["a subclass of Uint8Array", new (class Tagged extends Uint8Array {})(1), /is a Tagged/],
    ["a subclass of Array", new (class List extends Array {})(), /is a List/],
    ["a function", { f: () => 1 }, /\$\.f is a function/],
    ["a method toJSON", { toJSON: () => 1 }, /\$\.toJSON is a function/],
    ["a symbol", [Symbol("x")], /\$\[0\] is a symbol/],
    ["a symbol as a key", { [Symbol("x")]: 1 }, /\$ has symbols as keys/],
    ["a getter", Object.defineProperty({}, "g", { enumerable: true, get: () => 1 }), /\$ has the getter "g"/],
    ["an invalid Date", { d: new Date(NaN) }, /\$\.d is an invalid Date/],
    ["a large bigint", 2n ** 64n, /bigint beyond 64 bits/],
    ["a low bigint", -(2n ** 63n) - 1n, /bigint beyond 64 bits/],
    ["a lone surrogate", { s: "\ud800" }, /\$\.s has a lone surrogate/],
    ["a lone surrogate in a key", { "\udc00": 1 }, /has a key with a lone surrogate/],
    ["__proto__", JSON.parse('{"a":{"__proto__":1}}'), /\$\.a has the key "__proto__"/],
    ["a sparse array", { s: sparse }, /\$\.s has holes/],
    ["a named property of an array", Object.assign([1], { name: 2 }), /has holes or named/],
    ["one that stands for an item", Object.assign(sparse.slice(0, 2), { name: 2 }), /has holes or named/],
    ["a cycle", cycle, /more than 512 levels deep, or in a cycle/],
    ["513 levels", nested(513), /more than 512 levels/],
    ["a Date of another realm", [runInNewContext("new Date(5)")], /\$\[0\] is a Date of another realm/],
    ["a Uint8Array of another realm", runInNewContext("new Uint8Array(1)"), /a Uint8Array of another realm/],
  ])("%s", (_, value, message) => {
    expect(() => msgpack.serialize(value)).toThrow(message);
    expect(() => msgpack.serialize(value)).toThrow(
      /^MessagePack cannot keep this value: .*use your own serializer\.$/,
    );
  });

  test("parts that are shared too often are refused in time", () => {
    expect(() => msgpack.serialize(shared)).toThrow(/beyond the 1048576 objects and arrays/);
  });

  test("512 levels are kept", () => {
    expect(msgpack.deserialize(msgpack.serialize(nested(512)))).toEqual(nested(512));
  });
});

describe("[S6] stored data that is refused", () => {
  const hex = {
    nothing: "",
    "two values": "0102",
    "a cut map": "81a1",
    "a cut text": "a36162",
    "a large length": "c6ffffffff",
    "a large array": "dd7fffffff",
    "the byte that is never used": "c1",
    "a map with a number as its key": "810102",
    "a map with nil as its key": "81c0c0",
    "the key __proto__": "81a95f5f70726f746f5f5f01",
    undefined: "d40000",
    "-0": "cb8000000000000000",
    "a set of msgpackr": "d4730091",
    "a typed array of msgpackr": "c7027400aa",
    "an error of msgpackr": "c7006593a54572726f72a178c0",
    "a regular expression of msgpackr": "c7007892a161a0",
    "a record of msgpackr": "d4724091a16101",
    "a reference of msgpackr": "92d6690000000190d67000000001",
    "an integer of 9 bytes of msgpackr": "c70942010000000000000000",
    "an unknown extension": "d46301",
    "an invalid date": "d4ffff",
    "a text that is not UTF-8": "a1ff",
    "one beside the character that stands for it": "92a3efbfbda1ff",
    "a long text that is not UTF-8": `d928${"61".repeat(39)}ff`,
    "a key that is not UTF-8": "81a1ff01",
    "513 levels": `${"91".repeat(513)}00`,
    "100 000 levels": `${"91".repeat(100_000)}00`,
  };
  test.each(Object.entries(hex))("%s", async (_, bytes) => {
    const raw = {
      name: "msgpack",
      serialize: () => Buffer.from(bytes, "hex"),
      deserialize: (as: Uint8Array) => as,
    };
    const store = open("memory:");
    await store.state("x", { serializer: raw }).save(0);
    const state = store.state("x", { serializer: msgpack });
    await expect(state.update(() => 1)).rejects.toMatchObject({ code: "CORRUPT_STATE", id: "x" });
    expect(
      Buffer.from((await store.state<Uint8Array>("x", { serializer: raw }).load()) ?? []).toString("hex"),
    ).toBe(bytes);
  });

  test("but not the character U+FFFD, which stands for such bytes elsewhere", () => {
    const value = { "\ufffd": ["\ufffda\ufffd", new Uint8Array([0xff])] };
    expect(msgpack.deserialize(msgpack.serialize(value))).toEqual(value);
  });

  test("no bytes make it throw anything else, or return what it cannot save again", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        let value: unknown;
        try {
          value = msgpack.deserialize(bytes);
        } catch (error) {
          expect((error as { code?: string }).code).toBe("CORRUPT_STATE");
          return;
        }
        expect(isDeepStrictEqual(msgpack.deserialize(msgpack.serialize(value)), value)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});

test("[S3] no caller's bytes are another's", async () => {
  const state = open("memory:", { serializer: msgpack }).state<{ bytes: Uint8Array }>("x");
  await state.save({ bytes: Uint8Array.of(1, 2) });
  const [a, b] = [await state.load(), await state.load()];
  a?.bytes.fill(9);
  expect(b?.bytes).toEqual(Uint8Array.of(1, 2));
  expect(await state.update((draft) => void draft?.bytes.fill(3, 1))).toEqual({ bytes: Uint8Array.of(1, 3) });
});
