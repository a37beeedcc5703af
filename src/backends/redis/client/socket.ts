/**
 * One connection with what the core of the port needs of it: how many bytes were read, how large the commands in flight
 * are, and why we ended it. It is a RespConnection, or a duplicate of a user's client, which exposes none of these.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { now } from "../../../timers.ts";
import type { RedisArgument, RedisCommand } from "./client-port.ts";
import type { Transport } from "./connection.ts";
import { sendWith, type CommandSender, type ChannelSubscriber } from "./node-redis-types.ts";
import { StallDetector } from "./stall-detector.ts";

export type ServerConnection = Transport & CommandSender & ChannelSubscriber;

interface Emitter {
  on(event: string, listener: () => void): unknown;
}

export interface RedisSocketOptions {
  /** After how long without data a pending reply means a stall; and at most, for a large command. */
  readonly stallMs: number;
  readonly longestMs: number;
  /** No data arrives any more: drop it. */
  readonly onStall: (socket: RedisSocket, error: Error) => void;
}

export class RedisSocket implements Transport {
  readonly #client: ServerConnection;
  readonly #stallDetector: StallDetector;
  #netSocket: { readonly bytesRead: number } | undefined;
  #onIdle: (() => void) | undefined;
  #why: Error | undefined;
  #isStalled = false;

  constructor(connection: ServerConnection, { stallMs, longestMs, onStall }: RedisSocketOptions) {
    this.#client = connection;
    this.#stallDetector = new StallDetector({
      limitMs: stallMs,
      longestMs,
      bytesRead: () => this.#netSocket?.bytesRead,
      onStall: (quietMs) => {
        this.#isStalled = true; // first, since the commands in flight fail in onStall, and their errors depend on it
        onStall(this, new Error(`nothing arrived for ${String(Math.round(quietMs))} ms`));
      },
    });
  }

  connect(): Promise<unknown> {
    return withSocketOf(
      () => this.#client.connect(),
      (socket) => (this.#netSocket = socket),
    );
  }

  destroy(why?: Error): void {
    this.#why ??= why;
    this.#stallDetector.end();
    this.#client.destroy(why);
  }

  /** Why we ended it; the package only reports that we did. */
  get why(): Error | undefined {
    return this.#why;
  }

  /** It was dropped because no data arrived. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  on(event: "error" | "end" | "ready", listener: (error?: unknown) => void): unknown {
    return this.#client.on(event, listener);
  }

  subscribe(channel: string, listener: (message: Buffer) => void): Promise<unknown> {
    return this.#client.subscribe(channel, listener, true);
  }

  /** To another channel, once it is subscribed to one; `isSharded`: of those that a cluster keeps at the owner of the slot. */
  subscribeToo(channel: string, listener: (message: Buffer) => void, isSharded: boolean): Promise<unknown> {
    if (!isSharded || this.#client.sSubscribe === undefined) return this.subscribe(channel, listener);
    return this.#client.sSubscribe(channel, listener, true);
  }

  /**
   * On a cluster: to a channel that is kept at the owner of its slot; before Redis 7, to a plain one. `onMoved`: the server
   * is not the owner any more, and has ended the subscription. Returns whether the channel is sharded.
   */
  async subscribeAtOwner(
    channel: string,
    { listener, onMoved }: { listener: (message: Buffer) => void; onMoved: () => void },
  ): Promise<boolean> {
    const client: ChannelSubscriber & Emitter = this.#client;
    let isMoved = false;
    client.on("sharded-channel-moved", () => {
      if (!isMoved) onMoved(); // the server says so for each channel
      isMoved = true;
    });
    try {
      if (client.sSubscribe !== undefined) {
        await client.sSubscribe(channel, listener, true);
        return true;
      }
    } catch (error) {
      if (!(error instanceof Error) || !/unknown command/i.test(error.message)) throw error;
    }
    await this.subscribe(channel, listener);
    return false;
  }

  send(command: RedisCommand, bytes: number): Promise<unknown> {
    this.#stallDetector.sent(bytes);
    return sendWith(this.#client, command);
  }

  /** To be called when a command is settled. */
  settled(bytes: number): void {
    this.#stallDetector.answered(bytes);
    if (this.#onIdle !== undefined && this.#stallDetector.isIdle) this.#onIdle();
  }

  /** Calls `fn` once all commands in flight are settled; no more are sent. */
  whenIdle(fn: () => void): void {
    if (this.#stallDetector.isIdle) fn();
    else this.#onIdle = fn;
  }
}

export function sizeOf(args: readonly RedisArgument[]): number {
  let size = 0;
  for (const arg of args) size += arg.length;
  return size;
}

/**
 * The package does not expose its socket; Node announces each one when it is made, which is within this call.
 * For TLS some versions of Node (20 among them) do not: then `onSocket` is not called.
 */
function withSocketOf<T>(connect: () => T, onSocket: (socket: { readonly bytesRead: number }) => void): T {
  const heard = (message: unknown): void => onSocket((message as { socket: { bytesRead: number } }).socket);
  subscribe("net.client.socket", heard);
  try {
    return connect();
  } finally {
    unsubscribe("net.client.socket", heard);
  }
}

/** No server has lower limits than this. */
const leastLimitBytes = 1_048_576;
const tooLarge =
  "A server closes a connection that sends more than its client-query-buffer-limit or proto-max-bulk-len: raise " +
  "them, or store less in one state";

/** Breaks that are further apart are unrelated. */
const suspicionMs = 60_000;

/** Tells breaks caused by a large command from breaks of the network: the second connection that it breaks is no accident. */
export class OversizeDetector {
  readonly #suspicionMs: number;
  /** The smallest command that broke a connection since one as large passed; that connection, and how long this counts. */
  #suspectBytes = Infinity;
  #brokenConnection: object | undefined;
  #until = 0;

  constructor(forMs = suspicionMs) {
    this.#suspicionMs = forMs;
  }

  passed(bytes: number): void {
    if (bytes >= this.#suspectBytes) this.#suspectBytes = Infinity;
  }

  /** What a break of this connection means for a command of this size. */
  broke(connection: object, bytes: number): { readonly hint?: string; readonly lasting?: boolean } {
    if (bytes < leastLimitBytes) return {};
    if (now() > this.#until) this.#suspectBytes = Infinity;
    this.#until = now() + this.#suspicionMs;
    const lasting = bytes >= this.#suspectBytes && this.#brokenConnection !== connection;
    if (bytes < this.#suspectBytes) this.#brokenConnection = connection;
    this.#suspectBytes = Math.min(this.#suspectBytes, bytes);
    return { hint: tooLarge, lasting };
  }
}
