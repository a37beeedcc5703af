/**
 * The port on `@redis/client`, for a URL: two connections of our own, one for commands and one for wakes.
 *
 * The package is loaded when first needed. It writes all commands of one tick at once and answers each apart. Its own
 * reconnecting, offline queue and time-outs are switched off: they would send behind our back what has failed above.
 *
 * The connection for wakes follows the one for commands: it is made once that is up and ended when that goes down, so
 * that both have looked up the same name at the same time, and lead to one server [L1] [L8].
 */
import type { HoldfastError } from "../../../errors.ts";
import { now } from "../../../timers.ts";
import type { Address } from "./address.ts";
import type { Answer, RedisClient, RedisCommand, RedisReply, Subscriber, Subscription } from "./port.ts";
import { connectionBroke, closedFailure, notConnected, replyFailure, type Break } from "../errors.ts";
import { end, Connection } from "./connection.ts";
import { isReply, notSentMessages } from "./node-redis-types.ts";
import { OversizeDetector, sizeOf, RedisSocket, type PackageClient } from "./socket.ts";

export interface NodeRedisOptions {
  readonly operationMs: number;
  /** How long nothing may be read before the connection is given up. Default: a third of `operationMs`. */
  readonly stallMs?: number | undefined;
  /** Makes a connection; by default to the address. */
  readonly make?: (() => PackageClient) | undefined;
}

/** A connection that is younger was made where the name leads now. */
const freshMs = 500;

export class NodeRedis implements RedisClient {
  readonly name: string;
  readonly #address: Partial<Address>;
  readonly #operationMs: number;
  readonly #stallMs: number;
  readonly #make: () => PackageClient | Promise<PackageClient>;
  readonly #commands: Connection<RedisSocket>;
  readonly #oversizeDetector = new OversizeDetector();
  /** Out of service; each is ended once all that is under way on it is settled. */
  readonly #replaced = new Set<RedisSocket>();
  #upSince = 0;
  #wakes: Connection<RedisSocket> | undefined;
  #closed = false;

  constructor(address: Partial<Address> & Pick<Address, "name">, options: NodeRedisOptions) {
    const { operationMs, stallMs = operationMs / 3, make = () => this.#createClient() } = options;
    this.name = address.name;
    this.#address = address;
    this.#operationMs = operationMs;
    this.#stallMs = stallMs; // a black-holed connection is given up early enough for a retry to get through
    this.#make = make;
    this.#commands = new Connection({
      ...this.#connectionOptions(),
      onUp: () => this.#up(),
      onDown: (failure) => this.#wakes?.suspend(failure),
    });
  }

  connect(): Promise<void> | undefined {
    return this.#commands.connect();
  }

  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T> {
    const socket = this.#commands.up;
    if (socket === undefined) return Promise.reject(this.#explain(new Error("there is no connection")));
    this.#wakes?.begin();
    return this.#send(socket, command, answer);
  }

  renew(): void {
    if (now() - this.#upSince > freshMs) this.#replace();
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = new Connection<RedisSocket>({
      ...this.#connectionOptions(),
      prepare: (socket) => socket.subscribe(channel, (bytes) => subscriber.message(bytes)),
      onUp: () => subscriber.up(),
      onDown: (failure) => subscriber.down(failure),
    });
    this.#wakes = wakes;
    if (this.#commands.up !== undefined) wakes.begin();
    return {
      remake: (both) => {
        if (both) this.#replace();
        else wakes.drop(new Error("the subscription reaches another server"));
      },
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#commands.close();
    this.#wakes?.close();
    for (const socket of this.#replaced) end(socket);
    return Promise.resolve();
  }

  #connectionOptions(): {
    make: () => Promise<RedisSocket>;
    attemptMs: number;
    explain: (error: Error) => HoldfastError;
  } {
    return {
      make: async () => this.#socket(await this.#make()),
      attemptMs: this.#attemptMs,
      explain: (error) => this.#explain(error),
    };
  }

  /** Two attempts fit into one conversation. */
  get #attemptMs(): number {
    return this.#operationMs / 2;
  }

  #socket(connection: PackageClient): RedisSocket {
    return new RedisSocket(connection, {
      stallMs: this.#stallMs,
      longestMs: this.#operationMs,
      onStall: (socket, error) => {
        if (this.#commands.up === socket) this.#commands.drop(error);
        else end(socket, error);
      },
    });
  }

  #up(): void {
    this.#upSince = now();
    this.#wakes?.begin();
  }

  #replace(): void {
    const socket = this.#commands.replace(new Error("the address may lead to another server by now"));
    if (socket === undefined) return;
    this.#replaced.add(socket);
    socket.whenIdle(() => {
      this.#replaced.delete(socket);
      end(socket);
    });
  }

  #send<T>(socket: RedisSocket, command: RedisCommand, answer: Answer<T>): Promise<T> {
    const bytes = sizeOf(command.args);
    return socket.send(command, bytes).then(
      (reply) => {
        socket.settled(bytes);
        this.#oversizeDetector.passed(bytes);
        return answer.read(reply as RedisReply);
      },
      (error: unknown) => {
        socket.settled(bytes);
        const cause = this.#clean(error);
        if (isReply(cause)) return answer.refused(cause.message);
        if (notSentMessages.has(cause.message)) throw this.#explain(cause);
        throw connectionBroke(this.name, this.#whyBroken(socket, cause, bytes));
      },
    );
  }

  async #createClient(): Promise<PackageClient> {
    const { createClient } = await import("@redis/client");
    const { socket, username, password, database } = this.#address;
    const client = createClient({
      socket: {
        ...socket,
        connectTimeout: 2 * this.#attemptMs, // ours decides, which knows when the event loop was blocked
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

  #explain(error: Error): HoldfastError {
    if (this.#closed) return closedFailure(this.name);
    const cause = this.#clean(error);
    return isReply(cause)
      ? replyFailure(this.name, cause.message, { phase: "connecting" })
      : notConnected(this.name, cause);
  }

  #whyBroken(socket: RedisSocket, failure: Error, bytes: number): Break {
    if (this.#closed) return { cause: new Error("this store was closed") };
    const cause = failure.message === "Disconnects client" ? this.#clean(socket.why ?? failure) : failure;
    return socket.isStalled ? { cause } : { cause, ...this.#oversizeDetector.broke(socket, bytes) };
  }

  /** [P3] A server may quote what it did not understand, a password too. */
  #clean(error: unknown): Error {
    const cause = error instanceof Error ? error : new Error(String(error));
    const { password } = this.#address;
    if (password === undefined) return cause;
    const message = cause.message.replaceAll(password, "***").replaceAll(encodeURIComponent(password), "***");
    return message === cause.message ? cause : new Error(message);
  }
}
