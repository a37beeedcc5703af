/** Bytes that grow at the end. Lengths are little-endian, and floats big-endian, as in pickle. */
import { Buffer } from "node:buffer";

export class ByteSink {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = value;
  }

  /** An opcode and an argument of 1, 2 or 4 bytes. */
  withUnsigned(opcode: number, value: number, size: 1 | 2 | 4): void {
    this.byte(opcode);
    const at = this.#grow(size); // may replace the buffer
    this.#bytes.writeUIntLE(value, at, size);
  }

  withSigned(opcode: number, value: number): void {
    this.byte(opcode);
    const at = this.#grow(4); // may replace the buffer
    this.#bytes.writeInt32LE(value, at);
  }

  /** An opcode and a length of 8 bytes. */
  withLongLength(opcode: number, length: number): void {
    this.byte(opcode);
    const at = this.#grow(8); // may replace the buffer
    this.#bytes.writeBigUInt64LE(BigInt(length), at);
  }

  withDouble(opcode: number, value: number): void {
    this.byte(opcode);
    const at = this.#grow(8); // may replace the buffer
    this.#bytes.writeDoubleBE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length); // may replace the buffer
    this.#bytes.set(bytes, at);
  }

  copyTo(target: Uint8Array): void {
    target.set(this.#bytes.subarray(0, this.#length));
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
