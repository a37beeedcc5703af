/**
 * The port on a client of `@redis/client` that the user has made and connected. We send through it and never close it; its `duplicate()`
 * is the connection for wakes, and that one is ours.
 *
 * Reconnecting is up to its owner. Commands that it queues while offline may reach the server late: scripts refuse late
 * copies [S5], and we send nothing while it is not ready.
 */
import type { HoldfastError } from "../../../../errors.ts";
import type {
  ReplyHandler,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscriber,
  Subscription,
} from "../client-port.ts";
import { toError } from "../connection.ts";
import { connectionBroke, closedFailure, notConnected, replyFailure } from "../errors.ts";
import { OwnClient } from "../own-client.ts";
import { isErrorReply, notSentMessages, sendWith, type RedisClientLike } from "../node-redis-types.ts";
import type { ServerConnection } from "../socket.ts";
import { forget, listen, type Listeners } from "./client-events.ts";
import { duplicateOf } from "./node-redis-duplicate.ts";
import { UserWakes } from "./user-wakes.ts";

export class UserNodeRedis implements RedisClient {
  readonly name: string;
  readonly #client: RedisClientLike;
  readonly #operationMs: number;
  #wakes: UserWakes | undefined;
  #closed = false;

  constructor(client: RedisClientLike, operationMs: number) {
    this.name = nameOf(client);
    this.#client = client;
    this.#operationMs = operationMs;
  }

  connect(): Promise<void> | undefined {
    const failure = this.#unusable();
    return failure === undefined ? undefined : Promise.reject(failure);
  }

  send<T>(command: RedisCommand, handler: ReplyHandler<T>): Promise<T> {
    const failure = this.#unusable();
    if (failure !== undefined) return Promise.reject(failure);
    this.#wakes?.start();
    return this.#sendCommand(command).then(
      (reply) => handler.read(reply as RedisReply),
      (error: unknown) => {
        const cause = toError(error);
        if (isErrorReply(cause)) return handler.refused(cause.message);
        throw notSentMessages.has(cause.message)
          ? notConnected(this.name, cause)
          : connectionBroke(this.name, { cause });
      },
    );
  }

  /** A wrapper of the user may throw synchronously. */
  async #sendCommand(command: RedisCommand): Promise<unknown> {
    return sendWith(this.#client, command);
  }

  reconnect(): void {
    // Its owner reconnects it.
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = new UserWakes({
      channel,
      subscriber,
      make: () => this.#duplicate(),
      operationMs: this.#operationMs,
      explain: (error) => this.#explain(error),
    });
    this.#wakes = wakes;
    listen(this.#client, this.#listeners);
    wakes.start();
    return wakes;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wakes?.close();
    forget(this.#client, this.#listeners);
    return Promise.resolve();
  }

  readonly #onChange = (): void => this.#wakes?.clientChanged(this.#client.isReady !== false);

  /** Its connection is lost, or it is connected again. */
  readonly #listeners: Listeners = {
    end: this.#onChange,
    reconnecting: this.#onChange,
    ready: this.#onChange,
  };

  #explain(error: Error): HoldfastError {
    if (this.#closed) return closedFailure(this.name);
    return isErrorReply(error)
      ? replyFailure(this.name, error.message, { phase: "connecting" })
      : notConnected(this.name, error);
  }

  #unusable(): HoldfastError | undefined {
    if (this.#closed) return closedFailure(this.name);
    if (this.#client.isReady !== false) return undefined;
    return notConnected(
      this.name,
      new Error("the client that was passed to open() is not connected; connect it first"),
    );
  }

  /** A second connection for commands, of our own; `undefined` where the user's client cannot make one. */
  get makeAnother(): ((stallMs: number) => RedisClient) | undefined {
    if (this.#client.duplicate === undefined) return undefined;
    const how = { operationMs: this.#operationMs, make: () => this.#duplicate() };
    return (stallMs) => new OwnClient({ name: this.name }, { ...how, stallMs });
  }

  #duplicate(): ServerConnection {
    return duplicateOf(this.#client, { name: this.name, connectMs: this.#operationMs });
  }
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
