/**
 * Writes single instructions of protocol 4, and counts them: a pickle that this library would refuse to read, because it
 * has too many of them, is refused when it is written.
 *
 * The memo is used for what occurs more than once, so that equal values give equal bytes.
 */
import { SerializationError } from "../../../errors.ts";
import { bytesOfInteger } from "../integers.ts";
import type { Limits } from "../limits.ts";
import { opcode } from "../opcodes.ts";
import { encodeText } from "../utf8.ts";
import { ByteSink } from "./byte-sink.ts";

const int32 = 2 ** 31;
const nanBytes = new Uint8Array([opcode.BINFLOAT, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);

export class OpcodeWriter {
  readonly sink = new ByteSink();
  readonly #limits: Limits;
  readonly #memo = new Map<unknown, number>();
  readonly #marks = new Map<string, Map<string | null, symbol>>();
  #items = 0;
  #containers = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** An instruction without arguments. */
  op(code: number): void {
    this.#count();
    this.sink.byte(code);
  }

  /** The same, for one that makes an object. */
  object(code: number): void {
    this.#containers += 1;
    this.#bound(this.#containers, "maxContainers");
    this.op(code);
  }

  /** Keeps the value on top of the stack in the memo. */
  memoize(key: unknown): void {
    this.#memo.set(key, this.#memo.size);
    this.#bound(this.#memo.size, "maxMemo");
    this.op(opcode.MEMOIZE);
  }

  /** Pushes what is in the memo; false if it is not there. */
  recall(key: unknown): boolean {
    const index = this.#memo.get(key);
    if (index === undefined) return false;
    this.#count();
    if (index < 256) this.sink.withUnsigned(opcode.BINGET, index, 1);
    else this.sink.withUnsigned(opcode.LONG_BINGET, index, 4);
    return true;
  }

  integer(value: number): void {
    this.#count();
    if (value >= 0 && value < 256) this.sink.withUnsigned(opcode.BININT1, value, 1);
    else if (value >= 0 && value < 65_536) this.sink.withUnsigned(opcode.BININT2, value, 2);
    else if (value >= -int32 && value < int32) this.sink.withSigned(opcode.BININT, value);
    else this.#long(BigInt(value));
  }

  bigint(value: bigint): void {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return this.integer(number);
    this.#count();
    this.#long(value);
  }

  float(value: number): void {
    this.#count();
    // There are many NaNs by their bits, and JavaScript does not say which one a calculation gives.
    if (Number.isNaN(value)) this.sink.raw(nanBytes);
    else this.sink.withDouble(opcode.BINFLOAT, value);
  }

  text(value: string): void {
    this.#count();
    const bytes = encodeText(value);
    if (bytes.length < 256) this.sink.withUnsigned(opcode.SHORT_BINUNICODE, bytes.length, 1);
    else if (bytes.length < 2 ** 32) this.sink.withUnsigned(opcode.BINUNICODE, bytes.length, 4);
    else this.sink.withLongLength(opcode.BINUNICODE8, bytes.length);
    this.sink.raw(bytes);
  }

  bytes(value: Uint8Array): void {
    this.#containers += 1;
    this.#bound(this.#containers, "maxContainers");
    this.#count();
    if (value.length < 256) this.sink.withUnsigned(opcode.SHORT_BINBYTES, value.length, 1);
    else if (value.length < 2 ** 32) this.sink.withUnsigned(opcode.BINBYTES, value.length, 4);
    else this.sink.withLongLength(opcode.BINBYTES8, value.length);
    this.sink.raw(value);
  }

  /** Pushes what `write` makes, which is the same for every use of these keys. They are not joined: one may be long. */
  once([key, subkey]: readonly [string, string | null], write: () => void): void {
    const marks = this.#marks.get(key) ?? new Map<string | null, symbol>();
    if (this.recall(marks.get(subkey))) return;
    write();
    const mark = Symbol(key); // the key itself would be taken for a text of the value
    this.#marks.set(key, marks.set(subkey, mark));
    this.memoize(mark);
  }

  /** A constructor, by its name. */
  named(module: string, name: string): void {
    this.once([module, name], () => {
      this.text(module);
      this.text(name);
      this.op(opcode.STACK_GLOBAL);
    });
  }

  #long(value: bigint): void {
    const bytes = bytesOfInteger(value);
    if (bytes.length < 256) this.sink.withUnsigned(opcode.LONG1, bytes.length, 1);
    else this.sink.withSigned(opcode.LONG4, bytes.length);
    this.sink.raw(bytes);
  }

  #count(): void {
    this.#items += 1;
    this.#bound(this.#items, "maxItems");
  }

  #bound(count: number, limit: keyof Limits): void {
    if (count <= this.#limits[limit]) return;
    throw new SerializationError(
      `Pickle cannot keep this value: it takes more than ${this.#limits[limit]} steps of one kind to make (${limit}). ` +
        "Split it into several states, or raise the limit with createPickle.",
    );
  }
}
