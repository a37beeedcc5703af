/**
 * The port on `@redis/client`, for a URL: two connections of our own, one for commands and one for wakes.
 *
 * The package is loaded when first needed. It writes all commands of one tick at once and answers each apart. Its own
 * reconnecting, offline queue and time-outs are switched off: they would send behind our back what has failed above.
 */
import type { Address } from "./address.ts";
import type { Answer, RedisClient, RedisCommand, RedisReply, Subscriber, Subscription } from "./client.ts";
import { closedFailure, linkFailure, replyFailure } from "./failures.ts";
import { Link, type Connection } from "./link.ts";
import { isReply, readOptions, type Sender, type SubscriberConnection } from "./shapes.ts";
import { StallWatch } from "./stall.ts";

export type OwnConnection = Connection & Sender & SubscriberConnection;

export interface NodeRedisOptions {
  readonly operationMs: number;
  /** How long nothing may be answered before the connection is given up. Default: a third of `operationMs`. */
  readonly stallMs?: number | undefined;
  /** Makes a connection; by default to the address. */
  readonly make?: (() => OwnConnection) | undefined;
}

export class NodeRedis implements RedisClient {
  readonly name: string;
  readonly #address: Partial<Address>;
  readonly #operationMs: number;
  readonly #stallMs: number;
  readonly #make: () => OwnConnection | Promise<OwnConnection>;
  readonly #main: Link<OwnConnection>;
  readonly #watch: StallWatch;
  #wakes: Link<OwnConnection> | undefined;
  #closed = false;

  constructor(address: Partial<Address> & Pick<Address, "name">, options: NodeRedisOptions) {
    const { operationMs, stallMs = operationMs / 3, make = () => this.#connection() } = options;
    this.name = address.name;
    this.#address = address;
    this.#operationMs = operationMs;
    this.#stallMs = stallMs; // a black-holed connection is given up early enough for a retry to get through
    this.#make = make;
    this.#main = new Link({
      make: () => this.#make(),
      attemptMs: this.#attemptMs,
      // The next one may lead to another server, and wakes must come from the one that runs the commands.
      onDown: (error) => this.#wakes?.drop(error),
    });
    this.#watch = new StallWatch(this.#stallMs, () => this.#main.drop(new Error("nothing was answered")));
  }

  /** Two attempts fit into one conversation. */
  get #attemptMs(): number {
    return this.#operationMs / 2;
  }

  async connect(): Promise<void> {
    try {
      await this.#main.connect();
    } catch (error) {
      throw this.#connectFailure(error);
    }
  }

  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T> {
    const connection = this.#main.up;
    if (connection !== undefined) return this.#send(connection, command, answer);
    return this.connect().then(() => {
      const now = this.#main.up;
      if (now === undefined) throw this.#connectFailure(new Error("the connection broke at once"));
      return this.#send(now, command, answer);
    });
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = (this.#wakes = new Link({
      make: () => this.#make(),
      prepare: (connection) => connection.subscribe(channel, (bytes) => subscriber.message(bytes), true),
      attemptMs: this.#attemptMs,
      onUp: () => subscriber.up(),
      onDown: (error) => subscriber.down(this.#clean(error)),
    }));
    wakes.connect().catch(() => undefined); // it goes on by itself, and `down` was told
    const anew = new Error("it is made anew");
    return {
      remake: (both) => {
        if (both) this.#main.drop(anew);
        wakes.drop(anew);
      },
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#main.close();
    this.#wakes?.close();
    return Promise.resolve();
  }

  #send<T>(connection: OwnConnection, command: RedisCommand, answer: Answer<T>): Promise<T> {
    this.#watch.sent();
    return connection.sendCommand(command.args, readOptions(command.bytes)).then(
      (reply) => {
        this.#watch.answered();
        return answer.read(reply as RedisReply);
      },
      (error: unknown) => {
        this.#watch.answered();
        const cause = this.#clean(error);
        if (isReply(cause)) return answer.refused(cause.message);
        throw linkFailure(this.name, this.#whyBroken(cause), true);
      },
    );
  }

  async #connection(): Promise<OwnConnection> {
    const { createClient } = await import("@redis/client");
    const { socket, username, password, database } = this.#address;
    const client = createClient({
      socket: {
        ...socket,
        connectTimeout: this.#attemptMs,
        reconnectStrategy: false,
        keepAliveInitialDelay: 5_000, // a silent death of the wake connection is noticed by the kernel
      },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(database === undefined || database === 0 ? {} : { database }),
      name: "holdfast",
      disableClientInfo: true,
      disableOfflineQueue: true,
      maintNotifications: "disabled",
    } as Parameters<typeof createClient>[0]);
    client.unref(); // [P1]
    return client;
  }

  #connectFailure(error: unknown): Error {
    if (this.#closed) return closedFailure(this.name);
    const cause = this.#clean(error);
    return isReply(cause) ? replyFailure(this.name, cause.message) : linkFailure(this.name, cause, false);
  }

  /** The package says only that we ended the connection. */
  #whyBroken(cause: Error): Error {
    if (this.#closed) return new Error("this store was closed");
    if (cause.message !== "Disconnects client") return cause;
    return new Error(`nothing was answered for ${String(Math.round(this.#stallMs))} ms`);
  }

  /** [P3] A server may quote what it did not understand, a password too. */
  #clean(error: unknown): Error {
    let message = error instanceof Error ? error.message : String(error);
    const { password } = this.#address;
    if (password !== undefined)
      message = message.replaceAll(password, "***").replaceAll(encodeURIComponent(password), "***");
    return new Error(message);
  }
}
