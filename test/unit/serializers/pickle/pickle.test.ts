// The pickle serializer: what it keeps, what it refuses to write, and its options.

import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";

import { InvalidArgumentError, SerializationError } from "../../../../src/errors.ts";
import {
  createPickle,
  pickle,
  PyByteArray,
  PyDateTime,
  PyFloat,
  PyFrozenSet,
  PyTuple,
} from "../../../../src/pickle.ts";
import { assemble, op, text } from "./assembler.ts";

const roundTrip = (value: unknown, serializer = pickle): unknown =>
  serializer.deserialize(serializer.serialize(value));
const tuple = (...items: unknown[]): PyTuple => new PyTuple(items);
const hex = (value: unknown): string => Buffer.from(pickle.serialize(value)).toString("hex");

function refusal(value: unknown, serializer = pickle): string {
  try {
    serializer.serialize(value);
  } catch (error) {
    if (error instanceof SerializationError) return error.message;
    throw error;
  }
  throw new Error("it was written");
}

test("has a name, and shares no bytes", () => {
  expect(pickle.name).toBe("pickle");
  expect(pickle.isolated).toBe(true);
  expect({ ...pickle }.isolated).toBeUndefined();
  expect(createPickle({ floats: "numbers" }).name).toBe("pickle");
  const bytes = pickle.serialize(new Uint8Array([1, 2, 3]));
  const value = pickle.deserialize(bytes) as Uint8Array;
  bytes.fill(0);
  expect([...value]).toEqual([1, 2, 3]);
});

test("writes protocol 4, in one frame unless it is tiny", () => {
  expect(hex(null)).toBe("80044e2e");
  expect(hex([1, "a"])).toBe("80049509000000000000005d284b018c0161652e");
});

describe("comes back as something else than it was", () => {
  class Buffers extends Uint8Array {}
  test.each<readonly [what: string, value: unknown, result: unknown]>([
    ["a bigint that is a safe integer", 7n, 7],
    ["a PyFloat that is not integral", new PyFloat(0.5), 0.5],
    ["a Buffer", Buffer.from([1]), new Uint8Array([1])],
    ["a Date", new Date(5), PyDateTime.fromDate(new Date(5))],
    ["an object without a prototype", { __proto__: null, a: 1 }, { a: 1 }],
    ["an object of another realm", runInNewContext("({ a: [1] })"), { a: [1] }],
    ["a property that is undefined", { a: undefined, b: 1 }, { b: 1 }],
  ])("%s", (_, value, result) => {
    expect(isDeepStrictEqual(roundTrip(value), result)).toBe(true);
    expect(refusal(new Buffers(1))).toContain("is an instance of Buffers");
  });
});

describe("[S6] keeps", () => {
  const proto: unknown = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2, "toString": 3}');
  test.each<readonly [what: string, value: unknown]>([
    ["numbers", [0, -0, 255, 256, -1, 65_536, 2 ** 31, 2 ** 53 - 1, 0.1, 5e-324, NaN, -Infinity]],
    [
      "bigints",
      [2n ** 53n, -(2n ** 53n), 2n ** 2039n - 1n, 2n ** 2040n, -(2n ** 2047n), -(2n ** 2048n) - 1n],
    ],
    ["integral floats", [0, 1, -1, 2 ** 53, 1e308].map((value) => new PyFloat(value))],
    ["text", ["", "\0", "é€😀", "\ud800", "\udc00\ud800", "a\udfffb😀", "x".repeat(70_000), "\ufeff"]],
    ["names of all objects", proto],
    ["bytes", [new Uint8Array(0), new Uint8Array(300), new PyByteArray(new Uint8Array([1]))]],
    ["-0 and NaN in keys", new Map<unknown, unknown>([[new PyFloat(-0), 1], [NaN, 2], [new PyFloat(NaN), 3]])], // prettier-ignore
    ["members", new Set<unknown>([1, "1", null, 2n ** 64n, tuple(1, "x"), new PyFrozenSet([tuple()])])],
    ["a list of thousands", Array.from({ length: 3001 }, (_, index) => index)],
    ["an object with thousands of keys", Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`k${String(i)}`, i]))], // prettier-ignore
  ])("%s", (_, value) => {
    const copy = roundTrip(value);
    expect(isDeepStrictEqual(copy, value)).toBe(true);
    expect(hex(copy)).toBe(hex(value));
  });

  test("no prototype is touched", () => {
    const copy = roundTrip(proto) as object;
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(Object.keys(copy)).toEqual(["__proto__", "constructor", "toString"]);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test("which objects are the same, and which are not", () => {
    const [bytes, date, list] = [new Uint8Array([1]), PyDateTime.fromDate(new Date(1)), [tuple(1)]];
    const value = [bytes, bytes, new Uint8Array([1]), date, date, list, [list[0]], [list, list]];
    const copy = roundTrip(value) as typeof value;
    const same = (all: readonly unknown[]): unknown => all.map((item) => all.indexOf(item));
    expect(same(copy)).toEqual(same(value));
    expect((copy[6] as unknown[])[0]).toBe((copy[5] as unknown[])[0]);
    expect((copy[7] as unknown[]).every((item) => item === copy[5])).toBe(true);
  });

  test("cycles through tuples, in linear size", () => {
    // As CPython would write it, each list would repeat the tuple: a hundred million instructions.
    const lists = Array.from({ length: 10_000 }, (): unknown[] => []);
    const value = tuple(...lists, tuple(lists[0], new Map([[1, lists[1]]])));
    for (const list of lists) list.push(value, lists);
    const bytes = pickle.serialize(value);
    expect(bytes.length).toBeLessThan(400_000);
    const copy = pickle.deserialize(bytes) as PyTuple;
    expect(copy.items.slice(0, 10_000).every((list) => (list as unknown[])[0] === copy)).toBe(true);
    expect(Buffer.compare(pickle.serialize(copy), bytes)).toBe(0);
  });
});

describe("[S5] refuses to write", () => {
  class Point {
    readonly x = 1;
  }
  const hidden = new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => { throw new Error("no"); } }); // prettier-ignore
  test.each<readonly [what: string, value: unknown, message: string]>([
    ["undefined", undefined, "$ is undefined. Store null, or delete the state."],
    ["undefined in a list", { a: [1, undefined] }, "$.a[1] is undefined, inside an array. Store null"],
    ["undefined in a Map", { a: new Map([[1, undefined]]) }, "$.a.get(1) is undefined"],
    ["a function", [[() => 1]], "$[0][0] is a function. Store the data that it works on."],
    ["a symbol", new Set([Symbol("x")]), "$ member 0 is a symbol"],
    ["a symbol for a key", { a: { [Symbol("x")]: 1 } }, "$.a[Symbol(x)] has a symbol for a key"],
    ["an instance of a class", { p: new Point() }, "$.p is an instance of Point. Store a plain object"],
    ["an object with a prototype", Object.create({ a: 1 }), "$ is an object with a prototype of its own"],
    ["a subclass of Map", new (class Own extends Map {})(), "$ is an instance of Own"],
    ["a subclass of an array", new (class List extends Array {})(), "$ is an instance of List"],
    [
      "other binary data",
      tuple(new Float64Array(1)),
      "$.items[0] is an instance of Float64Array. Store its bytes",
    ],
    [
      "an ArrayBuffer",
      new ArrayBuffer(1),
      "$ is an instance of ArrayBuffer. Store its bytes as a Uint8Array.",
    ],
    ["an error", new Error("x"), "$ is an instance of Error"],
    ["a getter", { get x() { throw new Error("it ran"); } }, "$.x is a getter or setter"], // prettier-ignore
    ["a hole", [1, , 3], "$[1] is a hole in a sparse array"], // eslint-disable-line no-sparse-arrays -- it is the point
    [
      "a named property of an array",
      Object.assign([1], { x: 1 }),
      "$ has named properties besides its items",
    ],
    ["an invalid date", [new Date(NaN)], "$[0] is an invalid Date. Store null."],
    ["a date in the year 10000", new Date(8.64e15), "$ is a Date in the year 275760"],
    [
      "an integer beyond 2^53",
      { n: 2 ** 53 },
      "$.n is 9007199254740992, an integer beyond 2^53. Store BigInt(value)",
    ],
    [
      "a Map with text for keys",
      { m: new Map([["a", 1]]) },
      "$.m is a Map with only text for keys, which would come",
    ],
    [
      "an empty Map",
      new Map(),
      "$ is an empty Map, which would come back as an object. Store an object, or use createP",
    ],
    ["a list for a key", new Map([[[1], 2]]), "$ has a key that Python cannot hash, an array. Use a PyTuple"],
    ["an object in a set", [new Set([{}])], "$[0] has a member that Python cannot hash, an object"],
    [
      "a list in a tuple in a set",
      new Set([tuple([1])]),
      "$ has a member that Python cannot hash, a PyTuple",
    ],
    ["a set in a frozen set", new PyFrozenSet([new Set()]), "$ has a member that Python cannot hash, a Set"],
    ["a byte array for a key", new Map([[new PyByteArray(new Uint8Array(1)), 1]]), "hash, a PyByteArray"],
    ["what throws", hidden, "Pickle cannot keep this value: no."],
  ])("%s", (_, value, message) => {
    expect(refusal(value)).toContain(message);
  });

  test("what is beyond a limit", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(refusal(nested(1001))).toMatch(/ is nested more than 1000 levels deep \(maxDepth\)/);
    expect(roundTrip(nested(1000))).toEqual(nested(1000));
    expect(refusal([[], []], createPickle({ maxContainers: 2 }))).toContain(
      "$[1] is one of more than 2 objects",
    );
    expect(refusal([1, 2, 3], createPickle({ maxItems: 3 }))).toContain("$[2] is one of more than 3 values");
    const dates = [new Date(1), new Date(2)];
    expect(refusal(dates, createPickle({ maxContainers: 8 }))).toContain("(maxContainers)");
    expect(refusal(["long text", "long text"], createPickle({ maxItems: 5 }))).toContain("(maxItems)");
    const [a, b] = [[], []];
    expect(refusal([a, a, b, b], createPickle({ maxMemo: 1 }))).toContain("(maxMemo)");
  });

  test("an endless proxy, and one that changes", () => {
    const endless: object = new Proxy([], { get: (_, key) => (key === "length" ? 1e9 : endless) });
    expect(refusal(endless)).toContain("Pickle cannot keep this value");
    let reads = 0;
    const target = { a: 1 };
    const changing = new Proxy(target, {
      getOwnPropertyDescriptor: (_, key) => {
        reads += 1;
        return { ...Reflect.getOwnPropertyDescriptor(target, key)!, value: reads };
      },
    });
    expect(roundTrip([changing, changing])).toEqual([{ a: reads }, { a: reads }]);
  });
});

describe("options", () => {
  test('floats: "numbers"', () => {
    const lenient = createPickle({ floats: "numbers" });
    expect(lenient.deserialize(pickle.serialize([new PyFloat(1), new PyFloat(2 ** 60)]))).toEqual([
      1,
      2 ** 60,
    ]);
    expect(roundTrip(2 ** 60, lenient)).toBe(2 ** 60); // as a float, so that no digit is made up
    expect(pickle.deserialize(lenient.serialize(2 ** 60))).toEqual(new PyFloat(2 ** 60));
    expect(pickle.deserialize(lenient.serialize(1))).toBe(1);
  });

  test('dicts: "maps"', () => {
    const maps = createPickle({ dicts: "maps" });
    const value = new Map<string, unknown>([["b", new Map()], ["1", 1], ["a", 2]]); // prettier-ignore
    expect(isDeepStrictEqual(roundTrip(value, maps), value)).toBe(true);
    expect([...(roundTrip(value, maps) as Map<string, unknown>).keys()]).toEqual(["b", "1", "a"]);
    expect(Object.keys(pickle.deserialize(maps.serialize(value)) as object)).toEqual(["1", "b", "a"]);
    expect(roundTrip({ a: {} }, maps)).toEqual(new Map([["a", new Map()]]));
  });

  test.each<readonly [options: unknown, message: string]>([
    [{ float: "exact" }, 'createPickle has no option "float"; it takes: floats, dicts, maxDepth'],
    [{ floats: "int" }, 'floats must be "exact" or "numbers"; got "int".'],
    [{ dicts: true }, 'dicts must be "objects" or "maps"; got true.'],
    [{ maxDepth: 0 }, "maxDepth must be a whole number from 1 to 1000000; got 0."],
    [{ maxItems: 1.5 }, "maxItems must be a whole number"],
    [{ maxContainers: 17_000_000 }, "maxContainers must be a whole number from 1 to 16000000"],
    [{ maxMemo: "1" }, 'maxMemo must be a whole number from 1 to 1000000000; got "1".'],
    [5, "createPickle takes an options object; got 5."],
  ])("%o is refused", (options, message) => {
    expect(() => createPickle(options as never)).toThrow(InvalidArgumentError);
    expect(() => createPickle(options as never)).toThrow(message);
  });
});

test("a float key that JavaScript would change is not changed by floats: numbers alone", () => {
  const dict = assemble(op.EMPTY_DICT, op.BINFLOAT, "\x80\0\0\0\0\0\0\0", text("x"), op.SETITEM, op.STOP);
  expect(pickle.deserialize(dict)).toEqual(new Map([[new PyFloat(-0), "x"]]));
});

test("MEMOIZE counts what is in the memo, as CPython does", () => {
  const program = assemble(
    op.NONE,
    op.BINPUT,
    9,
    op.POP,
    op.NEWTRUE,
    op.MEMOIZE,
    op.POP,
    op.BINGET,
    1,
    op.STOP,
  );
  expect(pickle.deserialize(program)).toBe(true);
});
