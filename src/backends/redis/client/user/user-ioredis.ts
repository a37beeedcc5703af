/**
 * The port on a client of `ioredis` that the user has made. We send through it and never close it; its `duplicate()` is
 * the connection for wakes, and that one is ours.
 *
 * ioredis keeps the commands that were in flight when its connection broke, and sends them again once it is connected.
 * For us they failed when it broke: the retry is ours, and what ioredis sends again is a late copy, which the scripts
 * refuse or answer as before [S5]. We send nothing while it is not ready, so that it queues nothing of ours.
 */
import { InvalidArgumentError, UnavailableError, type HoldfastError } from "../../../../errors.ts";
import { after } from "../../../../timers.ts";
import { closedFailure, connectionBroke, notConnected, replyFailure } from "../errors.ts";
import { toError } from "../connection.ts";
import { forget, listen, type Listeners } from "./client-events.ts";
import { duplicateOf, IoredisCommands } from "./ioredis-duplicate.ts";
import { optionsOf, type IoredisClientLike, type IoredisOptions } from "./ioredis-types.ts";
import { isErrorReply, notSentMessages } from "../node-redis-types.ts";
import { OwnClient } from "../own-client.ts";
import type {
  RedisClient,
  RedisCommand,
  RedisReply,
  ReplyHandler,
  Subscriber,
  Subscription,
} from "../client-port.ts";
import type { ServerConnection } from "../socket.ts";
import { inOtherMode } from "./refused-settings.ts";
import { UserWakes } from "./user-wakes.ts";

export class UserIoredis implements RedisClient {
  readonly name: string;
  readonly #client: IoredisClientLike;
  readonly #commands: IoredisCommands;
  readonly #operationMs: number;
  /** The database of our keys: the one that was selected when the store was opened. */
  readonly #database: number;
  #selected: number;
  /** How to fail the commands that were sent and not answered. */
  readonly #inFlight = new Set<(error: Error) => void>();
  #connecting: Promise<void> | undefined;
  #wakes: UserWakes | undefined;
  #closed = false;

  constructor(client: IoredisClientLike, operationMs: number) {
    this.#client = client;
    this.#commands = new IoredisCommands(client);
    this.#operationMs = operationMs;
    this.#database = this.#selected = databaseOf(client);
    this.name = nameOf(optionsOf(client), this.#database);
    listen(client, this.#listeners);
  }

  connect(): Promise<void> | undefined {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#isReady) return undefined;
    return (this.#connecting ??= this.#becomesReady().finally(() => (this.#connecting = undefined)));
  }

  send<T>(command: RedisCommand, handler: ReplyHandler<T>): Promise<T> {
    const refusal = this.#refusal() ?? this.#notReady();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#wakes?.start();
    return this.#answer(command).then(
      (reply) => handler.read(reply as RedisReply),
      (error: unknown) => {
        const cause = toError(error);
        if (isErrorReply(cause)) return handler.refused(cause.message);
        throw this.#failure(cause);
      },
    );
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
    wakes.start();
    return wakes;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wakes?.close();
    forget(this.#client, this.#listeners);
    this.#failAll(new Error("this store was closed"));
    return Promise.resolve();
  }

  /** A second connection for commands, of our own. */
  makeAnother(stallMs: number): RedisClient {
    const make = (): ServerConnection => this.#duplicate();
    return new OwnClient({ name: this.name }, { operationMs: this.#operationMs, make, stallMs });
  }

  readonly #listeners: Listeners = {
    close: () => {
      this.#failAll(new Error("the connection was closed"));
      this.#wakes?.clientChanged(false);
    },
    ready: () => this.#wakes?.clientChanged(true),
    select: (database) => (this.#selected = Number(database)),
  };

  #failAll(error: Error): void {
    const inFlight = [...this.#inFlight];
    this.#inFlight.clear();
    for (const fail of inFlight) fail(error);
  }

  #answer({ args, bytes }: RedisCommand): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#commands.send(args, bytes).then(
        (reply) => {
          this.#inFlight.delete(reject);
          resolve(reply);
        },
        (error: unknown) => {
          this.#inFlight.delete(reject);
          reject(toError(error));
        },
      );
      this.#inFlight.add(reject);
    });
  }

  /** One attempt of its owner's, or the rest of one; a client that is `lazyConnect` begins it. */
  #becomesReady(): Promise<void> {
    const client = this.#client;
    if (client.status === "end") return Promise.reject(ended(this.name));
    return new Promise<void>((resolve, reject) => {
      let cause: Error | undefined;
      const settle = (error?: Error): void => {
        forget(client, listeners);
        limit.stop();
        if (error === undefined) resolve();
        else reject(this.#explain(cause ?? error));
      };
      const listeners: Listeners = {
        ready: () => settle(),
        close: () => settle(new Error("the connection was closed")),
        end: () => settle(new Error("the connection was closed")),
        error: (error) => {
          cause = toError(error);
          if (isErrorReply(withoutWhere(cause))) settle(cause); // ioredis 5 calls itself ready after a wrong password
        },
      };
      const limitMs = this.#operationMs / 2;
      const limit = after(limitMs, () => settle(new Error(`no answer within ${String(limitMs)} ms`)));
      listen(client, listeners);
      if (client.status === "wait") client.connect().catch(() => undefined); // its events tell
    });
  }

  /** Why it cannot be used at all; waiting does not help. */
  #refusal(): HoldfastError | undefined {
    if (this.#closed) return closedFailure(this.name);
    if (this.#client.mode !== "normal") return inOtherMode(this.#client.mode);
    return this.#selected === this.#database ? undefined : this.#otherDatabase();
  }

  /** After `quit()`, it calls itself ready until the server has closed the connection: a write then would be an error event. */
  get #isReady(): boolean {
    const { manuallyClosing } = this.#client as { manuallyClosing?: unknown };
    return this.#client.status === "ready" && manuallyClosing !== true;
  }

  #notReady(): HoldfastError | undefined {
    if (this.#isReady) return undefined;
    return notConnected(this.name, new Error("the client that was passed to open() is not connected"));
  }

  #failure(cause: Error): HoldfastError {
    if (notSentMessages.has(cause.message)) return notConnected(this.name, cause);
    return connectionBroke(this.name, { cause });
  }

  #explain(error: Error): HoldfastError {
    if (this.#closed) return closedFailure(this.name);
    const reply = withoutWhere(error);
    return isErrorReply(reply)
      ? replyFailure(this.name, reply.message, { phase: "connecting" })
      : notConnected(this.name, error);
  }

  #otherDatabase(): InvalidArgumentError {
    const [now, then] = [this.#selected, this.#database].map(String);
    return new InvalidArgumentError(
      `${this.name}: select(${now ?? ""}) was called on the client that was passed to open(), whose keys are in ` +
        `database ${then ?? ""}. Give Holdfast a client of its own: open(client.duplicate()).`,
    );
  }

  #duplicate(): ServerConnection {
    const how = { database: this.#database, connectMs: this.#operationMs };
    const duplicate = duplicateOf(this.#client, how);
    if (duplicate !== undefined) return duplicate;
    const what = "duplicate() of the client that was passed to open() returns no client of ioredis";
    const advice = 'Pass a Redis of "ioredis", or have your wrapper forward duplicate()';
    throw new UnavailableError(`${this.name}: ${what}. ${advice}`, { outcome: "none", lasting: true });
  }
}

/** ioredis 5 says where the error reply came. */
function withoutWhere(error: Error): Error {
  const where = "Ready check failed: ";
  return error.message.startsWith(where) ? new Error(error.message.slice(where.length)) : error;
}

/** Only its owner can connect it again. */
function ended(name: string): UnavailableError {
  const what = "the client that was passed to open() was ended, by quit(), disconnect() or its retryStrategy";
  return new UnavailableError(`${name}: ${what}. Call its connect(), or open a store with another client`, {
    outcome: "none",
    lasting: true,
  });
}

/** What was selected by now; otherwise what it selects when it connects. */
function databaseOf(client: IoredisClientLike): number {
  const { condition } = client as { condition?: { select?: unknown } | null };
  return Number(condition?.select ?? optionsOf(client).db ?? 0);
}

/** From its options; never with a password [P3]. */
function nameOf(options: IoredisOptions, database: number): string {
  const { host, port, path, tls, sentinels, name } = options;
  const suffix = database === 0 ? "" : `/${String(database)}`;
  if (Array.isArray(sentinels)) return `redis+sentinel://${sentinels.map(placeOf).join(",")}/${String(name)}`;
  if (typeof path === "string") return `redis+unix://${path}`;
  const scheme = typeof tls === "object" && tls !== null ? "rediss" : "redis";
  return `${scheme}://${placeOf({ host, port: port ?? 6379 })}${suffix}`;
}

function placeOf({ host, port }: { readonly host?: unknown; readonly port?: unknown }): string {
  const place = typeof host === "string" && host !== "" ? host : "localhost";
  return `${place}:${typeof port === "number" || typeof port === "string" ? String(port) : "26379"}`;
}
