// Pickles made by hand, instruction by instruction: `assemble(op.MARK, "text", [1, 2], …)`.

import { Buffer } from "node:buffer";

import { opcode } from "../../../../src/serializers/pickle/opcodes.ts";

export { opcode as op };

/** A number is one byte; a text has one byte for each character; a list is what it says. */
export type Part = number | string | Uint8Array | readonly Part[];

export function assemble(...parts: readonly Part[]): Uint8Array {
  return new Uint8Array(join(parts));
}

function bytesOf(part: Part): Uint8Array {
  if (typeof part === "number") return Buffer.from([part]);
  if (typeof part === "string") return Buffer.from(part, "latin1");
  return part instanceof Uint8Array ? part : join(part);
}

/** Not by the arguments of a call: there may be a million. */
function join(parts: readonly Part[]): Buffer {
  return Buffer.concat(parts.map(bytesOf));
}

/** The same again and again. */
export function repeat(times: number, ...parts: readonly Part[]): Uint8Array {
  const unit = Buffer.from(assemble(...parts));
  return unit.length === 0 ? unit : new Uint8Array(Buffer.alloc(unit.length * times, unit));
}

/** A little-endian number of 4 or 8 bytes. */
export function length(value: number | bigint, size: 4 | 8 = 4): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes.subarray(0, size);
}

/** A text as SHORT_BINUNICODE. */
export function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return assemble(opcode.SHORT_BINUNICODE, bytes.length, bytes);
}

/** Asks for a name as protocol 0 does. */
export function named(module: string, name: string): Uint8Array {
  return assemble(opcode.GLOBAL, `${module}\n${name}\n`);
}

/** Asks for a name as protocol 4 does. */
export function stackNamed(module: string, name: string): Uint8Array {
  return assemble(text(module), text(name), opcode.STACK_GLOBAL);
}
