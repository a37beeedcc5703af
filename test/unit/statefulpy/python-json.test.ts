// Python's JSON: what is read, what is written back as the same, and what is refused.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { pythonJson } from "../../../src/statefulpy/python-json.ts";

const json = pythonJson();
const read = (text: string, of = json): unknown => of.deserialize(Buffer.from(text));
const write = (value: unknown): string => Buffer.from(json.serialize(value)).toString();
const code = (name: string): unknown => expect.objectContaining({ code: name });

describe("what json.dumps writes is read, and written back byte for byte", () => {
  test.each([
    '{"a": 1, "b": [true, false, null], "c": {}, "d": []}',
    "[9007199254740991, 9007199254740992, -9007199254740993, 123456789012345678901234567890]",
    "[1.5, 0.1, 1e+300, 5e-324, -0.0]",
    String.raw`"\u00e9\ud83d\ude00\u0000\n\"\\\u007f"`,
    String.raw`{"\u00e9": "\ud800"}`,
    String.raw`[{"a": 1, "\\": 2}, {"a": 1, "\n": 2}]`,
    '""',
  ])("%s", (text) => {
    expect(write(read(text))).toBe(text);
  });
});

test("floats that Python writes with an exponent come back as floats, never as ints", () => {
  for (const text of ["1e+16", "1.5e+17", "1e22", "9007199254740992.0"])
    expect(write(read(text))).toMatch(/[.e]/);
  expect(read("1e+16")).toBe(1e16);
});

test("ints are numbers while they are exact, and bigints beyond", () => {
  expect(read("[9007199254740991, 9007199254740993, -0, 0]")).toEqual([
    9007199254740991,
    9007199254740993n,
    0,
    0,
  ]);
});

test("NaN and Infinity are read with allowNaN only; the error names the option; they are never written", () => {
  const text = '{"a": [NaN, Infinity, -Infinity, 1e999]}';
  expect(read(text, pythonJson({ allowNaN: true }))).toEqual({ a: [NaN, Infinity, -Infinity, Infinity] });
  for (const one of [text, "NaN", "-Infinity", "[1e999]"]) {
    expect(() => read(one)).toThrow(code("CORRUPT_STATE"));
    expect(() => read(one)).toThrow("allowNaN: true");
  }
  for (const value of [NaN, -Infinity]) expect(() => write({ a: value })).toThrow(code("SERIALIZATION"));
});

test.each([
  "",
  " ",
  "{",
  "[1,]",
  "[1 2]",
  '{"a" 1}',
  "{1: 2}",
  "nul",
  "'a'",
  "01",
  "+1",
  "1.",
  ".5",
  "1e",
  '"\n"',
  '"\\x"',
  "[1]x",
  "\ufeff{}",
  '{"__proto__": 1}',
  '{"\\u005f_proto__": 1}',
  "-",
  "--1",
  "-NaN",
  '"',
  '"\\"',
  '["\\',
  "1".repeat(4_400),
  "[".repeat(513) + "]".repeat(513),
  "-0x",
  "[-0.0,]",
])("%j is refused", (text) => {
  for (const reader of [json, pythonJson({ allowNaN: true })])
    expect(() => read(text, reader)).toThrow(code("CORRUPT_STATE"));
});

test("bytes that are not UTF-8 are refused", () => {
  for (const bytes of [[0xff], [0x22, 0xc3, 0x22], [0x80, 0x04, 0x4e, 0x2e]])
    expect(() => json.deserialize(Uint8Array.from(bytes))).toThrow(code("CORRUPT_STATE"));
});

test("deep, but not too deep; long, in linear time", () => {
  const deep = "[".repeat(512) + "]".repeat(512);
  expect(write(read(deep))).toBe(deep);
  const long = JSON.stringify({
    text: "\\".repeat(3_000_000),
    list: Array.from({ length: 100_000 }, () => 2 ** 60),
  });
  const began = performance.now();
  expect((read(long) as { list: unknown[] }).list).toHaveLength(100_000);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test("ints of as many digits as Python has are kept, and longer ones are not written", () => {
  for (const int of [10n ** 4_300n - 1n, 1n - 10n ** 4_300n]) expect(read(write(int))).toBe(int);
  for (const int of [10n ** 4_300n, -(10n ** 4_300n)])
    expect(() => write({ int })).toThrow("$.int is a number of more than 4300 digits");
});

test("a value whose shared parts would make it endless is refused, with its reason", () => {
  let value: unknown = ["part"];
  for (let level = 0; level < 40; level += 1) value = [value, value];
  expect(() => write(value)).toThrow(/more than 1000000 lists and objects, a shared one counted at each/);
});

test.each([
  ["undefined in a list", [undefined]],
  ["a Date", { a: new Date() }],
  ["a Map", new Map()],
  ["a function", { f: () => 1 }],
  ["a symbol", Symbol("s")],
  ["a symbol as key", { [Symbol("s")]: 1 }],
  ["a key that no object can have", JSON.parse('{"__proto__": 1}') as unknown],
  [
    "a circle",
    (() => {
      const circle: unknown[] = [];
      circle.push(circle);
      return circle;
    })(),
  ],
])("%s is not written", (_, value) => {
  expect(() => write(value)).toThrow(code("SERIALIZATION"));
});

test("any plain value is read as it was written, and JSON.parse agrees", () => {
  const value = fc
    .jsonValue({ maxDepth: 3, stringUnit: "binary" })
    .filter((v) => !JSON.stringify(v).includes("__proto__"));
  fc.assert(
    fc.property(value, (plain) => {
      expect(read(write(plain))).toEqual(plain);
      expect(JSON.parse(write(plain))).toEqual(plain);
    }),
    { numRuns: 60 },
  );
});

test("any text is read as JSON.parse reads it, or refused by both", () => {
  const parts = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"\\n"',
    "1",
    "-0",
    "1.5",
    "e5",
    " ",
    "null",
    "true",
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (texts) => {
      const text = texts.join("");
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        expect(() => read(text)).toThrow(code("CORRUPT_STATE"));
        return;
      }
      expect(JSON.stringify(read(text))).toBe(JSON.stringify(expected)); // which shows no -0
    }),
    { numRuns: 1_000 },
  );
});
