// What the JSON serializer reads, and what it refuses to read.

import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";

import { CorruptStateError } from "../../../src/errors.ts";
import { json } from "../../../src/serializers/json.ts";
import { errorOf, padded, read } from "./json-text.ts";

function corruptionOf(bytes: Uint8Array): string {
  const error = errorOf(() => json.deserialize(bytes));
  expect(error).toBeInstanceOf(CorruptStateError);
  expect(error).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
  return error.message;
}

describe("deserialize", () => {
  test.each<[name: string, text: string, value: unknown]>([
    ["white space and order", ' {\t"b" : [ 1 , 2 ] ,\r\n"a":null } ', { b: [1, 2], a: null }],
    ["escapes", '"\\u0041\\/\\ud83d\\ude00\\u0000"', "A/😀\u0000"],
    ["other spellings of numbers", "[1e3,1E-2,10.50,1e0000000001,0e999]", [1000, 0.01, 10.5, 10, 0]],
    ["small and large numbers", "[-0.5,-0.0001,-1e-300,1e300]", [-0.5, -0.0001, -1e-300, 1e300]],
    ["more digits than a double holds", "[9007199254740993,1e-999]", [9007199254740992, 0]],
    ["a key twice: the last one", '{"a":-0,"a":2}', { a: 2 }],
    [
      "strings that look like trouble",
      '["-0","1e999","__proto__","[[{{"]',
      ["-0", "1e999", "__proto__", "[[{{"],
    ],
    ["a backslash before ud800", '["\\\\ud800","\\\\u005f"]', ["\\ud800", "\\u005f"]],
    ["digits in a string", `["${"7".repeat(500)}"]`, ["7".repeat(500)]],
    ["harmless keys", '{"constructor":{"prototype":{"x":1}}}', { constructor: { prototype: { x: 1 } } }],
    ["many brackets, not deep", `[${"[],".repeat(600)}{}]`, [...Array.from({ length: 600 }, () => []), {}]],
  ])("reads what others write: %s", (_name, text, value) => {
    for (const copy of [read(text), read(padded(text)), json.deserialize(json.serialize(value))]) {
      expect(isDeepStrictEqual(copy, value)).toBe(true);
    }
  });

  test.each<[name: string, text: string, found: string]>([
    ["-0", "-0", "$ is -0"],
    ["-0 in an array", "[1,-0]", "$[1] is -0"],
    ["-0 in an object", '{"a":-0}', "$.a is -0"],
    ["-0 after a space", '{"a": -0.00}', "$.a is -0"],
    ["-0e5", "[-0e5]", "$[0] is -0"],
    ["-1e-999, which is -0", "[-1e-999]", "$[0] is -0"],
    ["a fraction that is -0", `[-0.${"0".repeat(400)}1]`, "$[0] is -0"],
    ["1e999", "1e999", "$ is Infinity"],
    ["-1E+0999", "[-1E+0999]", "$[0] is -Infinity"],
    ["309 digits", `[${"9".repeat(309)}]`, "$[0] is Infinity"],
    ["400 digits and a fraction", `[${"9".repeat(400)}.5]`, "$[0] is Infinity"],
    ["220 digits and an exponent", `[${"9".repeat(220)}e99]`, "$[0] is Infinity"],
    ["half a character", '["\\ud800"]', "$[0] has half a character"],
    ["the other half", '["a\\uDFFFb"]', "$[0] has half a character"],
    ["half a character in a key", '{"\\uD83d":1}', '$["\\ud83d"] has half a character'],
    ["__proto__", '{"a":{"__proto__":{"polluted":1}}}', '$.a.__proto__ has the key "__proto__"'],
    ["__proto__ in escapes", '[{"\\u005f_pro\\u0074o__":{"polluted":1}}]', "$[0].__proto__ has the key"],
    ["513 arrays", "[".repeat(513) + "]".repeat(513), "is nested more than 512 levels deep"],
    ["513 objects", '{"a":'.repeat(513) + "{}" + "}".repeat(513), "is nested more than 512 levels deep"],
    ["600 of both", '[{"a":'.repeat(300) + "0" + "}]".repeat(300), "is nested more than 512 levels deep"],
    [
      "brackets in strings",
      `["${"]".repeat(999)}",${"[".repeat(512)}${"]".repeat(513)}`,
      "more than 512 levels",
    ],
    ["a million", "[".repeat(1_000_000) + "]".repeat(1_000_000), "is nested more than 512 levels deep"],
  ])("[S6] refuses what could not be saved again: %s", (_name, text, found) => {
    for (const form of [text, padded(text)]) {
      const message = corruptionOf(Buffer.from(form));
      expect(message).toContain("The stored JSON was not written by this serializer");
      expect(message).toContain(found);
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test.each<[name: string, text: string]>([
    ["nothing", ""],
    ["a space", " "],
    ["undefined", "undefined"],
    ["NaN", "NaN"],
    ["a truncated object", '{"a":1'],
    ["something behind it", '{"a":1}}'],
    ["a trailing comma", "[1,]"],
    ["single quotes", "'a'"],
    ["a bare newline in a string", '"\n"'],
    ["a leading zero", "01"],
    ["an envelope", "hf1 7 json\n{}"],
    ["a million open brackets", "[".repeat(1_000_000)],
    ["a byte order mark", "\ufeff1"],
  ])("[S6] refuses what is not JSON: %s", (_name, text) => {
    expect(corruptionOf(Buffer.from(text))).toBe(
      "the stored data is not valid JSON: it is damaged, or Holdfast did not write it",
    );
  });

  test.each([
    ["a byte of Latin-1", [0x22, 0xe4, 0x22]],
    ["a cut character", [0x22, 0xf0, 0x9f, 0x98, 0x22]],
    ["an overlong character", [0x22, 0xc0, 0xaf, 0x22]],
    ["a surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["UTF-16", [0xff, 0xfe, 0x31, 0x00]],
  ])("[S6] refuses what is not UTF-8: %s", (_name, bytes) => {
    expect(corruptionOf(Uint8Array.from(bytes))).toContain("the stored data is not valid UTF-8");
  });

  // After a key with a backslash, V8 from 13 on takes some keys with escapes for it: json-reader.ts.
  test.each([
    ["a newline", '{"h":[],"\\\\":0}', '{"h":1,"\\n":2}', ["h", "\n"]],
    ["a quote", '{"i":[],"\\\\":0}', '{"i":1,"\\"":2}', ["i", '"']],
    ["a tab within", '{"j":0,"a\\\\":0}', '{"j":1,"a\\t":2}', ["j", "a\t"]],
    ["code points", '{"k":0,"\\\\u":0}', '{"k":1,"\\u0041\\u0042":2}', ["k", "AB"]],
    ["__proto__", '{"l":0,"\\\\u005f_pr":0}', '{"l":1,"\\u005f_proto__":2}', undefined],
  ])("reads the key that is there: %s", (_name, earlier, text, keys) => {
    for (let round = 0; round < 3; round += 1) {
      JSON.parse(earlier);
      if (keys === undefined) expect(corruptionOf(Buffer.from(text))).toContain('the key "__proto__"');
      else expect(Object.keys(read(text) as object)).toEqual(keys);
    }
  });

  test("quotes nothing of what it could not read", () => {
    expect(corruptionOf(Buffer.from("password=hunter2"))).not.toContain("hunter2");
  });

  test("reads the middle of a larger buffer, and gives a fresh value each time", () => {
    const bytes = Uint8Array.from(Buffer.from('xx{"a":[1]}xx')).subarray(2, -2);
    const first = json.deserialize(bytes);
    expect(first).toEqual({ a: [1] });
    expect(json.deserialize(bytes)).not.toBe(first);
  });
});
