/**
 * The port: what the backend needs of a Redis client, and nothing about locks.
 *
 * An adapter sends each command once, in the order of the calls; those of one tick leave as one pipeline, and each
 * has its own answer. It reconnects by itself, but never sends a command again and never keeps one back: what cannot be
 * sent at once fails, with the outcome "none". Whether to connect first, and whether to retry, is decided above.
 */
import type { HoldfastError } from "../../../errors.ts";

/** Strings are sent as UTF-8. */
export type RedisArgument = string | Buffer;

/** Strings arrive as strings or, for a command that wants bytes, as buffers; errors only as elements of an array. */
export type RedisReply = string | number | Buffer | Error | null | readonly RedisReply[];

export interface RedisCommand {
  readonly args: readonly RedisArgument[];
  /** Strings of the reply are wanted as they are. */
  readonly bytes: boolean;
}

/** What a subscription tells. */
export interface Subscriber {
  message(bytes: Buffer): void;
  /** Subscribed, or subscribed again: messages may have been missed before. */
  up(): void;
  /** Not subscribed any more, or not yet: an attempt failed. Where that is `lasting`, the next attempt is not soon. */
  down(error: HoldfastError): void;
}

export interface Subscription {
  /**
   * The subscription does not reach us, though it is up: its connection is ended and made anew. `both`: so is the one
   * for commands, since the two may lead to different servers.
   */
  remake(both: boolean): void;
}

/** What to make of a reply. */
export interface Answer<T> {
  read(reply: RedisReply): T;
  /** The server's own error, as text. */
  refused(said: string): T | Promise<T>;
}

export interface RedisClient {
  /** For messages: where the server is; never with a password [P3]. */
  readonly name: string;
  /**
   * `undefined`: there is a connection, and what is sent now leaves now. Else the attempt to connect that is under way;
   * rejects with that attempt's error, whose outcome is "none".
   */
  connect(): Promise<void> | undefined;
  /**
   * Sends one command, and makes of its reply what `answer` makes of it. Throws UnavailableError when there is no
   * reply: its outcome is "none" only if the command certainly never reached the server.
   */
  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T>;
  /** The server is the wrong one: connects anew where that is ours to do, so that its name is looked up again. */
  renew(): void;
  /**
   * Once: listens on a channel over a connection of its own, for as long as the client is open. That connection is
   * never older than the one for commands, so that both lead to one server.
   */
  subscribe(channel: string, subscriber: Subscriber): Subscription;
  /** Closes what the adapter opened; never throws. Calls after it throw UnavailableError. */
  close(): Promise<void>;
}
