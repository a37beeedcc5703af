/** What one case of the client suite works in: fresh keys, fresh clients, and the end of it all. */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import type {
  RedisArgument,
  RedisClient,
  RedisReply,
  Subscriber,
  Subscription,
} from "../../backends/redis/client/client-port.ts";
import type { HoldfastError } from "../../errors.ts";
import { eventually, rejection, type Failure } from "../assertions.ts";
import type { ClientSuiteHooks, ClientSuiteOptions } from "./options.ts";

/** What the server refused, as a case sees it. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** How one command ended, and what was called for it. */
export interface Answer {
  readonly calls: ("read" | "refused")[];
  readonly settled: Promise<unknown>;
}

export class ClientFixture {
  readonly options: ClientSuiteOptions;
  readonly #name = randomBytes(4).toString("hex");
  readonly #clients = new Set<RedisClient>();
  #observer: RedisClient | undefined;
  #keys = 0;

  constructor(options: ClientSuiteOptions) {
    this.options = options;
  }

  /** A key that was not used before. The keys of a case share a hash tag, since the port does not promise more. */
  key(): string {
    this.#keys += 1;
    return `${this.#prefix}{${this.#name}}:${String(this.#keys)}`;
  }

  channel(): string {
    return this.key();
  }

  hook<K extends keyof ClientSuiteHooks>(name: K): NonNullable<ClientSuiteHooks[K]> {
    const hook = this.options.hooks?.[name];
    assert.ok(hook, `the case does not name ${name} among its needs`);
    return hook;
  }

  /** One that has not been used yet. */
  async fresh(): Promise<RedisClient> {
    const client = await this.options.createClient();
    this.#clients.add(client);
    return client;
  }

  async connected(): Promise<RedisClient> {
    const client = await this.fresh();
    await reconnected(client);
    return client;
  }

  /** Asks the server by another way. */
  async observe(...args: string[]): Promise<RedisReply> {
    const create = this.options.createObserver ?? this.options.createClient;
    const observer = (this.#observer ??= await create());
    await reconnected(observer);
    return command(observer, args);
  }

  /** Subscribes, and remembers what it is told. */
  listen(client: RedisClient, channel: string): Listener {
    const listener = new Listener();
    const subscription = client.subscribe(channel, listener);
    listener.subscription = subscription;
    return listener;
  }

  async end(): Promise<void> {
    for (const client of this.#clients) await client.close();
    const keys = Array.from({ length: this.#keys }, (_, index) => this.#keyOf(index + 1));
    if (keys.length > 0) await this.observe("DEL", ...keys);
    await this.#observer?.close();
  }

  #keyOf(nth: number): string {
    return `${this.#prefix}{${this.#name}}:${String(nth)}`;
  }

  get #prefix(): string {
    return this.options.prefix ?? "suite:";
  }
}

/** What a subscription has said so far. */
export class Listener implements Subscriber {
  readonly messages: Buffer[] = [];
  readonly states: ("up" | "down")[] = [];
  readonly failures: HoldfastError[] = [];
  subscription: Subscription | undefined;

  message(bytes: Buffer): void {
    this.messages.push(bytes);
  }

  up(): void {
    this.states.push("up");
  }

  down(error: HoldfastError): void {
    this.states.push("down");
    this.failures.push(error);
  }

  async add(channel: string): Promise<void> {
    assert.ok(this.subscription);
    await this.subscription.add(channel);
  }

  reconnect(both: boolean): void {
    this.subscription?.reconnect(both);
  }

  /** What publishes to its channel, and what counts those who listen to it; on a cluster there are others. */
  get commands(): { readonly publish: string; readonly count: string } {
    return this.subscription?.isSharded === true
      ? { publish: "SPUBLISH", count: "SHARDNUMSUB" }
      : { publish: "PUBLISH", count: "NUMSUB" };
  }

  /** Resolves when it is up for the nth time. */
  async isUp(nth = 1): Promise<void> {
    await eventually(() => assert.equal(this.states.filter((state) => state === "up").length >= nth, true));
  }

  async has(...messages: string[]): Promise<void> {
    await eventually(() => assert.deepEqual(this.messages.map(String), messages));
  }
}

/** Resolves when there is a connection, however many attempts it takes. */
export async function reconnected(client: RedisClient): Promise<void> {
  await eventually(() => client.connect());
}

/** Sends one command, whose replies are wanted as strings. */
export function command(client: RedisClient, args: readonly RedisArgument[]): Promise<RedisReply> {
  return send(client, args, false);
}

/** Sends one command, whose replies are wanted as bytes. */
export function bytesOf(client: RedisClient, args: readonly RedisArgument[]): Promise<RedisReply> {
  return send(client, args, true);
}

function send(client: RedisClient, args: readonly RedisArgument[], bytes: boolean): Promise<RedisReply> {
  return client.send(
    { args, bytes },
    {
      read: (reply) => reply,
      refused: (message): never => {
        throw new Refused(message);
      },
    },
  );
}

/** Sends one command, and counts what is called for it. */
export function watched(client: RedisClient, args: readonly RedisArgument[]): Answer {
  const calls: Answer["calls"] = [];
  const settled = client.send<unknown>(
    { args, bytes: false },
    {
      read: (reply) => {
        calls.push("read");
        return reply;
      },
      refused: (message) => {
        calls.push("refused");
        return message;
      },
    },
  );
  return { calls, settled };
}

/** It rejects with UnavailableError of this outcome. */
export async function fails(
  promise: Promise<unknown>,
  { outcome }: { readonly outcome: "none" | "unknown" },
): Promise<Failure> {
  const error = await rejection(promise);
  assert.equal(error.name, "UnavailableError", `not an UnavailableError: ${error.stack ?? String(error)}`);
  assert.equal(error.outcome, outcome, error.message);
  return error;
}
