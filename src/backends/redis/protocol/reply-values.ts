/** The values in a reply, checked: a key that another program has written must not be taken for what it is not. */
import { CorruptStateError } from "../../../errors.ts";
import type { RedisReply } from "../client/client-port.ts";

/** Not a reply of Holdfast's scripts: it was made from a key that another program has written. */
export function unexpected(what: string): CorruptStateError {
  return new CorruptStateError(
    `HOLDFAST_REDIS_REPLY: ${what}. Something other than Holdfast changed a key with this prefix: find out what.`,
    { outcome: "unknown" },
  );
}

export function oneOf<Word extends string>(reply: RedisReply | undefined, ...words: readonly Word[]): Word {
  const word = reply === undefined ? "" : text(reply);
  const found = words.find((known) => known === word);
  if (found === undefined) throw unexpected(`unknown status ${JSON.stringify(word.slice(0, 40))}`);
  return found;
}

export function text(reply: RedisReply | undefined): string {
  if (typeof reply === "string") return reply;
  if (Buffer.isBuffer(reply)) return reply.toString();
  throw unexpected(`text expected, got ${typeof reply}`);
}

export function integer(reply: RedisReply | undefined): number {
  if (typeof reply === "number") return reply;
  throw unexpected(`a number expected, got ${typeof reply}`);
}

export function list(reply: RedisReply | undefined): readonly RedisReply[] {
  if (Array.isArray(reply)) return reply as readonly RedisReply[];
  throw unexpected(`an array expected, got ${typeof reply}`);
}

/** `null`: absent, and only that [S1]. */
export function bytesOf(reply: RedisReply | undefined): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply;
  throw unexpected(`bytes expected, got ${typeof reply}`);
}

/** Parses a number in a status line. */
export function parseNumber(word: string | undefined): number {
  const value = Number(word);
  if (word !== undefined && word !== "" && Number.isSafeInteger(value)) return value;
  throw unexpected(`a number expected, got ${JSON.stringify(word)}`);
}

/** PTTL: -1 means no expiry. -2 is impossible inside a script that has just read the key. */
export function remainingMs(reply: RedisReply | undefined): number | null {
  const left = integer(reply);
  return left < 0 ? null : left;
}
