/**
 * One connection of the client package, with what the package does not tell: how many bytes it has read, how large what
 * is under way is, and why we ended it.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { now } from "../../../timers.ts";
import type { RedisArgument, RedisCommand } from "./port.ts";
import type { Transport } from "./connection.ts";
import { sendThrough, type CommandSender, type PackageSubscriber } from "./node-redis-types.ts";
import { StallDetector } from "./stall-detector.ts";

export type PackageClient = Transport & CommandSender & PackageSubscriber;

export interface RedisSocketOptions {
  /** How long nothing may be read while an answer is awaited; and at most, for a large command. */
  readonly stallMs: number;
  readonly longestMs: number;
  /** Nothing moves any more: it is to be dropped. */
  readonly onStall: (socket: RedisSocket, error: Error) => void;
}

export class RedisSocket implements Transport {
  readonly #client: PackageClient;
  readonly #stallDetector: StallDetector;
  #netSocket: { readonly bytesRead: number } | undefined;
  #onIdle: (() => void) | undefined;
  #why: Error | undefined;
  #isStalled = false;

  constructor(connection: PackageClient, { stallMs, longestMs, onStall }: RedisSocketOptions) {
    this.#client = connection;
    this.#stallDetector = new StallDetector({
      limitMs: stallMs,
      longestMs,
      bytesRead: () => this.#netSocket?.bytesRead,
      onStall: (quietMs) => {
        this.#isStalled = true; // first: it ends all that is under way, and what that means depends on it
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
    this.#client.destroy();
  }

  /** The package says only that we ended it. */
  get why(): Error | undefined {
    return this.#why;
  }

  /** It was given up since nothing moved. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  on(event: "error" | "end" | "ready", listener: (error?: unknown) => void): unknown {
    return this.#client.on(event, listener);
  }

  subscribe(channel: string, listener: (message: Buffer) => void): Promise<unknown> {
    return this.#client.subscribe(channel, listener, true);
  }

  send(command: RedisCommand, bytes: number): Promise<unknown> {
    this.#stallDetector.sent(bytes);
    return sendThrough(this.#client, command);
  }

  /** To be called when what was sent is settled. */
  settled(bytes: number): void {
    this.#stallDetector.answered(bytes);
    if (this.#onIdle !== undefined && this.#stallDetector.isIdle) this.#onIdle();
  }

  /** Nothing more is sent: calls `fn` once all that is under way is settled. */
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
 * The package keeps its socket to itself; Node tells of each one as it is made, which is within this call.
 * For TLS some versions (20 among them) do not: then nobody is told.
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

/** No server is asked to take less than so much at once. */
const leastLimitBytes = 1_048_576;
const tooLarge =
  "A server breaks the connection on which more comes than its client-query-buffer-limit or its proto-max-bulk-len: " +
  "raise them, or keep less in one state";

/** Restarts and short outages that are further apart have nothing to do with each other. */
const suspicionMs = 60_000;

/** Tells breaks of the network from those that a large command brings about: the second connection that it breaks is no accident. */
export class OversizeDetector {
  readonly #suspicionMs: number;
  /** The smallest that broke a connection since one as large passed; which connection that was, and how long it counts. */
  #suspectBytes = Infinity;
  #broken: object | undefined;
  #until = 0;

  constructor(forMs = suspicionMs) {
    this.#suspicionMs = forMs;
  }

  passed(bytes: number): void {
    if (bytes >= this.#suspectBytes) this.#suspectBytes = Infinity;
  }

  /** What it means for a command of this size that this connection broke. */
  broke(connection: object, bytes: number): { readonly hint?: string; readonly lasting?: boolean } {
    if (bytes < leastLimitBytes) return {};
    if (now() > this.#until) this.#suspectBytes = Infinity;
    this.#until = now() + this.#suspicionMs;
    const lasting = bytes >= this.#suspectBytes && this.#broken !== connection;
    if (bytes < this.#suspectBytes) this.#broken = connection;
    this.#suspectBytes = Math.min(this.#suspectBytes, bytes);
    return { hint: tooLarge, lasting };
  }
}
