/**
 * The wire format: commands as bytes, and replies read from bytes.
 *
 * Source: "Redis serialization protocol specification", version 2, which every server speaks without being asked.
 */
import type { RedisArgument, RedisReply } from "./client-port.ts";

const code = { return: 13, bulk: 36, array: 42, simple: 43, minus: 45, zero: 48, integer: 58 } as const;

/**
 * Consecutive strings become one, since each part is a write of its own. Nearly all commands are ASCII, which is checked
 * once for all of their arguments.
 */
export function encodeCommand(args: readonly RedisArgument[]): (string | Buffer)[] {
  const parts = encodeWith(charactersOf, args);
  const isAscii = parts.every((part) => Buffer.byteLength(part) === part.length);
  return isAscii ? parts : encodeWith(bytesOf, args);
}

function encodeWith(lengthOf: (text: string) => number, args: readonly RedisArgument[]): (string | Buffer)[] {
  const parts: (string | Buffer)[] = [];
  let text = `*${String(args.length)}\r\n`;
  for (const arg of args) {
    if (typeof arg === "string") {
      text += `$${String(lengthOf(arg))}\r\n${arg}\r\n`;
    } else {
      parts.push(`${text}$${String(arg.length)}\r\n`, arg);
      text = "\r\n";
    }
  }
  parts.push(text);
  return parts;
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

function charactersOf(text: string): number {
  return text.length;
}

/** An error reply, however it begins: some servers give errors without a code. */
export class ErrorReply extends Error {}

export interface ReplyListener {
  /** Whether the strings of the next reply are wanted as bytes. */
  wantsBytes(): boolean;
  reply(reply: RedisReply): void;
}

/** An array of which not all elements have arrived. */
interface OpenArray {
  readonly elements: RedisReply[];
  readonly length: number;
  /** The one that it is an element of. */
  readonly outer: OpenArray | undefined;
}

/** In the place of a reply: an array has begun, and its elements follow. */
const begun = Symbol("begun");

/**
 * Reads replies from the chunks in which they arrive. What is not complete is read again with the next chunk: a line or a
 * string, but not the elements before it, or an array of many large strings would be read once for each of them.
 */
export class ReplyReader {
  readonly #listener: ReplyListener;
  /** What is being read: up to `#end`, from `#at` on. */
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #at = 0;
  #asBytes = false;
  /** The innermost array that is not complete. */
  #array: OpenArray | undefined;
  /** The start of a line or string that is not complete, in pieces, and the least length with which it could be. */
  #pieces: Buffer[] = [];
  #length = 0;
  #needed = 0;

  constructor(listener: ReplyListener) {
    this.#listener = listener;
  }

  /**
   * Reads the first `length` bytes of `chunk`. Keeps nothing of it, since it may be used again.
   *
   * @throws Error if the bytes are no replies of a Redis server.
   */
  read(chunk: Buffer, length: number): void {
    if (this.#length + length < this.#needed) return this.#keep(chunk.subarray(0, length));
    if (this.#length === 0) {
      this.#bytes = chunk;
      this.#end = length;
    } else this.#join(chunk.subarray(0, length));
    this.#needed = 0;
    let start = 0;
    while (start < this.#end) {
      this.#at = start;
      if (this.#array === undefined) this.#asBytes = this.#listener.wantsBytes();
      const reply = this.#next();
      if (reply === undefined) break;
      start = this.#at;
      if (reply !== begun) this.#done(reply);
    }
    if (start < this.#end) {
      this.#needed -= start;
      this.#keep(this.#bytes.subarray(start, this.#end));
    }
  }

  #join(chunk: Buffer): void {
    this.#bytes = Buffer.concat([...this.#pieces, chunk]);
    this.#end = this.#bytes.length;
    this.#pieces = [];
    this.#length = 0;
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
    this.#length += piece.length;
  }

  /** Completes the arrays of which it is the last element. */
  #done(reply: RedisReply): void {
    let complete = reply;
    for (let array = this.#array; array !== undefined; array = array.outer) {
      if (array.elements.push(complete) < array.length) {
        this.#array = array;
        return;
      }
      complete = array.elements;
    }
    this.#array = undefined;
    this.#listener.reply(complete);
  }

  /** `undefined`: it is not complete. */
  #next(): RedisReply | typeof begun | undefined {
    const type = this.#bytes[this.#at];
    this.#at += 1;
    switch (type) {
      case code.bulk:
        return this.#bulk();
      case code.array:
        return this.#begin();
      case code.integer:
        return this.#integer();
      case code.simple:
        return this.#line();
      case code.minus: {
        const message = this.#line();
        return message === undefined ? undefined : new ErrorReply(String(message));
      }
      default:
        throw new Error(
          `Unknown RESP type ${String(type)} ${JSON.stringify(String.fromCharCode(type ?? 0))}`,
        );
    }
  }

  #bulk(): string | Buffer | null | undefined {
    const length = this.#integer();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    const start = this.#at;
    const end = start + length;
    if (end + 2 > this.#end) {
      this.#needed = end + 2;
      return undefined;
    }
    this.#at = end + 2;
    return this.#asBytes
      ? Buffer.from(this.#bytes.subarray(start, end))
      : this.#bytes.toString("utf8", start, end);
  }

  #begin(): RedisReply | typeof begun | undefined {
    const length = this.#integer();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    if (length === 0) return [];
    this.#array = { elements: [], length, outer: this.#array };
    return begun;
  }

  #line(): string | Buffer | undefined {
    const start = this.#at;
    const end = this.#bytes.indexOf(code.return, start);
    if (end < 0 || end + 2 > this.#end) return undefined;
    this.#at = end + 2;
    return this.#bytes.toString("utf8", start, end);
  }

  #integer(): number | undefined {
    const [bytes, end] = [this.#bytes, this.#end];
    const isNegative = bytes[this.#at] === code.minus;
    let value = 0;
    for (let at = isNegative ? this.#at + 1 : this.#at; at + 1 < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === code.return) {
        this.#at = at + 2;
        return isNegative ? -value : value;
      }
      value = value * 10 + (byte - code.zero);
    }
    return undefined;
  }
}
