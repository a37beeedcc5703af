/**
 * The value of a state's key: `hf1 <revision> <serializer>\n`, then the bytes [S6]. The revision may have leading
 * zeros. Written by scripts/lib/change.lua, read here.
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

/** `null`: not a head of Holdfast's. */
export function readHead(value: Buffer): Head | null {
  const head = value.toString("latin1", 0, headBytes);
  const found = /^hf1 (\d+) ([\w.-]+)\n/.exec(head);
  if (found === null || Number(found[1]) >= endOfStamps) return null;
  return { revision: Number(found[1]), serializer: found[2] ?? "", length: found[0].length };
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
