/**
 * A duplicate of the user's `ioredis` client, as a connection of our own: it tries once, never reconnects, queues and
 * resends nothing, and does not keep the process alive [P1]. It has the interface of a connection of
 * `@redis/client`, so that the code that manages those can manage it.
 */
import { isIoredisClient, optionsOf, type IoredisClientLike } from "./ioredis-types.ts";
import { wantsBytes } from "../node-redis-types.ts";
import type { RedisArgument } from "../client-port.ts";
import type { ServerConnection } from "../socket.ts";
import type { NetworkEndpoint } from "../target-url.ts";

interface Duplicate extends IoredisClientLike {
  subscribe(channel: string): Promise<unknown>;
  ssubscribe?(channel: string): Promise<unknown>;
  disconnect(): void;
  readonly stream?: { unref?(): void; destroy?(): void } | null;
}

/** As a server would say it. */
const noShardedChannels = "unknown command SSUBSCRIBE: this version of ioredis has none";

interface DuplicateOptions {
  readonly database: number;
  readonly connectMs: number;
  /** The node of a cluster to connect to; the client may be connected to another. */
  readonly node?: NetworkEndpoint;
}

/** A duplicate that can serve; `undefined` if the client, a wrapper perhaps, makes none. */
export function duplicateOf(
  client: IoredisClientLike,
  { node, ...how }: DuplicateOptions,
): IoredisConnection | undefined {
  const duplicate = client.duplicate({
    ...(node && { host: node.host, port: node.port, readOnly: false, stringNumbers: false }),
    lazyConnect: true,
    db: how.database,
    connectTimeout: how.connectMs,
    // A stream that has closed is disconnected again in some orders of events. By default, that is a timer of two seconds,
    // which keeps the process alive [P1].
    disconnectTimeout: 0,
    retryStrategy: null,
    sentinelRetryStrategy: null,
    failoverDetector: false,
    reconnectOnError: null,
    // With Sentinels this check finds a primary that was demoted. Else it would only ask for one more right.
    enableReadyCheck: Array.isArray(optionsOf(client).sentinels),
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: false,
    maxRetriesPerRequest: null,
    commandTimeout: undefined,
    socketTimeout: undefined,
  });
  return canServe(duplicate) ? new IoredisConnection(duplicate) : undefined;
}

function canServe(client: unknown): client is Duplicate {
  if (typeof client !== "object" || client === null || !isIoredisClient(client)) return false;
  const methods = client as unknown as Record<string, unknown>;
  return ["subscribe", "disconnect"].every((name) => typeof methods[name] === "function");
}

class IoredisConnection implements ServerConnection {
  readonly #client: Duplicate;
  readonly #commands: IoredisCommands;
  readonly #listening = new Set<string>();

  constructor(client: Duplicate) {
    this.#client = client;
    this.#commands = new IoredisCommands(client);
    client.on("connect", () => client.stream?.unref?.());
  }

  connect(): Promise<unknown> {
    return this.#client.connect();
  }

  /** Closes at once; ioredis alone would wait for the server to close, too. */
  destroy(): void {
    this.#client.disconnect();
    this.#client.stream?.destroy?.();
  }

  on(
    event: "error" | "end" | "ready" | "sharded-channel-moved",
    listener: (error?: unknown) => void,
  ): unknown {
    // Before version 6, a subscription that the server ends is an error, and only a new one that it refuses is "moved".
    return this.#client.on(event === "sharded-channel-moved" ? "moved" : event, listener);
  }

  subscribe(channel: string, listener: (message: Buffer) => void): Promise<unknown> {
    this.#listen("messageBuffer", listener);
    return this.#client.subscribe(channel);
  }

  sSubscribe(channel: string, listener: (message: Buffer) => void): Promise<unknown> {
    this.#listen("smessageBuffer", listener);
    return new Promise((resolve, reject) => {
      // A reply MOVED is only an event: the promise of the command would never settle.
      this.#client.on("moved", () => reject(new Error("another node owns the slot of the channel")));
      const subscribed = this.#client.ssubscribe?.(channel) ?? Promise.reject(new Error(noShardedChannels));
      subscribed.then(resolve, reject);
    });
  }

  /** It gets the messages of all channels. */
  #listen(event: "messageBuffer" | "smessageBuffer", listener: (message: Buffer) => void): void {
    if (!this.#listening.has(event)) this.#client.on(event, (_, message) => listener(message as Buffer));
    this.#listening.add(event);
  }

  sendCommand(args: readonly RedisArgument[], options?: object): Promise<unknown> {
    return this.#commands.send(args, wantsBytes(options));
  }
}

type Send = (this: unknown, ...args: readonly RedisArgument[]) => Promise<unknown>;

/**
 * Sends commands as they are: functions that are made this way take no part in auto-pipelining, which would change the
 * order, and names in capitals escape the transformers that were set for a command.
 */
export class IoredisCommands {
  readonly #client: IoredisClientLike;
  readonly #made = new Map<string, { readonly asText: Send; readonly asBytes: Send }>();

  constructor(client: IoredisClientLike) {
    this.#client = client;
  }

  send(args: readonly RedisArgument[], bytes: boolean): Promise<unknown> {
    const name = String(args[0]);
    const made = this.#made.get(name) ?? this.#make(name);
    return (bytes ? made.asBytes : made.asText).apply(this.#client, args.slice(1));
  }

  #make(name: string): { readonly asText: Send; readonly asBytes: Send } {
    const { string, buffer } = this.#client.createBuiltinCommand(name);
    const made = { asText: string as Send, asBytes: buffer as Send };
    this.#made.set(name, made);
    return made;
  }
}
