/**
 * Converts replies of the scripts, and wakes, to values of the contract. The header of each script describes its
 * replies. Statuses are text, or buffers if the same reply contains a state.
 */
import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  Granted,
  LoadedState,
  ReleaseReply,
  StateEntry,
  TouchReply,
  Wake,
  WriteReply,
} from "../../contract.ts";
import { HoldfastError } from "../../../errors.ts";
import type { RedisReply } from "../client/client-port.ts";
import { readHead, readState, unreadableType } from "./envelope.ts";
import { readMismatch, readWaiting } from "./decode-holders.ts";
import { bytesOf, integer, list, oneOf, parseNumber, remainingMs, text, unexpected } from "./reply-values.ts";
import { isStamp } from "./stamp-range.ts";

/**
 * The replies of a script that carries out many operations, one for each. If all went as requested, the script sends
 * one reply for all: the first stamp, the first stamp with the states, or one word. `stamps`: in that case, the number
 * of stamps from each operation to the next.
 */
export function repliesOf(reply: RedisReply, stamps: readonly number[]): readonly RedisReply[] {
  if (typeof reply === "number") return stampsFrom(reply, stamps);
  if (!Array.isArray(reply)) return stamps.map(() => reply);
  const replies = reply as readonly RedisReply[];
  const [first, stamp, ...values] = replies;
  const isForAll = (typeof first === "string" || Buffer.isBuffer(first)) && text(first) === "granted";
  if (!isForAll || typeof stamp !== "number") return replies;
  return stampsFrom(stamp, stamps).map((fence, index) => [fence, values[index] ?? null]);
}

function stampsFrom(first: number, stamps: readonly number[]): number[] {
  let next = first;
  return stamps.map((count) => {
    const stamp = next;
    next += count;
    return stamp;
  });
}

export function readAcquire(reply: RedisReply, request: AcquireRequest): AcquireReply {
  if (typeof reply === "number") return granted(reply, request);
  if (!Array.isArray(reply)) return { status: oneOf(reply, "settled") };
  const [first, second, third] = reply as readonly RedisReply[];
  if (typeof first === "number") {
    const grant = granted(first, request);
    return request.load ? { ...grant, state: loaded(second, third) } : grant;
  }
  const status = oneOf(first, "granted", "waiting", "busy", "mismatch");
  if (status === "mismatch") return readMismatch(reply);
  return status === "granted" ? grantedInFull(reply, request) : readWaiting(status, reply);
}

/** The reply to an ask with `from`. */
export function readAdoption(reply: RedisReply, request: AcquireRequest): AcquireReply {
  if (Array.isArray(reply)) return readAcquire(reply, request);
  return { status: oneOf(reply, "settled", "lost") };
}

function granted(fence: number, request: AcquireRequest): Granted {
  return { status: "granted", fence, fences: request.fences, leaseMs: request.leaseMs, waiting: 0 };
}

function grantedInFull(reply: readonly RedisReply[], request: AcquireRequest): Granted {
  const [, fence, fences, leaseMs, others, value, type] = reply;
  const grant = {
    fence: integer(fence),
    fences: integer(fences),
    leaseMs: integer(leaseMs),
    waiting: integer(others),
  };
  return { status: "granted", ...grant, ...(request.load ? { state: loaded(value, type) } : {}) };
}

/** The number of subscribers of this client's channel, from the reply to a waiting ask that listens for wakes. */
export function readSubscribers(reply: RedisReply): number {
  return integer(Array.isArray(reply) ? (reply as readonly RedisReply[])[4] : undefined);
}

/** The number of subscribers, from the reply to PUBSUB NUMSUB for one channel. */
export function readNumsub(reply: RedisReply): number {
  return integer(Array.isArray(reply) ? (reply as readonly RedisReply[])[1] : undefined);
}

function loaded(value: RedisReply | undefined, type: RedisReply | undefined): LoadedState {
  if (type !== undefined && type !== null) return unreadableType(text(type));
  return readState(bytesOf(value));
}

export function readRelease(reply: RedisReply): ReleaseReply {
  if (typeof reply === "number") return { status: "released", revision: reply };
  if (reply === "released") return { status: "released", revision: null };
  const [status, ...words] = text(reply).split(" ");
  const [revision, second, third] = words;
  if (status === "released") {
    const failed = second === "OUT_OF_MEMORY" ? { failed: second } : {};
    return {
      status,
      revision: revision === undefined ? null : revisionOf(revision),
      ...failed,
    } as ReleaseReply;
  }
  if (status === "kept") {
    return { status, revision: revisionOf(revision), fence: parseNumber(second), fences: parseNumber(third) };
  }
  if (status === "conflict") return { status, revision: revisionOf(revision) };
  if (status === "unreadable") return { status, unreadable: words.join(" ") };
  return { status: oneOf(status, "lost", "forgotten") };
}

export function readWrite(reply: RedisReply): WriteReply {
  const [status, ...words] = text(reply).split(" ");
  if (status === "saved") return { status, revision: parseNumber(words[0]) };
  if (status === "conflict") return { status, revision: revisionOf(words[0]) };
  if (status === "unreadable") return { status, unreadable: words.join(" ") };
  if (status === "deleted") return { status, existed: words[0] !== "-" };
  return { status: oneOf(status, "busy", "lost", "forgotten") };
}

export function readCancel(reply: RedisReply): CancelReply {
  return { status: oneOf(reply, "cancelled", "released", "forgotten") };
}

export function readTouch(reply: RedisReply): TouchReply {
  const [status, ...words] = text(reply).split(" ");
  if (status === "unreadable") return { status, unreadable: words.join(" ") };
  if (status === "conflict") return { status, revision: revisionOf(words[0]) };
  return { status: oneOf(status, "touched", "absent", "forgotten") };
}

export function readLoad(reply: RedisReply): LoadedState {
  if (!Array.isArray(reply)) return readState(bytesOf(reply));
  const [value, left] = reply as readonly RedisReply[];
  const state = readState(bytesOf(value));
  return state === null || "unreadable" in state ? state : { ...state, expiresInMs: remainingMs(left) };
}

export function readRenew(reply: RedisReply): "renewed" | "lost" {
  const answer = integer(reply);
  if (answer !== 0 && answer !== 1) throw unexpected(`1 or 0 expected, got ${String(answer)}`);
  return answer === 1 ? "renewed" : "lost";
}

/** The next cursor, `null` at the end, and the names in this page. */
export function readScan(reply: RedisReply): { cursor: string | null; names: readonly string[] } {
  const [next, names] = list(reply);
  const cursor = text(next);
  return { cursor: cursor === "0" ? null : cursor, names: list(names).map(text) };
}

/** `null`: absent, or unreadable. Only of the first ids, if the script has stopped. */
export function readDescriptions(
  ids: readonly string[],
  reply: RedisReply,
  values: boolean,
): readonly (StateEntry | null)[] {
  const replies = list(reply);
  if (replies.length > 0 && replies.length <= ids.length)
    return replies.map((one, index) => description(ids[index] ?? "", one, values));
  throw unexpected(`descriptions of ${String(ids.length)} states expected, got ${String(replies.length)}`);
}

function description(id: string, reply: RedisReply, values: boolean): StateEntry | null {
  // Absent, or the type of what is there.
  if (reply === 0 || typeof reply === "string" || Buffer.isBuffer(reply)) return null;
  const [value, length, left] = list(reply);
  const bytes = bytesOf(value);
  const head = bytes === null ? null : readHead(bytes);
  if (bytes === null || head === null) return null;
  const { revision, serializer } = head;
  const size = integer(length) - head.length;
  const entry = { id, revision, serializer, bytes: size, expiresInMs: remainingMs(left) };
  return values ? { ...entry, content: bytes.subarray(head.length) } : entry;
}

/** The limits of a hand-over: scripts/lib/hand-over.lua, scripts/lib/queue.lua. */
const wakeLimits = { leaseMs: 10_000, fences: 1_024 };

/**
 * `null`: not one of Holdfast's messages. A wake is a hint, so unreadable messages are ignored. So is a grant beyond
 * the limits, which another client with access to the channel may have sent.
 */
export function readWake(message: Buffer): Wake | null {
  const end = message.indexOf(10);
  const words = message.toString("utf8", 0, end === -1 ? message.length : end).split(" ");
  const [kind, ticket = ""] = words;
  if (kind === "changed") return { kind, id: words.slice(1).join(" ") };
  // The id comes last, since it may contain spaces.
  if (kind === "wanted" || kind === "forced" || kind === "ask")
    return { kind, ticket, id: words.slice(2).join(" ") };
  if (kind !== "granted" || end === -1) return null;
  const [fence = NaN, fences = NaN, leaseMs = NaN, others = NaN] = words.slice(2, 6).map(Number);
  if (!isStamp(fence) || !isStamp(fence + fences - 1) || !Number.isSafeInteger(others)) return null;
  if (!isWithin(fences, wakeLimits.fences) || !isWithin(leaseMs, wakeLimits.leaseMs)) return null;
  const state = wakeState(words[6], message.subarray(end + 1));
  return { kind, ticket, id: words.slice(7).join(" "), fence, fences, leaseMs, waiting: others, ...state };
}

function isWithin(value: number, most: number): boolean {
  return value >= 1 && value <= most;
}

function wakeState(kind: string | undefined, bytes: Buffer): { state?: LoadedState } {
  if (kind === "s") return { state: readState(bytes) };
  return kind === "a" ? { state: null } : {};
}

function revisionOf(word: string | undefined): number | null {
  return word === "-" || word === "absent" ? null : parseNumber(word);
}

/** Whether the error is about the value of one of Holdfast's keys. */
export function isCorrupt(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === "CORRUPT_STATE";
}

export function insteadIfCorrupt<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (isCorrupt(error)) return instead;
    throw error;
  };
}
