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
import { brokeOff, closedFailure, notConnected, replyFailure, type Break } from "../errors.ts";
import { end, Link } from "./connection.ts";
import { isReply, neverSent } from "./node-redis-types.ts";
import { LargeBreaks, sizeOf, Wire, type OwnConnection } from "./socket.ts";

export interface NodeRedisOptions {
  readonly operationMs: number;
  /** How long nothing may be read before the connection is given up. Default: a third of `operationMs`. */
  readonly stallMs?: number | undefined;
  /** Makes a connection; by default to the address. */
  readonly make?: (() => OwnConnection) | undefined;
}

/** A connection that is younger was made where the name leads now. */
const freshMs = 500;

export class NodeRedis implements RedisClient {
  readonly name: string;
  readonly #address: Partial<Address>;
  readonly #operationMs: number;
  readonly #stallMs: number;
  readonly #make: () => OwnConnection | Promise<OwnConnection>;
  readonly #main: Link<Wire>;
  readonly #largeBreaks = new LargeBreaks();
  /** Out of service; each is ended once all that is under way on it is settled. */
  readonly #replaced = new Set<Wire>();
  #upSince = 0;
  #wakes: Link<Wire> | undefined;
  #closed = false;

  constructor(address: Partial<Address> & Pick<Address, "name">, options: NodeRedisOptions) {
    const { operationMs, stallMs = operationMs / 3, make = () => this.#connection() } = options;
    this.name = address.name;
    this.#address = address;
    this.#operationMs = operationMs;
    this.#stallMs = stallMs; // a black-holed connection is given up early enough for a retry to get through
    this.#make = make;
    this.#main = new Link({
      ...this.#linkOptions(),
      onUp: () => this.#up(),
      onDown: (failure) => this.#wakes?.suspend(failure),
    });
  }

  connect(): Promise<void> | undefined {
    return this.#main.connect();
  }

  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T> {
    const wire = this.#main.up;
    if (wire === undefined) return Promise.reject(this.#explain(new Error("there is no connection")));
    this.#wakes?.begin();
    return this.#send(wire, command, answer);
  }

  renew(): void {
    if (now() - this.#upSince > freshMs) this.#replace();
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = new Link<Wire>({
      ...this.#linkOptions(),
      prepare: (wire) => wire.subscribe(channel, (bytes) => subscriber.message(bytes)),
      onUp: () => subscriber.up(),
      onDown: (failure) => subscriber.down(failure),
    });
    this.#wakes = wakes;
    if (this.#main.up !== undefined) wakes.begin();
    return {
      remake: (both) => {
        if (both) this.#replace();
        else wakes.drop(new Error("the subscription reaches another server"));
      },
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#main.close();
    this.#wakes?.close();
    for (const wire of this.#replaced) end(wire);
    return Promise.resolve();
  }

  #linkOptions(): { make: () => Promise<Wire>; attemptMs: number; explain: (error: Error) => HoldfastError } {
    return {
      make: async () => this.#wire(await this.#make()),
      attemptMs: this.#attemptMs,
      explain: (error) => this.#explain(error),
    };
  }

  /** Two attempts fit into one conversation. */
  get #attemptMs(): number {
    return this.#operationMs / 2;
  }

  #wire(connection: OwnConnection): Wire {
    return new Wire(connection, {
      stallMs: this.#stallMs,
      longestMs: this.#operationMs,
      onStall: (wire, error) => {
        if (this.#main.up === wire) this.#main.drop(error);
        else end(wire, error);
      },
    });
  }

  #up(): void {
    this.#upSince = now();
    this.#wakes?.begin();
  }

  #replace(): void {
    const wire = this.#main.replace(new Error("the address may lead to another server by now"));
    if (wire === undefined) return;
    this.#replaced.add(wire);
    wire.whenIdle(() => {
      this.#replaced.delete(wire);
      end(wire);
    });
  }

  #send<T>(wire: Wire, command: RedisCommand, answer: Answer<T>): Promise<T> {
    const bytes = sizeOf(command.args);
    return wire.send(command, bytes).then(
      (reply) => {
        wire.settled(bytes);
        this.#largeBreaks.passed(bytes);
        return answer.read(reply as RedisReply);
      },
      (error: unknown) => {
        wire.settled(bytes);
        const cause = this.#clean(error);
        if (isReply(cause)) return answer.refused(cause.message);
        if (neverSent.has(cause.message)) throw this.#explain(cause);
        throw brokeOff(this.name, this.#whyBroken(wire, cause, bytes));
      },
    );
  }

  async #connection(): Promise<OwnConnection> {
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

  #whyBroken(wire: Wire, failure: Error, bytes: number): Break {
    if (this.#closed) return { cause: new Error("this store was closed") };
    const cause = failure.message === "Disconnects client" ? this.#clean(wire.why ?? failure) : failure;
    return wire.isStalled ? { cause } : { cause, ...this.#largeBreaks.broke(wire, bytes) };
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
