/**
 * Dates and times, as Python's pickler writes them: `date`, `time` and `datetime` as bytes, which hold one field after the
 * other, and `timedelta` and `timezone` by their values.
 */
import { InvalidArgumentError } from "../../../errors.ts";
import { PyDate, PyDateTime, PyTime } from "../python/dates.ts";
import { PyTimeDelta, PyTimeZone } from "../python/spans.ts";
import type { Machine } from "./machine.ts";

type Args = readonly unknown[];

export function makeDate(machine: Machine, args: Args): boolean {
  const [state] = args;
  if (args.length !== 1 || !isBytes(state, 4)) return false;
  const [high = 0, low = 0, month = 0, day = 0] = state;
  return pushChecked(machine, () => new PyDate(high * 256 + low, month, day));
}

/** A fold is in the highest bit of the hour. */
export function makeTime(machine: Machine, args: Args): boolean {
  const [state, tzinfo = null] = args;
  if (args.length > 2 || !isBytes(state, 6) || !isZone(tzinfo)) return false;
  return pushChecked(machine, () => new PyTime({ ...clockOf(state), tzinfo, fold: foldOf(state[0]) }));
}

/** A fold is in the highest bit of the month. */
export function makeDateTime(machine: Machine, args: Args): boolean {
  const [state, tzinfo = null] = args;
  if (args.length > 2 || !isBytes(state, 10) || !isZone(tzinfo)) return false;
  const [high = 0, low = 0, month = 0, day = 0, hour = 0] = state;
  const date = { year: high * 256 + low, month: month & 0x7f, day };
  const clock = { ...clockOf(state.subarray(4)), hour };
  return pushChecked(machine, () => new PyDateTime({ ...date, ...clock, tzinfo, fold: foldOf(month) }));
}

export function makeTimeDelta(machine: Machine, args: Args): boolean {
  const [days = 0, seconds = 0, microseconds = 0] = args;
  if (args.length > 3) return false;
  if (typeof days !== "number" || typeof seconds !== "number" || typeof microseconds !== "number")
    return false;
  return pushChecked(machine, () => new PyTimeDelta({ days, seconds, microseconds }));
}

export function makeTimeZone(machine: Machine, args: Args): boolean {
  const [offset, name = null] = args;
  if (args.length > 2 || !(offset instanceof PyTimeDelta)) return false;
  if (name !== null && typeof name !== "string") return false;
  return pushChecked(machine, () => new PyTimeZone(offset, name));
}

/** What is out of range makes no value. */
function pushChecked(machine: Machine, make: () => object): boolean {
  let value: object;
  try {
    value = make();
  } catch (error) {
    if (error instanceof InvalidArgumentError) return false;
    throw error;
  }
  machine.pushContainer(value);
  return true;
}

function clockOf([hour = 0, minute = 0, second = 0, high = 0, middle = 0, low = 0]: Uint8Array): {
  hour: number;
  minute: number;
  second: number;
  microsecond: number;
} {
  return { hour: hour & 0x7f, minute, second, microsecond: (high * 256 + middle) * 256 + low };
}

function foldOf(byte = 0): 0 | 1 {
  return byte >= 0x80 ? 1 : 0;
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function isZone(value: unknown): value is PyTimeZone | null {
  return value === null || value instanceof PyTimeZone;
}
