// Faults that fuzzing and review found in the pickle serializer, each with the smallest input that shows it.

import { Buffer } from "node:buffer";
import { expect, test } from "vitest";

import { CorruptStateError, SerializationError } from "../../../../src/errors.ts";
import { pickle, PyTime, PyTimeDelta, PyTimeZone } from "../../../../src/pickle.ts";

const read = (program: string): unknown => pickle.deserialize(Buffer.from(program, "latin1"));

test.each(["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"])(
  "the float %j is no float, and nothing of JavaScript's own is handed out [S6]",
  (name) => {
    expect(() => read(`F${name}\n.`)).toThrow(CorruptStateError);
  },
);

test("a persistent id from the stack is escaped and cut short in the message", () => {
  const id = `\x1b[2J${"x".repeat(5000)}`;
  const attempt = (): unknown => read(`V${id}\nQ.`);
  expect(attempt).toThrow(CorruptStateError);
  expect(attempt).toThrow(/persistent id "\\u001b\[2Jx{70,80}…"/);
});

test.each(["I010\n.", "L010L\n.", "I-0\n.", "I-00\n.", "I000\n.", "L00L\n."])(
  "%j is no number that a pickler writes",
  (program) => {
    expect(() => read(program)).toThrow(CorruptStateError);
  },
);

test.each([
  ["I0\n.", 0],
  ["L0L\n.", 0],
  ["I00\n.", false],
  ["I01\n.", true],
  ["I-10\n.", -10],
])("%j is %j", (program, value) => {
  expect(read(program)).toBe(value);
});

test("a decimal float beyond the greatest one is refused, as Python refuses it", () => {
  expect(() => read("F1e400\n.")).toThrow(CorruptStateError);
  expect(() => read("F-1e400\n.")).toThrow(CorruptStateError);
  expect(read("F-inf\n.")).toBe(-Infinity);
});

test("every NaN is written as the same bytes", () => {
  const written = ["7ff8000000000000", "fff8000000000000", "fff0000000000001", "7fffffffffffffff"].map(
    (bits) =>
      Buffer.from(pickle.serialize(read(`G${Buffer.from(bits, "hex").toString("latin1")}.`))).toString("hex"),
  );
  expect(new Set(written).size).toBe(1);
  expect(written[0]).toContain("477ff8000000000000");
});

test.each(["S'a' \n.", "S'a'\r\n.", "S'\n."])("%j is not quoted", (program) => {
  expect(() => read(program)).toThrow(CorruptStateError);
});

test("equal time zones are read as one object, and written as the same bytes again", () => {
  const zone = (): PyTimeZone => new PyTimeZone(new PyTimeDelta({ seconds: 3600 }));
  const bytes = pickle.serialize([zone(), zone()]);
  expect(pickle.serialize(pickle.deserialize(bytes))).toEqual(bytes);
});

test("a time span is exact if its parts are as large as they may be", () => {
  const { MAX_SAFE_INTEGER } = Number;
  const span = new PyTimeDelta({
    days: -104_249_991_375,
    seconds: MAX_SAFE_INTEGER,
    microseconds: MAX_SAFE_INTEGER,
  });
  const micros = 1_000_001n * BigInt(MAX_SAFE_INTEGER) - 104_249_991_375n * 86_400_000_000n;
  expect(BigInt(span.days) * 86_400_000_000n + BigInt(span.seconds * 1e6 + span.microseconds)).toBe(micros);
});

test("times are equal for Python if their microseconds are, too", () => {
  const time = (microsecond: number, offset: number): PyTime =>
    new PyTime({ microsecond, tzinfo: new PyTimeZone(new PyTimeDelta({ microseconds: offset })) });
  const times = new Set([time(5, 2), time(3, 0)]);
  expect(pickle.deserialize(pickle.serialize(times))).toEqual(times);
  expect(() => pickle.serialize(new Set([time(5, 2), time(5, 2)]))).toThrow(SerializationError);
});
