/**
 * The wire format: commands as bytes, and replies read from bytes.
 *
 * Source: "Redis serialization protocol specification", version 2, which every server speaks without being asked.
 */
import type { RedisArgument, RedisReply } from "./client-port.ts";

const code = { return: 13, bulk: 36, array: 42, simple: 43, minus: 45, zero: 48, integer: 58 } as const;

/** Consecutive strings become one, since each part is a write of its own. */
export function encodeCommand(args: readonly RedisArgument[]): (string | Buffer)[] {
  const parts: (string | Buffer)[] = [];
  let text = `*${String(args.length)}\r\n`;
  for (const arg of args) {
    if (typeof arg === "string") {
      text += `$${String(Buffer.byteLength(arg))}\r\n${arg}\r\n`;
    } else {
      parts.push(`${text}$${String(arg.length)}\r\n`, arg);
      text = "\r\n";
    }
  }
  parts.push(text);
  return parts;
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
  #bytes: Buffer = Buffer.alloc(0);
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
   * Keeps nothing of `chunk`, which may be used again.
   *
   * @throws Error if the bytes are no replies of a Redis server.
   */
  read(chunk: Buffer): void {
    if (this.#length + chunk.length < this.#needed) return this.#keep(chunk);
    this.#bytes = this.#length === 0 ? chunk : Buffer.concat([...this.#pieces, chunk]);
    this.#pieces = [];
    this.#length = 0;
    this.#needed = 0;
    let start = 0;
    while (start < this.#bytes.length) {
      this.#at = start;
      this.#asBytes = this.#listener.wantsBytes();
      const reply = this.#reply();
      if (reply === undefined) break;
      start = this.#at;
      this.#listener.reply(reply);
    }
    if (start < this.#bytes.length) {
      this.#needed -= start;
      this.#keep(this.#bytes.subarray(start));
    }
  }

  #keep(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
    this.#length += piece.length;
  }

  /** `undefined`: it is not complete. */
  #reply(): RedisReply | undefined {
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
      case undefined:
        return undefined;
      default:
        throw new Error(`Unknown RESP type ${String(type)} ${JSON.stringify(String.fromCharCode(type))}`);
    }
  }

  #bulk(): string | Buffer | null | undefined {
    const length = this.#integer();
    if (length === undefined) return undefined;
    if (length < 0) return null;
    const start = this.#at;
    const end = start + length;
    if (end + 2 > this.#bytes.length) {
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
    if (end < 0 || end + 2 > this.#bytes.length) return undefined;
    this.#at = end + 2;
    return this.#bytes.toString("utf8", start, end);
  }

  #integer(): number | undefined {
    const bytes = this.#bytes;
    const isNegative = bytes[this.#at] === code.minus;
    let value = 0;
    for (let at = isNegative ? this.#at + 1 : this.#at; at + 1 < bytes.length; at += 1) {
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
