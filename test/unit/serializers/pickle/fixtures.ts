// The values of fixtures/make.py and make_2.py, as they are read.

import {
  PyByteArray,
  PyDate,
  PyDateTime,
  PyFloat,
  PyFrozenSet,
  PyTime,
  PyTimeDelta,
  PyTimeZone,
  PyTuple,
} from "../../../../src/pickle.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
const filled = (length: number, text: string): Uint8Array => new Uint8Array(Buffer.alloc(length, text));
const tuple = (...items: unknown[]): PyTuple => new PyTuple(items);
const map = (...entries: [unknown, unknown][]): Map<unknown, unknown> => new Map(entries);
const numbers = Array.from({ length: 1001 }, (_, index) => index);

const hour = new PyTimeDelta({ seconds: 3600 });
const zone = new PyTimeZone(new PyTimeDelta({ seconds: -1800 }), "west");
const moment = { year: 2026, month: 11, day: 30, hour: 8, minute: 5, second: 30, microsecond: 123_456 };
const aware = (tzinfo: PyTimeZone): PyDateTime => new PyDateTime({ ...moment, tzinfo });

const shared = ["shared"];
const loop: unknown[] = ["loop"];
loop.push(loop);
const ring: Record<string, unknown> = { name: "ring" };
ring["self"] = ring;
const [knotList, knotMap]: [unknown[], Map<unknown, unknown>] = [[], new Map()];
const knot = tuple(knotList, knotMap);
knotList.push(knot);
knotMap.set(1, knot);

const proto: unknown = JSON.parse('{"__proto__": 1, "10": 2}');

export const values: Readonly<Record<string, unknown>> = {
  none: null,
  booleans: [true, false],
  integers: [
    ...[0, 1, -1, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1],
    ...[2 ** 53 - 1, 1 - 2 ** 53],
  ],
  "large integers": [
    ...[2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, 2n ** 63n, -(2n ** 63n), 10n ** 100n, -(10n ** 100n)],
    ...[2n ** 2039n, 2n ** 2040n, -(2n ** 2040n)],
  ],
  floats: [0.5, -1.25e-300, 1e-7, -0, Infinity, -Infinity, NaN],
  "integral floats": [0, 1, -3, 2 ** 60, 1e300].map((value) => new PyFloat(value)),
  text: [
    ...["", "ascii", "ä€😀", "\\u0041 \\x \\\\", "line\nfeed\r\0\x1a", "\ud800"],
    ...["x".repeat(300), "€".repeat(100)],
  ],
  bytes: [
    bytes(),
    bytes(0, 255, 10, 39, 92),
    Uint8Array.from({ length: 256 }, (_, i) => i),
    filled(300, "z"),
  ],
  "byte arrays": [new PyByteArray(bytes()), new PyByteArray(bytes(0x80, 0))],
  tuples: [tuple(), tuple(1), tuple(1, 2), tuple(1, 2, 3), tuple(1, 2, 3, 4), tuple(tuple())],
  lists: [[], [[]], numbers],
  dicts: [{}, { a: 1, b: { c: [] } }, proto],
  maps: [
    map([1, "int"], ["1", "str"]),
    map([null, 0]),
    map([tuple(1, tuple(2)), 1]),
    map([bytes(107), 1]),
    map([0.5, 1]),
    map([2n ** 64n, 1]),
    map([true, "yes"], [2, "two"]),
    map(...numbers.map((n): [unknown, unknown] => [n, n])),
  ],
  sets: [new Set(), new Set([1]), new Set(["a"]), new Set([tuple(1, 2)]), new Set([new PyFrozenSet([1])])],
  "frozen sets": [new PyFrozenSet(), new PyFrozenSet([1]), new PyFrozenSet([new PyFrozenSet(["x"])])],
  dates: [new PyDate(1, 1, 1), new PyDate(2026, 11, 30), new PyDate(9999, 12, 31)],
  times: [
    new PyTime(),
    new PyTime({ hour: 23, minute: 59, second: 58, microsecond: 999_999 }),
    new PyTime({ hour: 8, tzinfo: PyTimeZone.utc }),
  ],
  naive: new PyDateTime(moment),
  aware: [aware(PyTimeZone.utc), aware(new PyTimeZone(hour)), aware(zone)],
  spans: [
    new PyTimeDelta(),
    new PyTimeDelta({ microseconds: -1 }),
    new PyTimeDelta({ days: 999_999_999 }),
    hour,
  ],
  zones: [PyTimeZone.utc, new PyTimeZone(hour), zone],
  shared: [shared, shared],
  loop,
  ring,
  knot,
};

/** Only from protocol 4 on. */
export const folded = {
  fold: [new PyDateTime({ ...moment, fold: 1 }), new PyTime({ hour: 1, fold: 1 })],
};

export const valuesOfPython2: Readonly<Record<string, unknown>> = {
  none: null,
  booleans: [true, false],
  integers: [0, 1, -1, 255, 65_536, -(2 ** 31)],
  longs: [0, 1, -1, 2n ** 63n, -(2n ** 63n)],
  floats: [0.5, new PyFloat(1), Infinity, -Infinity, NaN],
  str: ["", "ascii", "it's", "\"'", "back\\slash\n\t\x01", "y".repeat(300)],
  unicode: ["", "ä€😀", "\\u0041\n"],
  bytearray: [new PyByteArray(bytes(255)), new PyByteArray(bytes())],
  tuples: [tuple(), tuple(1), tuple(1, 2, 3, 4)],
  maps: [map([1, "x"]), map([tuple(1, 2), []])],
  sets: [new Set([1]), new PyFrozenSet([1])],
};
