/**
 * The port: what the backend needs of a Redis client, and nothing about locks.
 *
 * An adapter sends each command once, in the order of the calls; those of one tick leave as one pipeline, and each
 * has its own answer. It reconnects by itself, for ever, but never sends a command again: whether to retry is decided
 * above. A command that could not be sent at once, for want of a connection, waits for the next attempt to connect.
 */

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
  /** Not subscribed any more, or not yet: an attempt failed. */
  down(error: Error): void;
}

/** A subscription that the adapter keeps up. */
export interface Subscription {
  /** Ends its connection and makes it anew; with `both` that for commands, too, where that one is the adapter's own. */
  remake(both: boolean): void;
}

/** What to make of a reply. */
export interface Answer<T> {
  read(reply: RedisReply): T;
  /** The server's own error, as text: it is alive, and did not carry the command out. */
  refused(said: string): T | Promise<T>;
}

export interface RedisClient {
  /** For messages: where the server is; never with a password [P3]. */
  readonly name: string;
  /** Resolves once connected. Throws UnavailableError, as `send` does. */
  connect(): Promise<void>;
  /**
   * Sends one command, and makes of its reply what `answer` makes of it. Throws UnavailableError when there is no
   * reply: its outcome is "none" only if the command certainly never reached the server.
   */
  send<T>(command: RedisCommand, answer: Answer<T>): Promise<T>;
  /** Once: listens on a channel over a connection of its own, for as long as the client is open. */
  subscribe(channel: string, subscriber: Subscriber): Subscription;
  /** Closes what the adapter opened; never throws. Calls after it throw UnavailableError. */
  close(): Promise<void>;
}
