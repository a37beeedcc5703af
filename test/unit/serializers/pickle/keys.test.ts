// Keys that Python holds equal: one entry when they are read, and refused when they are written.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { SerializationError } from "../../../../src/errors.ts";
import {
  pickle,
  PyDate,
  PyDateTime,
  PyFloat,
  PyFrozenSet,
  PyTime,
  PyTimeDelta,
  PyTimeZone,
  PyTuple,
} from "../../../../src/pickle.ts";
import { KeyIds } from "../../../../src/serializers/pickle/key-ids.ts";
import { equalityText, plainKey } from "../../../property/pickle/values.ts";
import { assemble, op, text } from "./assembler.ts";

const zone = (seconds: number, name: string | null = null): PyTimeZone =>
  new PyTimeZone(new PyTimeDelta({ seconds }), name);
const noon = { year: 2026, month: 11, day: 30, hour: 12 };
const tuple = (...items: unknown[]): PyTuple => new PyTuple(items);
const frozen = (...members: unknown[]): PyFrozenSet => new PyFrozenSet(members);

const equal: readonly (readonly [what: string, ...keys: unknown[]])[] = [
  ["one", 1, 1n, true, new PyFloat(1)],
  ["zero", 0, 0n, false, new PyFloat(0), new PyFloat(-0)],
  ["2^53", 2n ** 53n, new PyFloat(2 ** 53)],
  ["1e300", BigInt(1e300), new PyFloat(1e300)],
  ["a half", 0.5, new PyFloat(0.5)],
  ["infinity", Infinity, new PyFloat(Infinity)],
  ["tuples", tuple(1, tuple("a", 0)), tuple(true, tuple("a", new PyFloat(-0)))],
  ["frozen sets", frozen(1, "a", frozen(0)), frozen(frozen(false), "a", true)],
  ["bytes", new Uint8Array([1, 2]), Buffer.from([1, 2])],
  ["dates", new PyDate(2026, 1, 2), new PyDate(2026, 1, 2)],
  ["folds", new PyDateTime(noon), new PyDateTime({ ...noon, fold: 1 })],
  [
    "points in time",
    new PyDateTime({ ...noon, tzinfo: zone(0) }),
    new PyDateTime({ ...noon, hour: 13, tzinfo: zone(3600) }),
    new Date("2026-11-30T12:00:00Z"),
  ],
  ["times", new PyTime({ hour: 12, tzinfo: zone(0) }), new PyTime({ hour: 13, tzinfo: zone(3600) })],
  ["spans", new PyTimeDelta({ days: 1 }), new PyTimeDelta({ seconds: 86_400 })],
  ["zones", zone(0), zone(0, "UTC")],
];

const different: readonly (readonly [what: string, one: unknown, other: unknown])[] = [
  ["1 and its text", 1, "1"],
  ["2^53 and one more", 2n ** 53n + 1n, new PyFloat(2 ** 53)],
  ["text and bytes", "a", new Uint8Array([97])],
  ["NaN and NaN", NaN, new PyFloat(NaN)],
  ["None and zero", null, 0],
  ["a tuple and a frozen set", tuple(1), frozen(1)],
  ["tuples of other lengths", tuple(tuple(1), 2), tuple(tuple(1, 2))],
  ["(1,) and 1", tuple(1), 1],
  ["naive and aware", new PyDateTime(noon), new PyDateTime({ ...noon, tzinfo: zone(0) })],
  ["a date and its midnight", new PyDate(2026, 1, 2), new PyDateTime({ year: 2026, month: 1, day: 2 })],
  ["one microsecond", new PyDateTime(noon), new PyDateTime({ ...noon, microsecond: 1 })],
  ["names of other kinds", "none", null],
  ["what is written alike", tuple("1,2"), tuple("1", "2")],
];

/** A key, as it is on the stack of a pickle. */
const pushed = (key: unknown): Uint8Array => pickle.serialize(key).subarray(0, -1);
const dictOf = (...keys: readonly unknown[]): Uint8Array =>
  assemble(
    ...[op.EMPTY_DICT, op.MARK],
    keys.map((key, index) => [pushed(key), op.BININT1, index]),
    ...[op.SETITEMS, op.STOP],
  );

describe("keys that Python holds equal", () => {
  test.each(equal)("[S6] %s: the first key stays, and the last value", (_, ...keys) => {
    const read = pickle.deserialize(dictOf(...keys)) as Map<unknown, unknown>;
    expect([...read.values()]).toEqual([keys.length - 1]);
    expect(pickle.serialize([...read.keys()][0])).toEqual(pickle.serialize(keys[0]));
    const [last] = (pickle.deserialize(dictOf(...keys.toReversed())) as Map<unknown, unknown>).keys();
    expect(pickle.serialize(last)).toEqual(pickle.serialize(keys.at(-1)));
  });

  test.each(equal)("[S5] %s: a Map or set with two is refused", (_, ...keys) => {
    const both = keys.slice(0, 2);
    expect(() => pickle.serialize(new Map(both.map((key) => [key, 0])))).toThrow(SerializationError);
    expect(() => pickle.serialize({ a: [new Set(both)] })).toThrow(
      /\$\.a\[0\] has a member twice for Python/,
    );
    expect(() => pickle.serialize(new PyFrozenSet(both))).toThrow(
      /has a member twice for Python, which holds/,
    );
  });
});

test.each(different)("[S6] %s are two keys", (_, one, other) => {
  const read = pickle.deserialize(dictOf(one, other)) as Map<unknown, unknown>;
  expect(read.size).toBe(2);
  expect(pickle.deserialize(pickle.serialize(read))).toEqual(read);
});

test("[S6] in a set, the first member stays, however it was added", () => {
  const add = (key: unknown): Uint8Array => assemble(op.MARK, pushed(key), op.ADDITEMS);
  const members = [2, "a", 1, true, new PyFloat(1), "a", 2, null, false, 0].map(add);
  const set = pickle.deserialize(assemble(op.EMPTY_SET, members, op.STOP)) as Set<unknown>;
  expect([...set]).toEqual([2, "a", 1, null, false]);
});

test("[S6] keys of one class in two dicts do not meet", () => {
  const dict = [op.EMPTY_DICT, op.NEWTRUE, text("x"), op.SETITEM];
  const read = pickle.deserialize(assemble(op.MARK, dict, op.EMPTY_DICT, op.BININT1, 1, text("y"), op.SETITEM, op.LIST, op.STOP)); // prettier-ignore
  expect(read).toEqual([new Map([[true, "x"]]), new Map([[1, "y"]])]);
});

test("ids agree with an independent description of what is equal", () => {
  fc.assert(
    fc.property(plainKey, plainKey, (one, other) => {
      const ids = new KeyIds();
      const isEqual = equalityText(one) === equalityText(other);
      if (equalityText(one).includes("NaN")) return; // equal to nothing
      expect(ids.idOf(one) === ids.idOf(other)).toBe(isEqual);
      expect(ids.idOf(one)).toBe(ids.idOf(one));
    }),
    { numRuns: 2000 },
  );
});
