/**
 * The port on connections of our own, one for commands and one for wakes: to the address of a target (resp-connection.ts),
 * or duplicates of a user's client.
 *
 * The connection for wakes is opened after the one for commands and closed with it, so that both resolve the name at the
 * same time and lead to one server [L1] [L8].
 */
import { HoldfastError } from "../../../errors.ts";
import { now, pause } from "../../../timers.ts";
import type { Address, Endpoint, NetworkEndpoint } from "./target-url.ts";
import { locatorOf } from "./locate/locator-of.ts";
import type { Locator } from "./locate/locator.ts";
import type {
  ReplyHandler,
  RedisClient,
  RedisCommand,
  RedisReply,
  Subscriber,
  Subscription,
} from "./client-port.ts";
import { connectionBroke, closedFailure, notConnected, replyFailure, type Break } from "./errors.ts";
import { Connection, destroy, toError } from "./connection.ts";
import { ErrorReply } from "./resp.ts";
import { RespConnection } from "./resp-connection.ts";
import { isErrorReply, notSentMessages } from "./node-redis-types.ts";
import { OversizeDetector, sizeOf, RedisSocket, type ServerConnection } from "./socket.ts";

export interface OwnClientOptions {
  readonly operationMs: number;
  /** After how long without any data the connection is dropped. Default: a third of `operationMs`. */
  readonly stallMs?: number | undefined;
  /** Of the store's keys, on a cluster. */
  readonly slot?: number | undefined;
  /** Makes a connection to a server that was located. Default: one of our own, with the credentials of the address. */
  readonly connectTo?: ((server: NetworkEndpoint) => ServerConnection) | undefined;
  /** Finds the server by itself, and makes a connection to it. */
  readonly make?: (() => ServerConnection | Promise<ServerConnection>) | undefined;
  /** Ends what `make` or the locator waits for. */
  readonly onClose?: (() => void) | undefined;
}

/** What the package, and ioredis, say of a connection that was ended here; `why` says more. */
const weEndedIt: ReadonlySet<string> = new Set(["Disconnects client", "Connection is closed."]);

/** A younger connection was made where the name leads now. */
const freshMs = 500;
/** Before the second redirection in a row of a subscription is followed; longer before each one after it. */
const redirectionPauseMs = 50;
const longestRedirectionPauses = 20;

export class OwnClient implements RedisClient {
  readonly name: string;
  readonly followsSlot: boolean;
  readonly #address: Partial<Address>;
  readonly #locator: Locator | undefined;
  readonly #operationMs: number;
  readonly #stallMs: number;
  readonly #connectTo: ((server: NetworkEndpoint) => ServerConnection) | undefined;
  readonly #make: (() => ServerConnection | Promise<ServerConnection>) | undefined;
  readonly #onClose: (() => void) | undefined;
  /** Where the connection for commands leads. */
  #endpoint: Endpoint | undefined;
  readonly #commands: Connection<RedisSocket>;
  readonly #oversizeDetector = new OversizeDetector();
  /** Out of service; each is ended once its commands in flight are settled. */
  readonly #replaced = new Set<RedisSocket>();
  #connectedAt = 0;
  /** Of the subscription, in a row. */
  #redirections = 0;
  #wakes: Connection<RedisSocket> | undefined;
  #isSharded = false;
  #closed = false;

  constructor(address: Address | Pick<Address, "name">, options: OwnClientOptions) {
    const { operationMs, stallMs = operationMs / 3, slot = 0, connectTo, make, onClose } = options;
    this.name = address.name;
    this.#address = address;
    this.#operationMs = operationMs;
    this.#stallMs = stallMs; // a black-holed connection is dropped early enough for a retry to succeed
    this.#connectTo = connectTo;
    this.#make = make;
    this.#onClose = onClose;
    this.followsSlot = "server" in address && "nodes" in address.server;
    this.#locator =
      "server" in address
        ? locatorOf(address, {
            attemptMs: this.#attemptMs,
            slot,
            connectTo: (node) => this.#createClient(node),
            withoutPassword: (error) => this.#withoutPassword(error),
          })
        : undefined;
    this.#commands = new Connection({
      ...this.#connectionOptions(async () => (this.#endpoint = await this.#locator?.locate())),
      onUp: () => this.#onUp(),
      onDown: (failure) => this.#wakes?.suspend(failure),
    });
  }

  connect(): Promise<void> | undefined {
    return this.#commands.connect();
  }

  send<T>(command: RedisCommand, handler: ReplyHandler<T>): Promise<T> {
    const socket = this.#commands.current;
    if (socket === undefined) return Promise.reject(this.#explain(new Error("there is no connection")));
    this.#wakes?.start();
    return this.#send(socket, command, handler);
  }

  /** While replies from a connection that was replaced still arrive, this may be about the server that was left. */
  reconnect(): void {
    if (this.#replaced.size === 0 && now() - this.#connectedAt > freshMs) this.#replace();
  }

  subscribe(channel: string, subscriber: Subscriber): Subscription {
    const wakes = new Connection<RedisSocket>({
      ...this.#connectionOptions(() => this.#endpoint), // where the connection for commands leads
      prepare: (socket) => this.#subscribeOn(socket, channel, subscriber),
      onUp: () => subscriber.up(),
      onDown: (failure) => subscriber.down(failure),
    });
    this.#wakes = wakes;
    if (this.#commands.current !== undefined) wakes.start();
    const isSharded = (): boolean => this.#isSharded;
    const listener = (bytes: Buffer): void => subscriber.message(bytes);
    return {
      get isSharded() {
        return isSharded();
      },
      add: async (another) => {
        try {
          if (wakes.current === undefined) throw new Error("there is no connection");
          await wakes.current.subscribeToo(another, listener, this.#isSharded);
        } catch (error) {
          throw this.#explain(toError(error));
        }
      },
      reconnect: (both) => {
        if (both) this.#replace();
        else wakes.drop(new Error("the subscription reaches another server"));
      },
    };
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#commands.close();
    this.#wakes?.close();
    this.#onClose?.();
    for (const socket of this.#replaced) destroy(socket);
    return Promise.resolve();
  }

  #connectionOptions(locate: () => Endpoint | undefined | Promise<Endpoint | undefined>): {
    make: () => Promise<RedisSocket>;
    attemptMs: number;
    explain: (error: Error) => HoldfastError;
  } {
    const make = this.#make ?? (async () => this.#createClient(await locate()));
    return {
      make: async () => this.#socket(await make()),
      attemptMs: this.#attemptMs,
      explain: (error) => this.#explain(error),
    };
  }

  /** Two attempts fit into one operation. */
  get #attemptMs(): number {
    return this.#operationMs / 2;
  }

  #socket(connection: ServerConnection): RedisSocket {
    return new RedisSocket(connection, {
      stallMs: this.#stallMs,
      longestMs: this.#operationMs,
      onStall: (socket, error) => {
        if (this.#commands.current === socket) this.#commands.drop(error);
        else destroy(socket, error);
      },
    });
  }

  #onUp(): void {
    this.#connectedAt = now();
    this.#wakes?.start();
  }

  /** On a cluster, the server says when it is not the owner of the channel's slot, which is that of all keys. */
  async #subscribeOn(socket: RedisSocket, channel: string, subscriber: Subscriber): Promise<void> {
    const listener = (bytes: Buffer): void => subscriber.message(bytes);
    if (!this.followsSlot) {
      await socket.subscribe(channel, listener);
      return;
    }
    const endpoint = this.#endpoint;
    const isCurrent = (): boolean => this.#commands.current !== undefined && this.#endpoint === endpoint;
    const redirected = async (error: Error): Promise<void> => {
      await this.#pauseBetweenRedirections(error, subscriber);
      if (isCurrent()) this.#replace();
    };
    const onMoved = (): void => {
      if (isCurrent()) void redirected(new Error("another node owns the slot of the channel"));
    };
    try {
      this.#isSharded = await socket.subscribeAtOwner(channel, { listener, onMoved });
      this.#redirections = 0;
    } catch (error) {
      const cause = toError(error);
      if (isCurrent() && this.#locator?.isRedirection?.(cause.message) === true) await redirected(cause);
      throw error;
    }
  }

  /** Nodes that go on redirecting do not agree yet, or the addresses that they name do not lead to them. */
  async #pauseBetweenRedirections(error: Error, subscriber: Subscriber): Promise<void> {
    const nth = this.#redirections++;
    if (nth === 0) return;
    subscriber.down(this.#explain(error));
    await pause(redirectionPauseMs * Math.min(nth, longestRedirectionPauses));
  }

  /** The first redirection replaces the connection; the replies to what else was sent over it repeat it. */
  #followRedirection(socket: RedisSocket, message: string): void {
    if (this.#commands.current !== socket) return;
    if (this.#locator?.isRedirection?.(message) === true) this.#replace();
  }

  #replace(): void {
    const socket = this.#commands.replace(new Error("the address may lead to another server by now"));
    if (socket === undefined) return;
    this.#replaced.add(socket);
    socket.whenIdle(() => {
      this.#replaced.delete(socket);
      destroy(socket);
    });
  }

  #send<T>(socket: RedisSocket, command: RedisCommand, handler: ReplyHandler<T>): Promise<T> {
    const bytes = sizeOf(command.args);
    return socket.send(command, bytes).then(
      (reply) => {
        socket.settled(bytes);
        this.#oversizeDetector.passed(bytes);
        return handler.read(reply as RedisReply);
      },
      (error: unknown) => {
        socket.settled(bytes);
        const cause = this.#withoutPassword(error);
        if (isErrorReply(cause)) {
          this.#followRedirection(socket, cause.message);
          return handler.refused(cause.message);
        }
        if (notSentMessages.has(cause.message)) throw this.#explain(cause);
        throw connectionBroke(this.name, this.#whyBroken(socket, cause, bytes));
      },
    );
  }

  #createClient(endpoint: Endpoint | undefined): ServerConnection {
    if (endpoint === undefined) throw new Error("there is no address");
    if (this.#connectTo !== undefined && "host" in endpoint) return this.#connectTo(endpoint);
    const { username, password, database } = this.#address;
    return new RespConnection({ server: endpoint, username, password, database });
  }

  #explain(error: Error): HoldfastError {
    if (this.#closed) return closedFailure(this.name);
    const cause = this.#withoutPassword(error);
    return isErrorReply(cause)
      ? replyFailure(this.name, cause.message, { phase: "connecting", followsSlot: this.followsSlot })
      : notConnected(this.name, cause);
  }

  #whyBroken(socket: RedisSocket, failure: Error, bytes: number): Break {
    if (this.#closed) return { cause: new Error("this store was closed") };
    const cause = weEndedIt.has(failure.message) ? this.#withoutPassword(socket.why ?? failure) : failure;
    return socket.isStalled ? { cause } : { cause, ...this.#oversizeDetector.broke(socket, bytes) };
  }

  /** [P3] A server may quote what it did not understand, even a password. */
  #withoutPassword(error: unknown): Error {
    const cause = toError(error);
    const { password } = this.#address;
    if (password === undefined || cause instanceof HoldfastError) return cause;
    const message = cause.message.replaceAll(password, "***").replaceAll(encodeURIComponent(password), "***");
    if (message === cause.message) return cause;
    return cause instanceof ErrorReply ? new ErrorReply(message) : new Error(message);
  }
}
