// What JSON refuses to serialize, with a path and with advice [S6].

import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";

import { SerializationError } from "../../../src/errors.ts";
import { json } from "../../../src/serializers/json.ts";
import { errorOf } from "./json-text.ts";

const textOf = (value: unknown): string => Buffer.from(json.serialize(value)).toString();

function refusalOf(value: unknown): string {
  const error = errorOf(() => json.serialize(value));
  expect(error).toBeInstanceOf(SerializationError);
  expect(error).toMatchObject({ code: "SERIALIZATION", outcome: "none" });
  return error.message;
}

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

/** The property as it is, getters included, in a new object. */
const withProperty = (key: PropertyKey, property: PropertyDescriptor): object =>
  Object.defineProperty({ a: 1 }, key, { enumerable: true, ...property });

const called = (): never => {
  throw new Error("no code of the value's may run");
};

function argumentsOf(..._values: unknown[]): unknown {
  return arguments; // eslint-disable-line prefer-rest-params
}

const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => object };

class Invoice {
  total = 1;
}

const refused: [name: string, value: unknown, found: string, advice: string][] = [
  ["NaN", NaN, "is NaN", "Store null"],
  ["Infinity", Infinity, "is Infinity", "Store null"],
  ["-Infinity", -Infinity, "is -Infinity", "Store null"],
  ["-0", -0, "is -0", "Store 0"],
  ["a bigint", 1n, "is a bigint", "String(value)"],
  ["a function", () => 1, "is a function", "Store the data"],
  ["a symbol", Symbol("s"), "is a symbol", "Store a text"],
  ["half a character", "abc\ud83d", "has half a character (a lone surrogate) in its text", "toWellFormed()"],
  ["the other half", "\ude00", "has half a character (a lone surrogate) in its text", "toWellFormed()"],
  ["a Date", new Date(0), "is an instance of Date", "value.toISOString()"],
  ["an invalid Date", new Date(NaN), "is an instance of Date", "value.getTime()"],
  ["a Map", new Map([[1, 2]]), "is an instance of Map", "Object.fromEntries(map)"],
  ["a Set", new Set([1]), "is an instance of Set", "[...set]"],
  ["a WeakMap", new WeakMap(), "is an instance of WeakMap", "Keep it in the process"],
  ["a WeakSet", new WeakSet(), "is an instance of WeakSet", "Keep it in the process"],
  ["a WeakRef", new WeakRef({}), "is an instance of WeakRef", "Keep it in the process"],
  ["a RegExp", /x/g, "is an instance of RegExp", "source and flags"],
  ["an Error", new TypeError("x"), "is an instance of TypeError", "name and message"],
  ["a Promise", Promise.resolve(1), "is an instance of Promise", "Await it"],
  ["a typed array", new Float64Array(2), "is an instance of Float64Array", "Array.from(bytes)"],
  ["an ArrayBuffer", new ArrayBuffer(2), "is an instance of ArrayBuffer", "Array.from(bytes)"],
  ["a SharedArrayBuffer", new SharedArrayBuffer(2), "is an instance of SharedArrayBuffer", "Keep it"],
  ["a DataView", new DataView(new ArrayBuffer(2)), "is an instance of DataView", "Array.from(bytes)"],
  ["a Buffer", Buffer.from("x"), "is an instance of Buffer", "base64"],
  ["a boxed number", Object(1), "is an instance of Number", "value.valueOf()"],
  ["a boxed string", Object("x"), "is an instance of String", "value.valueOf()"],
  ["a boxed boolean", Object(false), "is an instance of Boolean", "value.valueOf()"],
  ["a boxed bigint", Object(1n), "is an instance of BigInt", "value.toString()"],
  ["a boxed symbol", Object(Symbol("s")), "is an instance of Symbol", "plain object"],
  ["a URL", new URL("https://example.com"), "is an instance of URL", "url.href"],
  ["a Date of another realm", runInNewContext("new Date(0)"), "is an instance of Date", "toISOString()"],
  ["a Map of another realm", runInNewContext("new Map()"), "is an instance of Map", "fromEntries(map)"],
  ["a class of another realm", runInNewContext("new (class A {})()"), "is an instance of A", "{ ...value }"],
  ["an instance of a class", new Invoice(), "is an instance of Invoice", "{ ...value }"],
  [
    "one of a nameless class",
    new (class {
      a = 1;
    })(),
    "is an object with a prototype of its own",
    "{ ...value }",
  ],
  [
    "one on top of another",
    Object.create({ a: 1 }),
    "is an object with a prototype of its own",
    "{ ...value }",
  ],
  ["one on top of a bare one", Object.create({ __proto__: null }), "is an object with a prototype", ""],
  [
    "an array of a class",
    new (class List extends Array {})(),
    "is an instance of List",
    "plain object or array",
  ],
  [
    "an array that is not one",
    Object.setPrototypeOf([], Object.prototype),
    "is an object with a prototype",
    "",
  ],
  [
    "one on top of its own",
    Object.create({ __proto__: null, constructor: Object }),
    "is an object with a",
    "",
  ],
  ["one that poses as the root", new (class Object { hasOwnProperty = 1; })(), "is an object with a prototype", ""], // prettier-ignore
  ["a method of the root's name", new (class Object { hasOwnProperty() {} })(), "is an object with a prototype", ""], // prettier-ignore
  [
    "one on top of another root",
    Object.create({ __proto__: null, hasOwnProperty: 1, constructor: Invoice }),
    "is an instance of Invoice",
    "",
  ],
  [
    "an array on top of an object",
    Object.setPrototypeOf([], {}),
    "is an object with a prototype of its own",
    "",
  ],
  ["what poses as an array", Object.create(Array.prototype), "is an instance of Array", ""],
  ["raw JSON", rawJson("12345678901234567890"), "is made by JSON.rawJSON", "Store its text"],
  ["a toJSON method", { toJSON: () => 1 }, "has a toJSON method", "what toJSON() returns"],
  [
    "a hidden toJSON method",
    withProperty("toJSON", { value: called, enumerable: false }),
    "has a toJSON",
    "",
  ],
  ["an array's toJSON method", Object.assign([1], { toJSON: called }), "has a toJSON method", ""],
];

describe("serialize refuses", () => {
  test.each(refused)("%s", (_name, value, found, advice) => {
    const places: [string, unknown][] = [
      ["$", value],
      ["$.items[3].price", { items: [0, "1", [2], { ok: 1, price: value }] }],
      ["$[1]", [{}, value]],
    ];
    for (const [path, whole] of places) {
      const message = refusalOf(whole);
      expect(message.indexOf(`JSON cannot keep this value: ${path} ${found}`)).toBe(0);
      expect(message).toContain(advice);
      expect(message).toContain(", or use your own serializer.");
    }
  });

  const cyclic: { list: unknown[] } = { list: [1] };
  cyclic.list.push({ top: cyclic });

  test.each<[name: string, value: unknown, sentence: string]>([
    ["undefined", undefined, "$ is undefined. Store null, or delete the state"],
    ["undefined in an array", { a: [1, undefined] }, "$.a[1] is undefined, inside an array. Store null"],
    // eslint-disable-next-line no-sparse-arrays
    ["a hole", { a: [1, , 3] }, "$.a[1] is a hole in a sparse array. Store null there"],
    ["nothing but holes", new Array(4_000_000_000), "$[0] is a hole in a sparse array"],
    ["a match", [/b/.exec("abc")], "$[0].index is a named property of an array. Store an object"],
    [
      "a numeral that is no index",
      Object.assign([1, 2, 3], { "01": 2 }),
      '$["01"] is a named property of an array',
    ],
    [
      "a number that is no index",
      Object.assign([1], { "4294967295": 2 }),
      '$["4294967295"] is a named property',
    ],
    ["a hole and a name", Object.assign(new Array(1), { a: 2 }), "$[0] is a hole in a sparse array"],
    ["a symbol key", { a: { [Symbol("s")]: 1 } }, "$.a[Symbol(s)] has a symbol for a key. Use a text"],
    ["a symbol key of an array", Object.assign([1], { [Symbol("s")]: 1 }), "$[Symbol(s)] has a symbol"],
    ["Math", { Math }, "$.Math[Symbol(Symbol.toStringTag)] has a symbol for a key"],
    ["arguments", argumentsOf(1), "$[Symbol(Symbol.iterator)] has a symbol for a key"],
    ["a getter", withProperty("price", { get: called }), "$.price is a getter or setter. Store its present"],
    ["a setter", withProperty("price", { set: called }), "$.price is a getter or setter"],
    ["a getter of undefined", withProperty("price", { get: () => undefined }), "$.price is a getter"],
    [
      "an own __proto__",
      { a: JSON.parse('{"__proto__":1}') as unknown },
      '$.a.__proto__ has the key "__proto__"',
    ],
    ["half a character in a key", { "\ud83d": 1 }, '$["\\ud83d"] has half a character (a lone surrogate) in'],
    ["a cycle", cyclic, "$.list[1].top refers back to $, in a cycle. Store an id"],
    ["a cycle further down", { a: [cyclic] }, "$.a[0].list[1].top refers back to $.a[0], in a cycle"],
    ["level 513", nested(513), "is nested more than 512 levels deep. Store a flat list"],
    ["level 1 000 000", nested(1_000_000), "is nested more than 512 levels deep"],
    ["not what is left out", { a: undefined, "\ud800": undefined, b: NaN }, "$.b is NaN"],
    ["the first trouble of many", { a: [1], b: 1n, c: NaN }, "$.b is a bigint"],
  ])("%s", (_name, value, sentence) => {
    expect(refusalOf(value)).toContain(sentence);
  });

  test("what becomes too deep only at its second place", () => {
    const part = nested(300);
    let value = part;
    for (let level = 0; level < 213; level += 1) value = [value];
    expect(textOf([part, [part]])).toBeTypeOf("string");
    expect(refusalOf([part, value])).toContain("is nested more than 512 levels deep");
  });

  test("soon, what has more places than could ever be walked", () => {
    let value: unknown = {};
    for (let level = 0; level < 60; level += 1) value = { left: value, right: value };
    expect(refusalOf([{ left: {}, value }, NaN])).toContain(
      " is too large: a shared part is written at each of",
    );
    expect(refusalOf([NaN, value])).toContain("$[0] is NaN");
  });

  test("what Object.prototype and Array.prototype would write instead", () => {
    for (const [prototype, value] of [
      [Object.prototype, {}],
      [Array.prototype, []],
    ] as const) {
      Object.defineProperty(prototype, "toJSON", { value: () => "lie", configurable: true });
      try {
        expect(refusalOf({ a: value })).toContain("has a toJSON method");
      } finally {
        delete (prototype as { toJSON?: unknown }).toJSON;
      }
    }
  });

  test("a value whose own code throws, with that as the cause", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const failure = new Error("trap");
    const trapped = new Proxy({}, { getPrototypeOf: () => { throw failure; } }); // prettier-ignore
    expect(refusalOf({ proxy })).toContain("JSON cannot keep this value: Cannot perform");
    expect(errorOf(() => json.serialize([trapped]))).toMatchObject({ code: "SERIALIZATION", cause: failure });
  });

  test("with a path that can be read", () => {
    expect(refusalOf({ "a b": { größe: { "1": NaN } } })).toContain('$["a b"].größe["1"] is NaN');
    expect(refusalOf({ ['"\n']: NaN })).toContain('$["\\"\\n"] is NaN');
    expect(refusalOf({ ["k".repeat(1000)]: NaN })).toContain(`$["${"k".repeat(39)}…"] is NaN`);
    expect(refusalOf(nested(600))).toContain("$.a[0].a[0].a[0] … .a[0].a[0].a[0] is nested");
    expect(refusalOf({ ["k".repeat(39) + "\u{1f600}"]: NaN })).toContain(`$["${"k".repeat(39)}…"] is NaN`);
  });
});
