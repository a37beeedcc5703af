/** The instructions that push None, booleans, numbers, text and bytes. */
import { integerOfBytes, narrowed } from "../integers.ts";
import { maxDigits } from "../limits.ts";
import { opcode } from "../opcodes.ts";
import { PyByteArray, PyFloat } from "../python/collections.ts";
import { decodeText, latin1 } from "../utf8.ts";
import type { Machine } from "./machine.ts";
import { decodeEscapes, decodeRawUnicode } from "./protocol-zero.ts";
import { listOf, type Steps } from "./steps.ts";

export const scalarSteps: Steps = listOf(
  [opcode.NONE, (m) => m.push(null)],
  [opcode.NEWTRUE, (m) => m.push(true)],
  [opcode.NEWFALSE, (m) => m.push(false)],
  [opcode.BININT, (m) => m.push(m.source.signed())],
  [opcode.BININT1, (m) => m.push(m.source.byte())],
  [opcode.BININT2, (m) => m.push(m.source.unsigned(2))],
  [opcode.LONG1, (m) => m.push(integerOfBytes(m.source.take(m.source.byte())))],
  [opcode.LONG4, (m) => m.push(integerOfBytes(m.source.take(m.source.signed())))],
  [opcode.INT, pushIntLine],
  [opcode.LONG, (m) => m.push(decimal(m, latin1(m.source.line()).replace(/L$/, "")))],
  [opcode.FLOAT, (m) => m.push(float(m, floatOfLine(m)))],
  [opcode.BINFLOAT, (m) => m.push(float(m, m.source.double()))],
  [opcode.UNICODE, (m) => m.push(decodeRawUnicode(latin1(m.source.line())) ?? refuseText(m))],
  [opcode.SHORT_BINUNICODE, (m) => pushText(m, m.source.byte())],
  [opcode.BINUNICODE, (m) => pushText(m, m.source.unsigned(4))],
  [opcode.BINUNICODE8, (m) => pushText(m, m.source.longLength())],
  [opcode.STRING, (m) => pushAscii(m, decodeEscapes(latin1(m.source.line())))],
  [opcode.BINSTRING, (m) => pushAscii(m, latin1(m.source.take(m.source.signed())))],
  [opcode.SHORT_BINSTRING, (m) => pushAscii(m, latin1(m.source.take(m.source.byte())))],
  [opcode.SHORT_BINBYTES, (m) => m.pushContainer(bytes(m, m.source.byte()))],
  [opcode.BINBYTES, (m) => m.pushContainer(bytes(m, m.source.unsigned(4)))],
  [opcode.BINBYTES8, (m) => m.pushContainer(bytes(m, m.source.longLength()))],
  [opcode.BYTEARRAY8, (m) => m.pushContainer(new PyByteArray(bytes(m, m.source.longLength())))],
);

/** Protocols 0 and 1 write booleans as 00 and 01. */
function pushIntLine(machine: Machine): void {
  const text = latin1(machine.source.line());
  machine.push(text === "00" ? false : text === "01" ? true : decimal(machine, text));
}

function decimal(machine: Machine, text: string): number | bigint {
  if (text.length > maxDigits)
    machine.fail(`has a number of ${text.length} decimal digits (${maxDigits} are read)`);
  // CPython reads 010 as octal and -0 as False, or refuses them; no pickler writes them.
  if (!/^(0|-?[1-9]\d*)$/.test(text)) machine.fail("has something else in place of a whole number");
  return text.length <= 15 ? Number(text) : narrowed(BigInt(text));
}

/** A Map, since an object has more names than its own: "constructor", "__proto__". */
const specialFloats: ReadonlyMap<string, number> = new Map([
  ["nan", NaN],
  ["-nan", NaN],
  ["inf", Infinity],
  ["-inf", -Infinity],
]);

function floatOfLine(machine: Machine): number {
  const text = latin1(machine.source.line());
  const isDecimal = text.length <= maxDigits && /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
  const value = isDecimal ? Number(text) : specialFloats.get(text);
  if (value === undefined) machine.fail("has something else in place of a float");
  if (isDecimal && !Number.isFinite(value)) machine.fail("has a float that is too large");
  return value;
}

/** The rule of `floats: "exact"`: an integral number is an int, and a PyFloat is a float. */
function float({ settings }: Machine, value: number): number | PyFloat {
  const isPlain = settings.plainFloats || !Number.isInteger(value) || Object.is(value, -0);
  return isPlain ? value : new PyFloat(value);
}

function pushText(machine: Machine, length: number): void {
  machine.push(decodeText(machine.source.take(length)) ?? refuseText(machine));
}

/** What Python 2 wrote for its `str`. CPython 3 takes it for ASCII, unless it is told otherwise. */
function pushAscii(machine: Machine, text: string | undefined): void {
  if (text === undefined) machine.fail("has a string without its quotes, or with a wrong escape");
  // eslint-disable-next-line no-control-regex -- all that ASCII has
  if (!/^[\x00-\x7f]*$/.test(text)) machine.fail("has a string of Python 2 that is not ASCII");
  machine.push(text);
}

function refuseText(machine: Machine): never {
  return machine.fail(
    "has a text that is not valid, or that JavaScript cannot keep (a pair of single surrogates)",
  );
}

/** A copy: the value may outlive the pickle. */
function bytes(machine: Machine, length: number): Uint8Array {
  return new Uint8Array(machine.source.take(length));
}
