/**
 * Integers of any size as Python stores them: two's complement, the lowest byte first.
 *
 * Both directions go through hexadecimal text, which takes V8 time in proportion to the length; decimal text and sums of
 * digits do not.
 */
import { Buffer } from "node:buffer";

/** A number if it is a safe integer, otherwise a bigint. */
export function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The integer of these bytes; none are 0. */
export function integerOfBytes(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length <= 6) return buffer.readIntLE(0, bytes.length);
  const magnitude = BigInt(`0x${Buffer.from(buffer).reverse().toString("hex")}`);
  const isNegative = (bytes[bytes.length - 1] ?? 0) >= 0x80;
  return narrowed(isNegative ? magnitude - (1n << BigInt(8 * bytes.length)) : magnitude);
}

/** The shortest bytes of an integer, with room for its sign. */
export function bytesOfInteger(value: bigint): Uint8Array {
  const positive = value < 0n ? -value - 1n : value; // ~value: the same bits, inverted
  const digits = positive.toString(16);
  const hex = digits.length % 2 === 0 ? digits : `0${digits}`;
  const padded = Number.parseInt(hex.slice(0, 2), 16) >= 0x80 ? `00${hex}` : hex;
  const bytes = Buffer.from(padded, "hex").reverse();
  if (value < 0n) for (const [index, byte] of bytes.entries()) bytes[index] = 0xff - byte;
  return bytes;
}
