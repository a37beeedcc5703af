// The JSON serializer against values and bytes that were made to hurt. Nothing but its own two errors leaves it; what
// it reads it can save again, and that is the same value; no prototype is touched and no code of a value's runs.

import fc from "fast-check";
import { ok } from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

import { json } from "../../../src/serializers/json.ts";
import { pure, settleNow, type Verdict } from "./harness.ts";
import { everyKind } from "../../support/every-kind.ts";

const read = (bytes: Uint8Array): Verdict => settleNow("deserialize", () => json.deserialize(bytes));
const write = (value: unknown): Verdict => settleNow("serialize", () => json.serialize(value));

const evilKeys = [
  "__proto__",
  "constructor",
  "prototype",
  "toJSON",
  "toString",
  "hasOwnProperty",
  "then",
  "rawJSON",
];
const piece = fc.constantFrom(
  ...evilKeys.map((key) => JSON.stringify(key)),
  ...'{ } [ ] , : " \\ \\u \\ud83d \\ude00 \\u005f_proto__ 0 -0 1 1e999 -1e-999 null true fals NaN Infinity'.split(
    " ",
  ),
  ...[
    "\ufeff",
    "\0",
    "\n",
    '"a"',
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
  ],
  ...["9".repeat(400), `1${"0".repeat(308)}`, "\u2028", "😀", "//", "/*"],
);
const soup = fc.array(piece, { maxLength: 24 }).map((pieces) => Buffer.from(pieces.join("")));
const deep = fc
  .tuple(fc.integer({ min: 500, max: 530 }), fc.constantFrom("[", '{"a":', '{"__proto__":'), fc.boolean())
  .map(([depth, open, closed]) => {
    const close = open === "[" ? "]" : "}";
    return Buffer.from(open.repeat(depth) + "1" + (closed ? close.repeat(depth) : ""));
  });
const damaged = fc
  .tuple(fc.jsonValue({ maxDepth: 4, stringUnit: "binary" }), fc.nat(), fc.nat(255), fc.boolean())
  .map(([value, at, byte, cut]) => {
    const bytes = Buffer.from(JSON.stringify(value));
    if (cut) return bytes.subarray(0, at % bytes.length);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
const bytes = fc.oneof(
  { weight: 8, arbitrary: soup },
  { weight: 8, arbitrary: damaged },
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  { weight: 1, arbitrary: deep },
);

const reading = fc.property(bytes, (stored) => {
  const before = Buffer.from(stored);
  const verdict = read(stored);
  ok(before.equals(stored), "it changed the bytes");
  if ("code" in verdict) return ok(verdict.code === "CORRUPT_STATE");
  mustSurvive(verdict.value);
});

function mustSurvive(value: unknown): void {
  const written = write(value);
  ok("value" in written, "what was read can be saved");
  const again = read(written.value as Uint8Array);
  ok("value" in again && isDeepStrictEqual(again.value, value), "and is the same value");
  ok(
    (value as { polluted?: unknown } | null)?.polluted === undefined ||
      Object.hasOwn(value as object, "polluted"),
  );
}

const called = (): never => {
  throw new Error("code of the value's ran");
};
const trap = fc.constantFrom<() => unknown>(
  () => JSON.parse('{"__proto__":{"polluted":1}}'),
  () => ({ toJSON: called }),
  () => Object.defineProperty({}, "x", { get: called, enumerable: true }),
  () => Object.defineProperty([1], "0", { get: called, enumerable: true }),
  () => Object.create({ polluted: 1 }) as object,
  () => ({ __proto__: null, a: 1 }),
  () => {
    const loop: unknown[] = [];
    loop.push({ loop });
    return loop;
  },
  () => new (class Sub extends Array<number> {})(3),
  () => new Proxy({}, { ownKeys: called, getPrototypeOf: () => Object.prototype }),
  () => new Proxy([], { get: called }),
  () => new Uint8Array(3),
  () => new Error("x"),
  () => Promise.resolve(1),
  () => "\ud800",
  () => ({ "\udfff": 1 }),
);
const anything = fc.anything({
  key: fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(...evilKeys)),
  ...everyKind,
});
const hidden = fc.tuple(trap, fc.nat(3)).map(([make, depth]) => {
  let value = make();
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { in: value } : [1, value];
  return value;
});

/** Anything, and what runs code if it is looked at without care. */
export const hostileValue = fc.oneof({ weight: 3, arbitrary: anything }, { weight: 1, arbitrary: hidden });

const writing = fc.property(hostileValue, (value) => {
  const verdict = write(value);
  if ("code" in verdict) return ok(verdict.code === "SERIALIZATION");
  const stored = read(verdict.value as Uint8Array);
  ok("value" in stored, "what was saved can be read");
  mustSurvive(stored.value);
});

export const serializerReads = pure("serializer reads", 0.157, reading);
export const serializerWrites = pure("serializer writes", 0.15, writing);
