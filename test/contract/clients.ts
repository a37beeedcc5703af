// Every kind of Redis client that there is an adapter for, as the client suite needs it: fresh ones of one server, through
// a proxy that does harm. test/project/promises.test.ts fails when an adapter of src/ is missing here.

import { createClient as createClient6 } from "@redis/client";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis-6";
import { Redis as Valkey } from "iovalkey";
import { createClient as createClient5 } from "redis-client-5";

import type { IoredisClientLike, RedisClientLike } from "../../src/index.ts";
import { openClient } from "../../src/backends/redis/client/open-client.ts";
import type { UserClientLike } from "../../src/backends/redis/client/user/recognize.ts";
import type { ClientSuiteHooks, RedisClient } from "../../src/testing/index.ts";
import { startLink, type Link } from "../support/faults/index.ts";
import { startProxy, type Fault, type Proxy } from "../support/proxy.ts";
import { startRedis, type RedisServer } from "../support/redis-server.ts";

const operationMs = 1_500;

/** A user's client, and how to end it. */
interface Owned {
  readonly client: UserClientLike;
  end(): void;
}

export interface ClientUnderTest {
  /** The file of src/ that its adapter is in. */
  readonly file: string;
  /** It sends again by itself what was in flight when its connection broke. */
  readonly resends: boolean;
  /** What the user has made; without it the adapter makes its connections by itself. */
  readonly own?: (url: string) => Promise<Owned>;
}

const nodeRedis = "backends/redis/client/user/user-node-redis.ts";
const ioredis = "backends/redis/client/user/user-ioredis.ts";

export const clients: Readonly<Record<string, ClientUnderTest>> = {
  "a URL": { file: "backends/redis/client/own-client.ts", resends: false },
  "@redis/client 5": { file: nodeRedis, resends: false, own: (url) => official(createClient5({ url })) },
  "@redis/client 6": { file: nodeRedis, resends: false, own: (url) => official(createClient6({ url })) },
  "ioredis 5": { file: ioredis, resends: true, own: async (url) => ended(new Redis5(url, fast)) },
  "ioredis 6": { file: ioredis, resends: true, own: async (url) => ended(new Redis6(url, fast)) },
  iovalkey: { file: ioredis, resends: true, own: async (url) => ended(new Valkey(url, fast)) },
};

/** Of its own it waits up to two seconds before it connects again. */
const fast = { retryStrategy: () => 50 };

async function official(client: RedisClientLike): Promise<Owned> {
  const own = client as RedisClientLike & {
    connect(): Promise<unknown>;
    destroy(): void;
    on(event: "error", listener: () => void): unknown;
  };
  own.on("error", () => {});
  await own.connect();
  return { client, end: () => own.destroy() };
}

function ended(client: IoredisClientLike & { disconnect(): void }): Owned {
  client.on("error", () => {});
  return { client, end: () => client.disconnect() };
}

/** One server, and all clients that a run of the suite makes. */
export class ClientWorld {
  readonly #server: RedisServer;
  readonly #proxy: Proxy;
  /** What the clients connect to; it leads to the proxy. */
  readonly #link: Link;
  readonly #of: ClientUnderTest;
  readonly #owned = new Set<Owned>();

  static async start(of: ClientUnderTest): Promise<ClientWorld> {
    const server = await startRedis({ password: secret });
    const proxy = await startProxy(server);
    return new ClientWorld(of, { server, proxy, link: await startLink(proxy) });
  }

  private constructor(of: ClientUnderTest, by: { server: RedisServer; proxy: Proxy; link: Link }) {
    this.#of = of;
    this.#server = by.server;
    this.#proxy = by.proxy;
    this.#link = by.link;
  }

  async createClient(): Promise<RedisClient> {
    const { own } = this.#of;
    if (own === undefined) return openClient(this.#url, { operationMs, prefix: "" }).client;
    const owned = await own(this.#url);
    this.#owned.add(owned);
    return openClient(owned.client, { operationMs, prefix: "" }).client;
  }

  createObserver(): RedisClient {
    return openClient(this.#server.adminUrl, { operationMs, prefix: "" }).client;
  }

  readonly hooks: ClientSuiteHooks = {
    cut: () => this.#proxy.cut(),
    loseReply: (name) => this.#strike(name, "lose-reply"),
    loseRequest: (name) => this.#strike(name, "lose-request"),
    isolate: async () => {
      this.#link.refusing = true;
      this.#link.cut();
      return () => void (this.#link.refusing = false);
    },
  };

  /** After a case. */
  endClients(): void {
    for (const { end } of this.#owned) end();
    this.#owned.clear();
  }

  async end(): Promise<void> {
    this.endClients();
    await this.#link.close();
    await this.#proxy.close();
    await this.#server.stop();
  }

  get #url(): string {
    return `redis://:${secret}@127.0.0.1:${String(this.#link.port)}`;
  }

  #strike(name: string, fault: Fault): void {
    this.#proxy.strike(name, fault);
  }
}

/** One that is easily found in a text where it must not be [P3]. */
export const secret = "pw-of-the-client-suite";
