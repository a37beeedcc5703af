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

/** Reads replies from the chunks in which they arrive. A reply that is not complete is read again with the next chunk. */
export class ReplyReader {
  readonly #listener: ReplyListener;
  /** What is being read: up to `#end`, from `#at` on. */
  #bytes: Buffer = Buffer.alloc(0);
  #end = 0;
  #at = 0;
  #asBytes = false;
  /** The start of a reply that is not complete, in pieces, and the least length with which it could be. */
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
      this.#asBytes = this.#listener.wantsBytes();
      const reply = this.#reply();
      if (reply === undefined) break;
      start = this.#at;
      this.#listener.reply(reply);
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

  /** `undefined`: it is not complete. */
  #reply(): RedisReply | undefined {
    if (this.#at >= this.#end) return undefined;
    const type = this.#bytes[this.#at];
    this.#at += 1;
    switch (type) {
      case code.bulk:
        return this.#bulk();
      case code.array:
        return this.#array();
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

  #array(): RedisReply | undefined {
    const length = this.#integer();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    const elements: RedisReply[] = [];
    for (let index = 0; index < length; index += 1) {
      const element = this.#reply();
      if (element === undefined) return undefined;
      elements.push(element);
    }
    return elements;
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
