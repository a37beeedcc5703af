/**
 * The port on a client that the user has made and connected. We send through it and never close it; its `duplicate()`
 * is the connection for wakes, and that one is ours.
 *
 * Reconnecting is its owner's business. What it queues while it is offline may reach the server late: scripts refuse
 * late copies [S5], and we do not add to its queue while it is not ready.
 */
import { InvalidArgumentError } from "../../errors.ts";
import type { Answer, RedisClient, RedisCommand, RedisReply, Subscriber, Subscription } from "./client.ts";
import { closedFailure, linkFailure } from "./failures.ts";
import { Link } from "./link.ts";
import { NodeRedis, type OwnConnection } from "./node-redis.ts";
import { isReply, readOptions, type RedisClientLike } from "./shapes.ts";

export class BorrowedRedis implements RedisClient {
  readonly name: string;
  readonly #client: RedisClientLike;
  readonly #operationMs: number;
  #wakes: Link<OwnConnection> | undefined;
  #closed = false;

  constructor(client: RedisClientLike, operationMs: number) {
    refuseOthers(client);
    this.name = nameOf(client);
    this.#client = client;
    this.#operationMs = operationMs;
  }

  connect(): Promise<void> {
    const failure = this.#unusable();
    return failure === undefined ? Promise.resolve() : Promise.reject(failure);
  }

  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T> {
    const failure = this.#unusable();
    if (failure !== undefined) return Promise.reject(failure);
    return this.#sendCommand(command).then(
      (reply) => answer.read(reply as RedisReply),
      (error: unknown) => {
        const cause = error instanceof Error ? error : new Error(String(error));
        if (isReply(cause)) return answer.refused(cause.message);
        throw linkFailure(this.name, new Error(cause.message), !neverSent.has(cause.message));
      },
    );
  }

  /** A wrapper of the user's may throw at once. */
  async #sendCommand({ args, bytes }: RedisCommand): Promise<unknown> {
    return this.#client.sendCommand(args, readOptions(bytes));
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = (this.#wakes = new Link({
      make: () => this.#duplicate(),
      prepare: (connection) => connection.subscribe(channel, (bytes) => subscriber.message(bytes), true),
      attemptMs: this.#operationMs / 2,
      onUp: () => subscriber.up(),
      onDown: (error) => subscriber.down(error),
    }));
    wakes.connect().catch(() => undefined); // it goes on by itself, and `down` was told
    return { remake: () => wakes.drop(new Error("it is made anew")) };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wakes?.close();
    return Promise.resolve();
  }

  #unusable(): Error | undefined {
    if (this.#closed) return closedFailure(this.name);
    if (this.#client.isReady !== false) return undefined;
    return linkFailure(
      this.name,
      new Error("the client that was passed to open() is not connected; connect it first"),
      false,
    );
  }

  /** A second connection for commands, of our own; `undefined` where the user's client cannot make one. */
  get another(): ((stallMs: number) => RedisClient) | undefined {
    if (this.#client.duplicate === undefined) return undefined;
    const how = { operationMs: this.#operationMs, make: () => this.#duplicate() };
    return (stallMs) => new NodeRedis({ name: this.name }, { ...how, stallMs });
  }

  #duplicate(): OwnConnection {
    const { options } = this.#client as { options?: { socket?: object } };
    const duplicate = this.#client.duplicate?.({
      socket: { ...options?.socket, reconnectStrategy: false, connectTimeout: this.#operationMs / 2 },
      disableOfflineQueue: true,
      pingInterval: undefined,
    });
    if (!canSubscribe(duplicate))
      throw new Error("the client that was passed to open() has no duplicate() that can subscribe");
    duplicate.unref?.(); // [P1]
    return duplicate;
  }
}

/** What the package says of commands that it did not even take. */
const neverSent: ReadonlySet<string> = new Set([
  "The client is offline",
  "The client is closed",
  "The queue is full",
]);

/** Clients that look alike but take their arguments in another form, each known by a member of its own. */
const others: readonly (readonly [member: string, what: string])[] = [
  ["defineCommand", "an ioredis client"],
  ["masters", "a cluster client"],
  ["getMasterNode", "a Sentinel client"],
];

function refuseOthers(client: RedisClientLike): void {
  const what = others.find(([member]) => member in client)?.[1];
  if (what === undefined) return;
  throw new InvalidArgumentError(
    `open() got ${what}, which Holdfast cannot use yet. Pass a URL, or a client made by createClient() of "@redis/client".`,
  );
}

function canSubscribe(client: unknown): client is OwnConnection & { unref?(): void } {
  if (typeof client !== "object" || client === null) return false;
  const methods = client as Record<string, unknown>;
  return ["connect", "subscribe", "sendCommand", "on", "destroy"].every(
    (name) => typeof methods[name] === "function",
  );
}

/** From the options that it was made with; never the URL itself, which may hold a password [P3]. */
function nameOf(client: RedisClientLike): string {
  const { options } = client as {
    options?: { socket?: { host?: unknown; port?: unknown; path?: unknown; tls?: unknown } };
  };
  const { host, port, path, tls } = options?.socket ?? {};
  if (typeof path === "string") return `redis+unix://${path}`;
  const place = typeof host === "string" && host !== "" ? host : "localhost";
  return `${tls === true ? "rediss" : "redis"}://${place}:${typeof port === "number" ? String(port) : "6379"}`;
}
