/** The types of `@redis/client` that the adapters rely on, written out so that no type of ours names the package. */
import { underNodesImmediate } from "../../../timers.ts";
import type { RedisCommand } from "./client-port.ts";
import { ErrorReply } from "./resp.ts";

/** A connected client of `@redis/client` (or `redis`) 5 or 6, as given to `open()`. It stays yours: we never close it. */
export interface RedisClientLike {
  /** Whether commands can be sent now. */
  readonly isReady?: boolean | undefined;
  /** Sends one command, and resolves to its reply. */
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>;
  /** Makes the connection for wakes, which is ours. Without it, waiters ask more often. */
  duplicate?(overrides?: object): object;
  /** To follow it when it reconnects. */
  on?(event: "end" | "reconnecting" | "ready", listener: () => void): unknown;
  /** Undoes `on`. */
  off?(event: "end" | "reconnecting" | "ready", listener: () => void): unknown;
}

export interface CommandSender {
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>;
}

export interface ChannelSubscriber {
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
  /** To a channel that a cluster keeps at the owner of its slot. */
  sSubscribe?(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
}

/** `timeout: undefined` saves an AbortSignal per command; the code of a bulk string's type is 36, its `$`. */
const asText = Object.freeze({ timeout: undefined, typeMapping: {} });
const asBytes = Object.freeze({ timeout: undefined, typeMapping: { 36: Buffer } });

/** Whether these are the options of a command that wants bytes. */
export function wantsBytes(options: object | undefined): boolean {
  return options === asBytes;
}

/** The package writes in a setImmediate that it looks up at each call. */
export function sendWith(to: CommandSender, { args, bytes }: RedisCommand): Promise<unknown> {
  return underNodesImmediate(() => to.sendCommand(args, bytes ? asBytes : asText));
}

/**
 * Error replies begin with a word in capitals, or with a position in a script. Messages of the package do not, and errors
 * of Node have a code.
 */
export function isErrorReply(error: Error): boolean {
  if (error instanceof ErrorReply) return true;
  if (typeof (error as { code?: unknown }).code === "string") return false;
  return /^-?(?:[A-Z]{2,}[A-Z0-9]*\b|@user_script\b)/.test(error.message);
}

/** The messages of the package, and of ioredis, about commands that they refused to queue. */
export const notSentMessages: ReadonlySet<string> = new Set([
  "The client is offline",
  "The client is closed",
  "The queue is full",
  "Stream isn't writeable and enableOfflineQueue options is false",
]);
