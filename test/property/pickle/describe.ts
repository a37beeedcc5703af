// A value as text, the same as `describe` of peer.py makes of the same value of Python: the type and content of everything,
// and which mutable objects are the same one.

import { Buffer } from "node:buffer";

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
} from "../../../src/pickle.ts";

type Ids = Map<object, number>;

export function describeValue(value: unknown, ids: Ids = new Map()): string {
  switch (typeof value) {
    case "number":
      return Number.isInteger(value) && !Object.is(value, -0) ? `i${value.toString(16)}` : floatText(value);
    case "bigint":
      return `i${value.toString(16)}`;
    case "boolean":
      return value ? "True" : "False";
    case "string":
      return `s${hexOfText(value)}`;
    default:
      return value === null ? "None" : describeObject(value as object, ids);
  }
}

function describeObject(value: object, ids: Ids): string {
  const list = (items: Iterable<unknown>): string[] => Array.from(items, (item) => describeValue(item, ids));
  if (value instanceof PyFloat) return floatText(value.value);
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString("hex")}`;
  if (value instanceof PyTuple) return `(${list(value).join()})`;
  if (value instanceof PyFrozenSet) return `F{${list(value).sort().join()}}`;
  const date = describeDate(value);
  if (date !== undefined) return date;
  const known = ids.get(value);
  if (known !== undefined) return `#${String(known)}`;
  ids.set(value, ids.size);
  if (value instanceof PyByteArray) return `B${Buffer.from(value.bytes).toString("hex")}`;
  if (Array.isArray(value)) return `[${list(value).join()}]`;
  if (value instanceof Set)
    return `S{${list(value as Set<unknown>)
      .sort()
      .join()}}`;
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);
  const sorted = entries
    .map(([key, item]) => [describeValue(key), item] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${sorted.map(([key, item]) => `${key}:${describeValue(item, ids)}`).join()}}`;
}

function describeDate(value: object): string | undefined {
  if (value instanceof PyDateTime) return `T${dayText(value)} ${clockText(value)}`;
  if (value instanceof Date) return describeDate(PyDateTime.fromDate(value));
  if (value instanceof PyDate) return `d${dayText(value)}`;
  if (value instanceof PyTime) return `t${clockText(value)}`;
  if (value instanceof PyTimeDelta) return spanText(value);
  return value instanceof PyTimeZone ? zoneText(value) : undefined;
}

function floatText(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return Number.isNaN(value) ? "fnan" : `f${bytes.toString("hex")}`;
}

/** UTF-8, with lone surrogates as they are. */
function hexOfText(text: string): string {
  const bytes = Array.from(text).flatMap((character) => {
    const code = character.codePointAt(0)!;
    if (code < 0xd800 || code > 0xdfff) return [...Buffer.from(character)];
    return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
  });
  return Buffer.from(bytes).toString("hex");
}

function dayText({ year, month, day }: Pick<PyDate, "year" | "month" | "day">): string {
  return [year, month, day].join("-");
}

function clockText({ hour, minute, second, microsecond, fold, tzinfo }: Omit<PyTime, "toString">): string {
  return `${[hour, minute, second].join(":")}.${String(microsecond)}/${String(fold)}${tzinfo === null ? "" : zoneText(tzinfo)}`;
}

function zoneText({ offset, name }: PyTimeZone): string {
  return `z${spanText(offset)},${name === null ? "-" : hexOfText(name)}`;
}

function spanText({ days, seconds, microseconds }: PyTimeDelta): string {
  return `D${[days, seconds, microseconds].join()}`;
}
