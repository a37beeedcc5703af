/**
 * The bytes of a pickle, read from front to back. Nothing is returned that is not there, and nothing is allocated for a
 * length before the bytes are known to be there.
 */
import { Buffer } from "node:buffer";
import { CorruptStateError } from "../../../errors.ts";

const lineFeed = 0x0a;

export class ByteSource {
  readonly #bytes: Buffer;
  /** The offset of the next byte. */
  at = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
  }

  get length(): number {
    return this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  /** A little-endian number of 2 or 4 bytes. */
  unsigned(size: 2 | 4): number {
    return this.#bytes.readUIntLE(this.#advance(size), size);
  }

  signed(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  double(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** A length of 8 bytes. One that is beyond the end is refused, before it is narrowed to a number. */
  longLength(): number {
    const at = this.#advance(8);
    const length = this.#bytes.readBigUInt64LE(at);
    if (length > BigInt(this.#bytes.length - this.at)) this.#truncated(at, String(length));
    return Number(length);
  }

  /** A view of the next bytes, which the caller must copy. */
  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** The bytes up to the next line feed, which is consumed. */
  line(): Uint8Array {
    const end = this.#bytes.indexOf(lineFeed, this.at);
    if (end === -1) this.#truncated(this.at, "a line without its end");
    const line = this.#bytes.subarray(this.at, end);
    this.at = end + 1;
    return line;
  }

  /** Throws if fewer bytes are left. */
  require(length: number): void {
    if (length < 0 || length > this.#bytes.length - this.at) this.#truncated(this.at, String(length));
  }

  #advance(length: number): number {
    this.require(length);
    const at = this.at;
    this.at += length;
    return at;
  }

  #truncated(at: number, wanted: string): never {
    const left = this.#bytes.length - at;
    const what = /^-?\d+$/.test(wanted) ? `${wanted} bytes` : wanted;
    throw new CorruptStateError(
      `the pickle asks for ${what} at byte ${at}, where ${left} are left: it is cut off or damaged`,
    );
  }
}
