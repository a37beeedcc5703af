// The pickle serializer against programs and values that were made to hurt. Nothing but its own two errors leaves it; what
// it reads it can save again, as the same bytes; no prototype is touched and no code of a value's runs.

import fc from "fast-check";
import { ok } from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { pickle } from "../../../src/pickle.ts";
import { assemble, length, named, op, stackNamed, text } from "../../unit/serializers/pickle/assembler.ts";
import { plainData } from "../pickle/values.ts";
import { pure, settleNow, type Target, type Verdict } from "./harness.ts";
import { hostileValue } from "./serializer.ts";

const read = (bytes: Uint8Array): Verdict => settleNow("deserialize", () => pickle.deserialize(bytes));
const write = (value: unknown): Verdict => settleNow("serialize", () => pickle.serialize(value));

const names = ["set", "frozenset", "bytearray", "bytes", "eval", "__proto__"];
const dates = ["date", "time", "datetime", "timedelta", "timezone"];
const lines = [
  "0",
  "1",
  "-1",
  "01",
  "00",
  "1e999",
  "nan",
  "toString",
  "'a'",
  "\\ud83d",
  "\\ude00",
  "\\U0001f600",
];

/** Instructions that push something: most programs need many of them to get anywhere. */
const push = fc.oneof(
  fc.constantFrom(
    op.NONE,
    op.NEWTRUE,
    op.NEWFALSE,
    op.EMPTY_LIST,
    op.EMPTY_DICT,
    op.EMPTY_SET,
    op.EMPTY_TUPLE,
    op.MARK,
  ),
  fc.constantFrom("__proto__", "a", "7", "latin1", "constructor", "").map(text),
  fc.nat(3).map((index) => [op.BINGET, index]),
  fc.nat(255).map((value) => [op.BININT1, value]),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => [op.BINFLOAT, bytes]),
  fc
    .constantFrom(0, 1, -0, 2 ** 53)
    .map((value) => [op.BINFLOAT, Buffer.from(new Float64Array([value]).buffer).reverse()]),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => [op.LONG1, bytes.length, bytes]),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => [op.SHORT_BINBYTES, bytes.length, bytes]),
  fc
    .constantFrom(4, 6, 10)
    .chain((size) => fc.uint8Array({ minLength: size, maxLength: size, max: 20 }))
    .map((bytes) => [op.SHORT_BINBYTES, bytes.length, bytes]),
  fc.constantFrom(...names).map((name) => stackNamed("builtins", name)),
  fc.constantFrom(...dates).map((name) => named("datetime", name)),
  fc.constant(named("_codecs", "encode")),
  fc
    .tuple(
      fc.constantFrom(op.INT, op.LONG, op.FLOAT, op.STRING, op.UNICODE, op.GET, op.PUT),
      fc.constantFrom(...lines),
    )
    .map(([code, line]) => [code, line, "\n"]),
);
/** Instructions that take something. */
const take = fc.oneof(
  fc.constantFrom(op.TUPLE1, op.TUPLE2, op.TUPLE3, op.TUPLE, op.LIST, op.DICT, op.FROZENSET),
  fc.constantFrom(op.APPEND, op.APPENDS, op.SETITEM, op.SETITEMS, op.ADDITEMS, op.REDUCE, op.REDUCE),
  fc.constantFrom(op.POP, op.POP_MARK, op.DUP, op.MEMOIZE, op.BUILD, op.OBJ, op.NEWOBJ, op.STACK_GLOBAL),
  fc.nat(3).map((index) => [op.BINPUT, index]),
);
/** So that references have something to refer to, and whatever is left at the end is in a list. */
const begun = [op.EMPTY_LIST, op.EMPTY_DICT, op.EMPTY_SET, text("a")].map((made, index) => [
  made,
  op.BINPUT,
  index,
  op.POP,
]);
const anyByte = fc.nat(255);
const lie = fc
  .tuple(
    fc.constantFrom(op.BINUNICODE8, op.BINBYTES8, op.BYTEARRAY8, op.FRAME),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  )
  .map(([code, size]) => [code, length(size, 8)]);
const program = fc
  .array(
    fc.oneof(
      { weight: 30, arbitrary: push },
      { weight: 30, arbitrary: take },
      { weight: 1, arbitrary: anyByte },
      { weight: 1, arbitrary: lie },
    ),
    { maxLength: 30 },
  )
  .map((parts) => assemble(begun, op.MARK, parts, op.LIST, op.STOP));

const folder = join(import.meta.dirname, "../../unit/serializers/pickle/fixtures");
const files = readdirSync(folder).filter((name) => name.endsWith(".pickle"));
const pickles = files.map((name) => readFileSync(join(folder, name)));
const damaged = fc
  .tuple(
    fc.oneof(
      { weight: 9, arbitrary: plainData.map((value) => pickle.serialize(value)) },
      { weight: 1, arbitrary: fc.constantFrom(...pickles) },
    ),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([whole, changes, cut]) => {
    const bytes = Buffer.from(whole);
    const [[first] = [0]] = changes;
    if (cut) return bytes.subarray(0, first % bytes.length);
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
    return bytes;
  });

function readingProperty(met: Record<string, number>): fc.IRawProperty<unknown> {
  const bytes = fc.oneof(
    { weight: 8, arbitrary: program },
    { weight: 8, arbitrary: damaged },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  );
  return fc.property(bytes, (stored) => {
    const before = Buffer.from(stored);
    const verdict = read(stored);
    ok(before.equals(stored), "it changed the bytes");
    const outcome = "code" in verdict ? "refused" : "read";
    met[outcome] = (met[outcome] ?? 0) + 1;
    if ("code" in verdict) return ok(verdict.code === "CORRUPT_STATE" && verdict.error.message.length < 400);
    mustSurvive(verdict.value);
  });
}

/** Compared by bytes: a value of shared parts may be endless for anything that walks it. */
function mustSurvive(value: unknown): void {
  const written = write(value);
  ok("value" in written, "what was read can be saved");
  const again = read(written.value as Uint8Array);
  ok("value" in again, "and read again");
  const twice = write(again.value);
  ok(
    "value" in twice && Buffer.compare(twice.value as Uint8Array, written.value as Uint8Array) === 0,
    "and is the same",
  );
}

const writingProperty = fc.property(
  fc.oneof({ weight: 1, arbitrary: hostileValue }, { weight: 1, arbitrary: plainData }),
  (value) => {
    const verdict = write(value);
    if ("code" in verdict) return ok(verdict.code === "SERIALIZATION");
    const stored = read(verdict.value as Uint8Array);
    ok("value" in stored, "what was saved can be read");
    mustSurvive(stored.value);
  },
);

export const pickleReads: Target = {
  name: "pickle reads",
  share: 0.1,
  prepare: async () => {
    const met: Record<string, number> = {};
    return { property: readingProperty(met), end: async () => {}, met: () => met };
  },
};
export const pickleWrites = pure("pickle writes", 0.05, writingProperty);
