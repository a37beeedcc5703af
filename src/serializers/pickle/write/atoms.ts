/** Writes bytes, byte arrays, dates and times: as bytes, or as a call of a constructor of Python, by its name. */
import { opcode } from "../opcodes.ts";
import { PyByteArray } from "../python/collections.ts";
import { PyDate, PyDateTime, PyTime } from "../python/dates.ts";
import { PyTimeDelta, PyTimeZone } from "../python/spans.ts";
import type { OpcodeWriter } from "./opcode-writer.ts";

type Clock = Pick<PyTime, "hour" | "minute" | "second" | "microsecond" | "fold">;

export function writeAtom(out: OpcodeWriter, value: object): void {
  if (value instanceof Uint8Array) out.bytes(value);
  else if (value instanceof PyByteArray) writeByteArray(out, value.bytes);
  else if (value instanceof Date) writeDateTime(out, PyDateTime.fromDate(value));
  else if (value instanceof PyDateTime) writeDateTime(out, value);
  else if (value instanceof PyDate) writeDate(out, value);
  else if (value instanceof PyTime) writeTime(out, value);
  else if (value instanceof PyTimeDelta) writeTimeDelta(out, value);
  else if (value instanceof PyTimeZone) writeTimeZone(out, value);
}

function writeByteArray(out: OpcodeWriter, bytes: Uint8Array): void {
  out.named("builtins", "bytearray");
  out.bytes(bytes);
  call(out, opcode.TUPLE1);
}

function writeDate(out: OpcodeWriter, { year, month, day }: PyDate): void {
  out.named("datetime", "date");
  out.bytes(new Uint8Array([year >> 8, year & 0xff, month, day]));
  call(out, opcode.TUPLE1);
}

function writeTime(out: OpcodeWriter, time: PyTime): void {
  out.named("datetime", "time");
  const [hour = 0, ...rest] = clockBytes(time);
  out.bytes(new Uint8Array([hour | (time.fold << 7), ...rest]));
  callWithZone(out, time.tzinfo);
}

function writeDateTime(out: OpcodeWriter, value: PyDateTime): void {
  const { year, month, day, fold, tzinfo } = value;
  out.named("datetime", "datetime");
  out.bytes(new Uint8Array([year >> 8, year & 0xff, month | (fold << 7), day, ...clockBytes(value)]));
  callWithZone(out, tzinfo);
}

function clockBytes({ hour, minute, second, microsecond }: Clock): number[] {
  return [hour, minute, second, microsecond >> 16, (microsecond >> 8) & 0xff, microsecond & 0xff];
}

function callWithZone(out: OpcodeWriter, zone: PyTimeZone | null): void {
  if (zone === null) return call(out, opcode.TUPLE1);
  writeTimeZone(out, zone);
  call(out, opcode.TUPLE2);
}

function writeTimeDelta(out: OpcodeWriter, { days, seconds, microseconds }: PyTimeDelta): void {
  out.named("datetime", "timedelta");
  for (const part of [days, seconds, microseconds]) out.integer(part);
  call(out, opcode.TUPLE3);
}

/** Equal ones are one in the memo: most dates share theirs. */
function writeTimeZone(out: OpcodeWriter, zone: PyTimeZone): void {
  const { offset, name } = zone;
  out.once([zone.toString(), name], () => {
    out.named("datetime", "timezone");
    writeTimeDelta(out, offset);
    if (name !== null) out.text(name);
    call(out, name === null ? opcode.TUPLE1 : opcode.TUPLE2);
  });
}

function call(out: OpcodeWriter, tuple: number): void {
  out.object(tuple);
  out.object(opcode.REDUCE);
}
