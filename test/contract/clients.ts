// Every kind of Redis client that there is an adapter for, as the client suite needs it: fresh ones of one server, through
// a proxy that does harm. test/project/promises.test.ts fails when an adapter of src/ is missing here.

import { createClient as createClient6, createCluster as createCluster6 } from "@redis/client";
import { Cluster as Cluster5, Redis as Redis5 } from "ioredis";
import { Cluster as Cluster6, Redis as Redis6 } from "ioredis-6";
import { Cluster as ValkeyCluster, Redis as Valkey } from "iovalkey";
import { createClient as createClient5, createCluster as createCluster5 } from "redis-client-5";

import { parseClusterTarget } from "../../src/backends/redis/client/cluster-target.ts";
import { openClient } from "../../src/backends/redis/client/open-client.ts";
import type { UserClientLike } from "../../src/backends/redis/client/user/recognize.ts";
import type { ClientSuiteHooks, RedisClient } from "../../src/testing/index.ts";
import { startLink, type Link } from "../support/faults/index.ts";
import { seen } from "../support/faults/cluster-nodes.ts";
import { startProxy, type Fault, type Proxy } from "../support/proxy.ts";
import { startRedis, type RedisServer } from "../support/redis-server.ts";

const operationMs = 1_500;

/** A user's client, and how to end it. */
interface Owned {
  readonly client: UserClientLike;
  end(): void;
}

/** Where the server is. A cluster names it by the address `known`, which leads nowhere. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly known: string;
}

export interface ClientUnderTest {
  /** The file of src/ that its adapter is in. */
  readonly file: string;
  /** It sends again by itself what was in flight when its connection broke. */
  readonly resends: boolean;
  /** What the user has made; without it the adapter makes its connections by itself. */
  readonly own?: (at: Place) => Promise<Owned>;
  /** It is one of a cluster, which is one node. */
  readonly isOfCluster?: true;
}

const nodeRedis = "backends/redis/client/user/user-node-redis.ts";
const ioredis = "backends/redis/client/user/user-ioredis.ts";

const own = "backends/redis/client/own-client.ts";

export const clients: Readonly<Record<string, ClientUnderTest>> = {
  "a URL": { file: own, resends: false },
  "@redis/client 5": {
    file: nodeRedis,
    resends: false,
    own: (at) => official(createClient5({ url: urlOf(at) })),
  },
  "@redis/client 6": {
    file: nodeRedis,
    resends: false,
    own: (at) => official(createClient6({ url: urlOf(at) })),
  },
  "ioredis 5": { file: ioredis, resends: true, own: async (at) => ended(new Redis5(urlOf(at), fast)) },
  "ioredis 6": { file: ioredis, resends: true, own: async (at) => ended(new Redis6(urlOf(at), fast)) },
  iovalkey: { file: ioredis, resends: true, own: async (at) => ended(new Valkey(urlOf(at), fast)) },
  "a cluster": ofCluster(),
  "a cluster of @redis/client 5": ofCluster((at) => official(createCluster5(officialOptions(at)))),
  "a cluster of @redis/client 6": ofCluster((at) => official(createCluster6(officialOptions(at)))),
  "a cluster of ioredis 5": ofCluster(async (at) => ended(new Cluster5([at], ioredisOptions(at)))),
  "a cluster of ioredis 6": ofCluster(async (at) => ended(new Cluster6([at], ioredisOptions(at)))),
  "a cluster of iovalkey": ofCluster(async (at) => ended(new ValkeyCluster([at], ioredisOptions(at)))),
};

/** All of them have connections of our own. */
function ofCluster(make?: (at: Place) => Promise<Owned>): ClientUnderTest {
  return { file: own, resends: false, isOfCluster: true, ...(make && { own: make }) };
}

function urlOf({ host, port }: Place): string {
  return `redis://:${secret}@${host}:${String(port)}`;
}

function officialOptions({ host, port, known }: Place) {
  const nodeAddressMap = { [known]: { host, port } };
  return { rootNodes: [{ socket: { host, port } }], defaults: { password: secret }, nodeAddressMap };
}

function ioredisOptions({ host, port, known }: Place) {
  const natMap = { [known]: { host, port } };
  return { natMap, redisOptions: { password: secret }, clusterRetryStrategy: () => 50 };
}

/** Of its own it waits up to two seconds before it connects again. */
const fast = { retryStrategy: () => 50 };

/** What every client of the package has. */
interface Official {
  connect(): Promise<unknown>;
  destroy(): void;
  on(event: "error", listener: () => void): unknown;
}

async function official(client: UserClientLike & Official): Promise<Owned> {
  client.on("error", () => {});
  await client.connect();
  return { client, end: () => client.destroy() };
}

interface OfIoredis {
  disconnect(): void;
  on(event: "error", listener: () => void): unknown;
}

function ended(client: UserClientLike & OfIoredis): Owned {
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
    const server = of.isOfCluster ? await startNode() : await startRedis({ password: secret });
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
    const { own, isOfCluster } = this.#of;
    const options = { operationMs, prefix: isOfCluster ? "{holdfast}:" : "" };
    const at = this.#place;
    if (own === undefined) {
      const nodeAddressMap = { [at.known]: at };
      const { host, port } = at;
      const cluster = { cluster: [{ host, port }], password: secret, nodeAddressMap };
      return openClient(isOfCluster ? parseClusterTarget(cluster) : urlOf(at), options).client;
    }
    const owned = await own(at);
    this.#owned.add(owned);
    return openClient(owned.client, options).client;
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

  get #place(): Place {
    const known = `${unreachable}:${String(this.#server.port)}`;
    return { host: "127.0.0.1", port: this.#link.port, known };
  }

  #strike(name: string, fault: Fault): void {
    this.#proxy.strike(name, fault);
  }
}

/** Reserved for documentation: clients reach the node only where their map says. */
const unreachable = "192.0.2.1";

/** A cluster of one node, which does not know where it can be reached. */
async function startNode(): Promise<RedisServer> {
  const more = ["--cluster-enabled", "yes", "--cluster-announce-ip", unreachable];
  const server = await startRedis({ password: secret, more });
  await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await seen(async () => String(await server.command("CLUSTER", "INFO")).includes("cluster_state:ok"));
  return server;
}

/** One that is easily found in a text where it must not be [P3]. */
export const secret = "pw-of-the-client-suite";
