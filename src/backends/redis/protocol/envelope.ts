/**
 * The value of a state's key: `hf1 <revision> <format>\n`, then the bytes [S6]. The format is the name of a serializer, with
 * the version of the value unless that is 1: `json`, `json@2`. The revision may have leading zeros. Written by scripts/lib/change.lua, read here.
 */
import type { LoadedState, StateDescription, UnreadableState } from "../../contract.ts";
import type { RedisReply } from "../client/client-port.ts";
import { bytesOf, list, remainingMs, text } from "./reply-values.ts";
import { endOfStamps } from "./stamp-range.ts";

/** The maximum length of a head; scripts/lib/envelope.lua and scripts/describe.lua read as much. */
const headBytes = 128;

export interface Head {
  readonly revision: number;
  readonly serializer: string;
  /** Where the bytes begin. */
  readonly length: number;
}

/** The head of a value that is sent ahead: scripts/lib/change.lua overwrites the zeros with the revision. */
export function stagedHead(serializer: string): Buffer {
  return Buffer.from(`hf1 ${"0".repeat(16)} ${serializer}\n`, "latin1");
}

const format = Buffer.from("hf1 ");
const [space, newline, zero] = [32, 10, 48];

/**
 * `null`: not a head of Holdfast's. Read byte by byte, since a regular expression takes eight times as long, and many
 * states may come in one reply.
 */
export function readHead(value: Buffer): Head | null {
  for (let at = 0; at < format.length; at += 1) if (value[at] !== format[at]) return null;
  let [at, revision] = [format.length, 0];
  for (; at < headBytes && isDigit(value[at]); at += 1) revision = revision * 10 + (value[at] ?? 0) - zero;
  if (at === format.length || value[at] !== space || revision >= endOfStamps) return null;
  const from = at + 1;
  for (at = from; at < headBytes && isOfName(value[at]); at += 1);
  if (at === from || value[at] !== newline || at >= headBytes) return null;
  return { revision, serializer: value.toString("latin1", from, at), length: at + 1 };
}

function isDigit(byte = 0): boolean {
  return byte >= 48 && byte <= 57;
}

/** A letter, a digit, or one of `_`, `.`, `@` and `-`. */
function isOfName(byte = 0): boolean {
  const letter = byte | 32;
  return (
    (letter >= 97 && letter <= 122) ||
    isDigit(byte) ||
    byte === 95 ||
    byte === 46 ||
    byte === 64 ||
    byte === 45
  );
}

export function readState(value: Buffer | null): LoadedState {
  if (value === null) return null;
  const head = readHead(value);
  if (head === null) return unreadable(value);
  return { revision: head.revision, serializer: head.serializer, bytes: value.subarray(head.length) };
}

/** The reply of describe.lua, about one state. */
export function readDescribed(reply: RedisReply): StateDescription | UnreadableState | null {
  if (reply === 0) return null;
  if (!Array.isArray(reply)) return unreadableType(text(reply));
  const [value, , left] = list(reply);
  const start = bytesOf(value) ?? Buffer.alloc(0);
  const head = readHead(start);
  if (head === null) return unreadable(start);
  return { revision: head.revision, serializer: head.serializer, expiresInMs: remainingMs(left) };
}

export function unreadableType(type: string): UnreadableState {
  return { unreadable: `a Redis ${type}` };
}

function unreadable(value: Buffer): UnreadableState {
  const format = /^(hf\d+) /.exec(value.toString("latin1", 0, headBytes))?.[1];
  const isNewer = format !== undefined && format !== "hf1";
  return { unreadable: isNewer ? `format ${format}` : "data that Holdfast did not write" };
}
