/**
 * Converts what the scripts reply about holders: to asks that wait, inspections, and changes of semaphores.
 */
import type {
  Holder,
  LockEntry,
  Mismatch,
  SemaphoreEntry,
  SemaphoreReply,
  ShareEntry,
  Forgotten,
  Waiting,
} from "../../contract.ts";
import type { RedisReply } from "../client/client-port.ts";
import { integer, list, oneOf, parseNumber, remainingMs, text } from "./reply-values.ts";
import { tokenOf } from "./token-text.ts";

/** The last fence of the holder, from the reply to a waiting ask; `null` for a foreign holder. */
export function readLastFence(reply: RedisReply): number | null {
  return Array.isArray(reply) ? readHolder((reply as readonly RedisReply[])[1]).lastFence : null;
}

export function readWaiting(status: "waiting" | "busy", reply: readonly RedisReply[]): Waiting {
  const [, held, left, ahead, , holders] = reply;
  const answer = {
    status,
    holder: readHolder(held).holder,
    retryInMs: remainingMs(left),
    ahead: integer(ahead),
  };
  return holders === undefined ? answer : { ...answer, holders: integer(holders) };
}

export function readMismatch(reply: readonly RedisReply[]): Mismatch {
  const [, limit, created] = reply.map((value, index) => (index === 0 ? 0 : integer(value)));
  if (limit === undefined || limit < 0) return { status: "mismatch", limit: null, created: null };
  return { status: "mismatch", limit, created: created ?? null };
}

/** `null`: the lock is free. */
export function readInspect(id: string, reply: RedisReply): LockEntry | null {
  if (reply === 0) return null;
  const [held, left, waiters, ...rest] = list(reply);
  if (typeof held !== "number") {
    const holder = readHolder(held);
    const entry = { id, ...holder, expiresInMs: remainingMs(left), waiters: integer(waiters) };
    return holder.fence === null ? entry : { ...entry, heldForMs: passedMs(holder.fence, rest) };
  }
  const shares = readShares(rest);
  const [first] = [...shares].sort((one, two) => one.leftMicros - two.leftMicros); // equal ones stay by fence
  if (first === undefined) return null;
  const { token, fence, lastFence, expiresInMs } = first.entry;
  return {
    id,
    holder: { token, foreign: false },
    fence,
    lastFence,
    expiresInMs,
    waiters: integer(waiters),
    heldForMs: passedMs(fence, rest),
    shares: shares.map(({ entry }) => entry),
  };
}

/** Fences are stamps: the server's time in microseconds, or a little more. The last of the fields is its time now. */
function passedMs(fence: number, fields: readonly RedisReply[]): number {
  return Math.max(0, Math.floor((integer(fields.at(-1)) - fence) / 1_000));
}

/** `null`: there is no such semaphore. */
export function readInspectedSemaphore(id: string, reply: RedisReply): SemaphoreEntry | null {
  if (reply === 0) return null;
  const [limit, created, waiters, ...rest] = list(reply);
  if (typeof limit !== "number" || limit < 0) return null;
  const holders = readShares(rest).map(({ entry }) => entry);
  return { id, limit, created: integer(created), holders, waiters: integer(waiters) };
}

export function readSemaphoreChange(reply: RedisReply): SemaphoreReply | Forgotten {
  return { status: oneOf(reply, "resized", "removed", "absent", "busy", "forgotten") };
}

interface Inspected {
  readonly entry: ShareEntry;
  readonly leftMicros: number;
}

/** Tickets, each followed by `<remaining µs> <first fence> <last fence> <weight>`. Returned by fence. */
function readShares(fields: readonly RedisReply[]): readonly Inspected[] {
  const shares: Inspected[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [leftMicros, fence, lastFence, weight] = text(fields[at + 1])
      .split(" ")
      .map((word) => parseNumber(word)) as [number, number, number, number];
    const expiresInMs = Math.ceil(leftMicros / 1_000);
    shares.push({ leftMicros, entry: { token: text(fields[at]), fence, lastFence, weight, expiresInMs } });
  }
  return shares.sort((one, two) => one.entry.fence - two.entry.fence);
}

type Held = Pick<LockEntry, "holder" | "fence" | "lastFence">;

/** `<ticket> <fence>` or `<ticket> <first> <last>`; anything else is the token of a foreign client [L11]. */
function readHolder(held: RedisReply | undefined): Held {
  const value = Buffer.isBuffer(held) ? tokenOf(held) : text(held);
  const found = /^(\S+:\d+:[0-9a-f]+:\d+) (\d+)(?: (\d+))?$/.exec(value);
  const holder: Holder = { token: found?.[1] ?? value, foreign: found === null };
  if (found === null) return { holder, fence: null, lastFence: null };
  return { holder, fence: Number(found[2]), lastFence: Number(found[3] ?? found[2]) };
}
