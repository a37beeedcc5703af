/**
 * The connection for wakes beside a client of the user's. It is ours, made by the client's `duplicate()`, and never
 * older than the client's own connection, so that both lead to one server [L1] [L8].
 */
import type { HoldfastError } from "../../../../errors.ts";
import { Connection, toError } from "../connection.ts";
import type { Subscriber, Subscription } from "../client-port.ts";
import type { ServerConnection } from "../socket.ts";

export interface UserWakesOptions {
  readonly channel: string;
  readonly subscriber: Subscriber;
  readonly make: () => ServerConnection;
  readonly operationMs: number;
  readonly explain: (error: Error) => HoldfastError;
}

export class UserWakes implements Subscription {
  readonly #connection: Connection<ServerConnection>;
  readonly #explain: (error: Error) => HoldfastError;
  readonly #listener: (bytes: Buffer) => void;

  constructor({ channel, subscriber, make, operationMs, explain }: UserWakesOptions) {
    this.#explain = explain;
    this.#listener = (bytes) => subscriber.message(bytes);
    this.#connection = new Connection<ServerConnection>({
      make,
      prepare: (connection) => connection.subscribe(channel, this.#listener, true),
      attemptMs: operationMs / 2,
      explain,
      onUp: () => subscriber.up(),
      onDown: (failure) => subscriber.down(failure),
    });
  }

  async add(channel: string): Promise<void> {
    try {
      const { current } = this.#connection;
      if (current === undefined) throw new Error("there is no connection");
      await current.subscribe(channel, this.#listener, true);
    } catch (error) {
      throw this.#explain(toError(error));
    }
  }

  start(): void {
    this.#connection.start();
  }

  /** The client's connection was lost, or made again. */
  clientChanged(isReady: boolean): void {
    this.#connection.suspend(new Error("the connection of the client that was passed to open() changed"));
    if (isReady) this.#connection.start();
  }

  /** The client's own connection is left alone. */
  reconnect(): void {
    this.#connection.drop(new Error("the subscription reaches another server"));
  }

  close(): void {
    this.#connection.close();
  }
}
