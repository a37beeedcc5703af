/**
 * The port: what the backend needs of a Redis client, and nothing about locks.
 *
 * An adapter sends each command once, in the order of the calls; the commands of one tick form one pipeline, and each
 * has its own reply. It reconnects by itself, but never resends and never queues a command: one that cannot be sent at
 * once fails, with the outcome "none". The layers above decide whether to connect first, and whether to retry. If a
 * user's client resends by itself, late copies may arrive; its adapter does not report them, and the layers above make
 * them harmless [S5]. With several servers, a command goes where its keys are; all keys of a store are on one server.
 *
 * `clientSuite` of `holdfast/testing` describes all this.
 */
import type { HoldfastError } from "../../../errors.ts";

/** Strings are sent as UTF-8. */
export type RedisArgument = string | Buffer;

/** Strings arrive as strings or, for a command that wants bytes, as buffers; errors only as elements of an array. */
export type RedisReply = string | number | Buffer | Error | null | readonly RedisReply[];

/** A command for the server. */
export interface RedisCommand {
  /** Its name and its arguments. */
  readonly args: readonly RedisArgument[];
  /** Strings of the reply are wanted as they are. */
  readonly bytes: boolean;
}

/** The listener of a subscription. */
export interface Subscriber {
  /** A message has arrived. */
  message(bytes: Buffer): void;
  /** Subscribed, or subscribed again: messages may have been missed before. */
  up(): void;
  /** Not subscribed any more, or an attempt failed. If the error is `lasting`, the next attempt is not soon. */
  down(error: HoldfastError): void;
}

/** A channel that is listened on. */
export interface Subscription {
  /** Whether the channel is one of those that a cluster keeps at the owner of its slot. Default: it is not. */
  readonly isSharded?: boolean | undefined;
  /**
   * Listens on another channel of the same slot, over the connection that there is now; its messages come to the same
   * subscriber. Resolves once it is subscribed, and rejects if it is not. For a new connection it must be called again.
   */
  add(channel: string): Promise<void>;
  /**
   * Replaces the connection, which is subscribed but receives no messages. `both`: the one for commands as well, since the
   * two may lead to different servers.
   */
  reconnect(both: boolean): void;
}

/** What to do with a reply. */
export interface ReplyHandler<T> {
  /** Makes the result of a reply that is not an error. */
  read(reply: RedisReply): T;
  /** The error reply of the server, as text. */
  refused(message: string): T | Promise<T>;
}

/** What the Redis backend needs of a client. `clientSuite` tests an adapter for one. */
export interface RedisClient {
  /** For messages: where the server is; never with a password [P3]. */
  readonly name: string;
  /** It leads to the node of a cluster that owns the slot of the store's keys. Default: there is no cluster. */
  readonly followsSlot?: boolean | undefined;
  /**
   * `undefined`: there is a connection, and commands can be sent now. Else the pending attempt to connect; rejects with
   * its error, whose outcome is "none".
   */
  connect(): Promise<void> | undefined;
  /**
   * Sends one command, and returns what `handler` makes of its reply. Throws UnavailableError when there is no reply,
   * with the outcome "none" only if the command certainly never reached the server.
   */
  send<T>(command: RedisCommand, handler: ReplyHandler<T>): Promise<T>;
  /** The server is the wrong one: reconnects, where the connection is ours, so that the name is resolved again. */
  reconnect(): void;
  /**
   * Called once: listens on a channel over a connection of its own, for as long as the client is open. That connection
   * is never older than the one for commands, so that both lead to one server.
   */
  subscribe(channel: string, subscriber: Subscriber): Subscription;
  /** Closes what the adapter opened; never throws. Calls after it throw UnavailableError. */
  close(): Promise<void>;
}
