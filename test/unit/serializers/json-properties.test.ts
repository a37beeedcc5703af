// The JSON serializer, by properties: whatever it is given, it keeps exactly or refuses. PROPERTY_RUNS=20000 tries longer.

import fc from "fast-check";
import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";

import { CorruptStateError, SerializationError } from "../../../src/errors.ts";
import { parseByHand } from "../../../src/serializers/json-reader.ts";
import { json } from "../../../src/serializers/json.ts";
import { everyKind } from "../../support/every-kind.ts";

const read = (text: string): unknown => json.deserialize(Buffer.from(text));

/** The same JSON, but so long that its text is searched instead of its value walked. */
const padded = (text: string): string => `${" ".repeat(3000)}${text}${"\n".repeat(3000)}`;

const called = (): never => {
  throw new Error("no code of the value's may run");
};

const numRuns = Number(process.env["PROPERTY_RUNS"] ?? 2000);

/** What comes back: the same, without properties that are undefined, and with ordinary prototypes. */
function expected(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== "object" || value === null) return value;
  const plain = Object.getPrototypeOf(value) === null ? { ...value } : value;
  const kept = Object.entries(plain).filter(([, item]) => item !== undefined);
  if (Object.getPrototypeOf(plain) !== Object.prototype) return plain; // never equal to anything that JSON gives
  return Object.fromEntries(kept.map(([key, item]) => [key, expected(item)]));
}

function expectRoundTrip(value: unknown): void {
  const bytes = json.serialize(value);
  const copy = json.deserialize(bytes);
  expect(isDeepStrictEqual(copy, expected(value))).toBe(true);
  expect(Buffer.compare(json.serialize(copy), bytes)).toBe(0);
  expect(isDeepStrictEqual(parseByHand(Buffer.from(bytes).toString()), copy)).toBe(true);
}

/** Whether it did: every failure must be an error of this kind. */
function succeeds(run: () => void, kind: typeof SerializationError | typeof CorruptStateError): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof kind) return false;
    throw error;
  }
}

const sequence = (...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(""));
const piecesOf = (...texts: string[]): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...texts), { maxLength: 5 }).map((pieces) => pieces.join(""));

const text = fc.oneof(
  fc.string({ unit: "binary" }), // whole characters only
  piecesOf("\ud83d", "\ude00", "\\", "u", "d800", "\n", "ä", "a", "\\ud83d"),
);
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "prototype", "toJSON", "0", "a"));
const odd = fc.constantFrom<unknown>(-0, NaN, 1n, undefined, Symbol("s"), called, /x/, new Error("x"));
const fine = fc.oneof(fc.integer(), fc.double({ noNaN: true }), text, fc.boolean(), fc.constant(null));

const wild = fc.anything({
  key,
  values: [fine, odd],
  ...everyKind,
});

/** Mostly in order, so that much is accepted, but for an odd thing now and then. */
const tame = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    { weight: 30, arbitrary: fine },
    { weight: 1, arbitrary: odd },
    { weight: 12, arbitrary: fc.array(tie("value"), { maxLength: 5 }) },
    { weight: 12, arbitrary: fc.dictionary(key, tie("value"), { maxKeys: 5 }) },
  ),
})).value;

test("a value comes back equal, and as the same bytes, or is refused", () => {
  let kept = 0;
  const property = fc.property(fc.oneof(wild, tame), (value) => {
    if (!succeeds(() => json.serialize(value), SerializationError)) return;
    kept += 1;
    expectRoundTrip(value);
  });
  fc.assert(property, { numRuns });
  expect(kept).toBeGreaterThan(numRuns / 10);
  expect(kept).toBeLessThan(numRuns);
});

test("what came from JSON.stringify is kept", () => {
  const property = fc.property(fc.jsonValue({ stringUnit: "binary", maxDepth: 5 }), (value) => {
    const text = JSON.stringify(value);
    if (!text.includes("__proto__")) expectRoundTrip(JSON.parse(text));
  });
  fc.assert(property, { numRuns });
});

const zeros = fc.oneof(fc.nat(3), fc.integer({ min: 180, max: 420 })).map((count) => "0".repeat(count));
const numeral = sequence(
  fc.constantFrom("", "-"),
  fc.oneof(fc.constant("0"), sequence(fc.constantFrom("1", "99", "305"), zeros)),
  fc.oneof(fc.constantFrom("", "", ".0"), sequence(fc.constant("."), zeros, fc.constant("7"))),
  fc.constantFrom("", "", "", "e0", "E5", "e+99", "e-99", "E108", "e0099", "e307", "E+308", "e-0324", "e999"),
);
const escapes = ["\\n", "\\\\", "\\u0061", "\\ud83d", "\\uDE00", "\\ud83d\\ude00", "\\u005f_proto__"];
const literal = piecesOf("a", "ä", "😀", "[", "}", "-0", "1e999", "__proto__", ...escapes).map(
  (content) => `"${content}"`,
);
const space = fc.constantFrom("", "", "", " ", "\n\t");

/** JSON as somebody else may have written it. */
const foreign = fc.letrec<{ value: string; member: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    { weight: 3, arbitrary: fc.constantFrom("0", "1", "true", "null", '""') },
    { weight: 2, arbitrary: numeral },
    { weight: 2, arbitrary: literal },
    { weight: 3, arbitrary: fc.array(tie("value"), { maxLength: 3 }).map((items) => `[${items.join(",")}]`) },
    {
      weight: 3,
      arbitrary: fc.array(tie("member"), { maxLength: 3 }).map((items) => `{${items.join(",")}}`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min: 505, max: 514 }), tie("value"))
        .map(([depth, value]) => "[".repeat(depth) + value + "]".repeat(depth)),
    },
  ),
  member: sequence(space, literal, space, fc.constant(":"), space, tie("value"), space),
})).value;

const damaged = fc.tuple(foreign, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
  const bytes = Buffer.from(text);
  bytes[at % bytes.length] = byte;
  return bytes;
});
const stored = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 4, arbitrary: foreign.map((text) => Buffer.from(text)) },
  { weight: 3, arbitrary: damaged },
);

test("[S6] bytes are read as a value that can be saved, or are refused", () => {
  let accepted = 0;
  const property = fc.property(stored, (bytes) => {
    if (!succeeds(() => json.deserialize(bytes), CorruptStateError)) return;
    accepted += 1;
    expectRoundTrip(json.deserialize(bytes));
  });
  fc.assert(property, { numRuns });
  expect(accepted).toBeGreaterThan(numRuns / 10);
  expect(accepted).toBeLessThan(numRuns);
});

test("[S6] of JSON, just what could not be saved is refused, however long the text", () => {
  const property = fc.property(foreign, (text) => {
    const value = parseByHand(text); // not by JSON.parse, which takes one key for another
    const canBeSaved = succeeds(() => json.serialize(value), SerializationError);
    for (const form of [text, padded(text)]) {
      const isRead = succeeds(
        () => expect(isDeepStrictEqual(read(form), value)).toBe(true),
        CorruptStateError,
      );
      expect(isRead).toBe(canBeSaved);
    }
  });
  fc.assert(property, { numRuns });
});
