// JSON that never lies: what is kept exactly [S6]. What is refused: json-refusals.test.ts.
// What it reads: json-deserialize.test.ts; by properties: json-properties.test.ts.

import { Buffer } from "node:buffer";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";

import { json } from "../../../src/serializers/json.ts";
import { padded, read } from "./json-text.ts";

const textOf = (value: unknown): string => Buffer.from(json.serialize(value)).toString();

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

describe("serialize keeps", () => {
  test.each<[string, unknown]>([
    ["null", null],
    ["true", true],
    ["0", 0],
    ["1e+21", 1e21],
    ["5e-324", 5e-324],
    ['""', ""],
    ['"Zürich 😀 \\u0000 \\" \\\\ \\\\ud800"', 'Zürich 😀 \u0000 " \\ \\ud800'],
    ["[]", []],
    ['{"b":1,"a":[1,"x",null]}', { b: 1, a: [1, "x", null] }],
    ['{"constructor":1,"prototype":2,"toJSON":3}', { constructor: 1, prototype: 2, toJSON: 3 }],
    ['{"__proto__ ":1}', { "__proto__ ": 1 }],
  ])("%s", (text, value) => {
    expect(textOf(value)).toBe(text);
    expect(read(text)).toStrictEqual(value);
    expect(read(padded(text))).toStrictEqual(value);
  });

  test.each<[string, unknown, string]>([
    ["a property that is undefined", { a: 1, b: undefined }, '{"a":1}'],
    ["an undefined property, whatever its key", { a: 1, "\ud800": undefined }, '{"a":1}'],
    ["a property that is not enumerable", withProperty("b", { value: 2, enumerable: false }), '{"a":1}'],
    ["a getter that is not enumerable", withProperty("b", { get: called, enumerable: false }), '{"a":1}'],
  ])("all but %s", (_name, value, text) => {
    expect(textOf(value)).toBe(text);
  });

  test("objects without a prototype, and those of another realm", () => {
    expect(textOf({ __proto__: null, a: 1 })).toBe('{"a":1}');
    expect(textOf({ __proto__: null, rawJSON: "1" })).toBe('{"rawJSON":"1"}');
    const foreign: unknown = runInNewContext(`({ list: [1, { a: "b" }], bare: Object.create(null) })`);
    expect(textOf(foreign)).toBe('{"list":[1,{"a":"b"}],"bare":{}}');
  });

  test("512 levels of nesting", () => {
    const text = textOf(nested(512));
    expect(textOf(read(text))).toBe(text);
    expect(textOf(read(padded(text)))).toBe(text);
  });

  test("shared parts, as separate copies", () => {
    const part = { n: 1 };
    const copy = json.deserialize(json.serialize({ a: part, b: [part, part] })) as { a: object; b: object[] };
    expect(copy).toEqual({ a: { n: 1 }, b: [{ n: 1 }, { n: 1 }] });
    expect(new Set([copy.a, ...copy.b]).size).toBe(3);
  });

  test("more parts than the quick walk counts", () => {
    const leaves = Array.from({ length: 2100 }, () => []);
    const bytes = json.serialize(Array.from({ length: 2100 }, () => leaves));
    expect(bytes.length).toBe(2100 * (2100 * 3 + 2) + 1);
  });

  test("what a proxy shows", () => {
    expect(textOf(new Proxy({ a: new Proxy([1], {}) }, {}))).toBe('{"a":[1]}');
  });

  test("own properties only, when somebody has extended Object.prototype", () => {
    const prototype = Object.prototype as { extra?: unknown };
    prototype.extra = () => 1;
    try {
      expect(textOf({ a: [{}] })).toBe('{"a":[{}]}');
      expect(read('{"a":[{}]}')).toEqual({ a: [{}] });
    } finally {
      delete prototype.extra;
    }
  });

  test("bytes that are the caller's own", () => {
    const bytes = json.serialize({ a: 1 });
    const copy = bytes.slice(); // of a Buffer, this would be no copy
    bytes.fill(0);
    expect(Buffer.from(copy).toString()).toBe('{"a":1}');
    expect(json.serialize({ a: 1 })).toEqual(copy);
  });
});

test("its name is stored with every state", () => {
  expect(json.name).toBe("json");
  expect(json.name).toMatch(/^[A-Za-z0-9._-]{1,32}$/);
});
