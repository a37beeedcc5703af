// The types for what JavaScript has no type for: their checks, and what dates are as points in time.

import { describe, expect, test } from "vitest";

import { InvalidArgumentError } from "../../../../src/errors.ts";
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

const day = { year: 2026, month: 11, day: 30 };
const zone = (seconds: number, microseconds = 0): PyTimeZone =>
  new PyTimeZone(new PyTimeDelta({ seconds, microseconds }));

test("tuples and frozen sets are copies that can be iterated", () => {
  const items = [1, 2];
  const [tuple, set] = [new PyTuple(items), new PyFrozenSet(items)];
  items.push(3);
  expect([...tuple]).toEqual([1, 2]);
  expect([...set]).toEqual([1, 2]);
  expect(Object.isFrozen(tuple.items)).toBe(true);
  expect(Number(new PyFloat(3)) + 1).toBe(4);
});

test("a timedelta is normalized as in Python", () => {
  const parts = ({ days, seconds, microseconds }: PyTimeDelta): number[] => [days, seconds, microseconds];
  expect(parts(new PyTimeDelta({ microseconds: -1 }))).toEqual([-1, 86_399, 999_999]);
  expect(parts(new PyTimeDelta({ days: 1, seconds: -86_400, microseconds: 0 }))).toEqual([0, 0, 0]);
  expect(parts(new PyTimeDelta({ seconds: 90_000, microseconds: 2_500_000 }))).toEqual([1, 3602, 500_000]);
  expect(new PyTimeDelta({ microseconds: -1500 }).totalMs).toBeCloseTo(-1.5);
  expect(Object.is(new PyTimeDelta({ seconds: -0 }).seconds, 0)).toBe(true);
});

test("dates as points in time", () => {
  const at = (parts: object): string => new PyDateTime({ ...day, ...parts }).toDate().toISOString();
  expect(at({ hour: 8, tzinfo: PyTimeZone.utc })).toBe("2026-11-30T08:00:00.000Z");
  expect(at({ hour: 8, microsecond: 999_999, tzinfo: zone(5400) })).toBe("2026-11-30T06:30:00.999Z");
  expect(at({ tzinfo: zone(-3600, -500) })).toBe("2026-11-30T01:00:00.000Z");
  expect(at({ tzinfo: zone(0, 500) })).toBe("2026-11-29T23:59:59.999Z");
  expect(at({ year: 99, month: 1, day: 1, tzinfo: PyTimeZone.utc })).toBe("0099-01-01T00:00:00.000Z");
  const moment = new Date("2026-11-30T08:05:30.123Z");
  expect(PyDateTime.fromDate(moment).toDate()).toEqual(moment);
  expect(() => new PyDateTime(day).toDate()).toThrow(/2026-11-30T00:00:00 has no time zone/);
});

test("as text, in ISO 8601", () => {
  expect(String(new PyDate(7, 1, 2))).toBe("0007-01-02");
  expect(String(new PyTime({ hour: 1, microsecond: 20 }))).toBe("01:00:00.000020");
  expect(String(new PyDateTime({ ...day, tzinfo: zone(-5400) }))).toBe("2026-11-30T00:00:00-01:30");
  expect(String(zone(3601, 5))).toBe("+01:00:01.000005");
  expect(String(zone(-1))).toBe("-00:00:01");
});

describe("are refused", () => {
  test.each<readonly [message: string, make: () => unknown]>([
    ["PyFloat takes a number.", () => new PyFloat("1" as never)],
    ["PyTuple takes one iterable of its values", () => new PyTuple(1 as never)],
    ["PyTuple takes one iterable", () => new PyTuple("ab")],
    ["PyFrozenSet takes one iterable", () => new PyFrozenSet({} as never)],
    ["PyByteArray takes a Uint8Array.", () => new PyByteArray([1] as never)],
    ["The year of a PyDate must be a whole number from 1 to 9999; got 0.", () => new PyDate(0, 1, 1)],
    ["The month of a PyDate must be a whole number from 1 to 12; got 13.", () => new PyDate(2026, 13, 1)],
    ["The day of a PyDate must be a whole number from 1 to 28; got 29.", () => new PyDate(2100, 2, 29)],
    ["The hour of a PyTime must be a whole number from 0 to 23; got 24.", () => new PyTime({ hour: 24 })],
    ["The fold of a PyTime must be", () => new PyTime({ fold: 2 as never })],
    ["The second of a PyDateTime must be", () => new PyDateTime({ ...day, second: 60 })],
    ["The microsecond of a PyDateTime must be", () => new PyDateTime({ ...day, microsecond: 0.5 })],
    ["The tzinfo of a PyDateTime must be a PyTimeZone or null.", () => new PyDateTime({ ...day, tzinfo: "UTC" as never })], // prettier-ignore
    ["less than 24 hours", () => zone(86_400)],
    ["less than 24 hours", () => zone(-86_400)],
    [
      "The name of a PyTimeZone must be a string or null.",
      () => new PyTimeZone(new PyTimeDelta(), 1 as never),
    ],
    ["PyTimeZone takes a PyTimeDelta.", () => new PyTimeZone(0 as never)],
    ["must be a whole number from -999999999 to 999999999", () => new PyTimeDelta({ days: 1e9 })],
    ["seconds of a PyTimeDelta must be a whole number", () => new PyTimeDelta({ seconds: 0.5 })],
    ["A Date must be valid and in the years 1 to 9999", () => PyDateTime.fromDate(new Date(NaN))],
  ])("%s", (message, make) => {
    expect(make).toThrow(InvalidArgumentError);
    expect(make).toThrow(message);
  });
});
