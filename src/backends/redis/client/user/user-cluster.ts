/**
 * The port for a user's client of a cluster: `createCluster()`, or `Cluster` of ioredis. It tells which nodes it knows and
 * how to connect to a node: each connection is a duplicate of its client of one, with all of its settings. Which node owns
 * the slot of the store is asked here (locate/), before each connection.
 *
 * No command is sent through it: it would follow redirections by itself, and send commands again elsewhere.
 */
import { UnavailableError } from "../../../../errors.ts";
import { after } from "../../../../timers.ts";
import type { RedisClientLike } from "../node-redis-types.ts";
import { OwnClient } from "../own-client.ts";
import type { RedisClient } from "../client-port.ts";
import type { ServerConnection } from "../socket.ts";
import { shown, type NetworkEndpoint } from "../target-url.ts";
import { forget, listen, type Listeners } from "./client-events.ts";
import {
  clusterOptions,
  ioredisClusterOptions,
  isIoredisCluster,
  type ClusterClientLike,
  type ClusterNodeLike,
  type IoredisClusterLike,
} from "./cluster-types.ts";
import { duplicateOf as ioredisDuplicate } from "./ioredis-duplicate.ts";
import { isIoredisClient, optionsOf, type IoredisClientLike } from "./ioredis-types.ts";
import { duplicateOf as nodeRedisDuplicate } from "./node-redis-duplicate.ts";

export interface UserClusterOptions {
  readonly operationMs: number;
  readonly stallMs?: number | undefined;
  /** Of the store's keys. */
  readonly slot: number;
}

/** What is needed of either kind. */
interface Settings {
  readonly nodeAddressMap: unknown;
  /** Those that it knows by now, as they are seen from here. */
  readonly nodes: () => Promise<readonly NetworkEndpoint[]> | readonly NetworkEndpoint[];
  readonly connectTo: (node: NetworkEndpoint) => ServerConnection;
}

export function openUserCluster(
  client: ClusterClientLike | IoredisClusterLike,
  options: UserClusterOptions,
): RedisClient {
  const name = nameOf(client);
  const closing = new AbortController();
  const how = { name, connectMs: options.operationMs, closing: closing.signal };
  const settings = isIoredisCluster(client) ? ofIoredis(client, how) : ofNodeRedis(client, how);
  const { nodes, connectTo } = settings;
  const nodeAddressMap = asFunction(settings.nodeAddressMap);
  const server = { nodes: [], moreNodes: async () => nodes(), nodeAddressMap };
  const address = { name, server, username: undefined, password: undefined, database: 0 };
  return new OwnClient(address, { ...options, connectTo, onClose: () => closing.abort() });
}

interface Way {
  readonly name: string;
  readonly connectMs: number;
  /** When the store is closed. */
  readonly closing: AbortSignal;
}

function ofNodeRedis(client: ClusterClientLike, { name, connectMs }: Way): Settings {
  const known = (): readonly ClusterNodeLike[] => {
    if (!client.isOpen)
      throw new Error("the client that was passed to open() is not connected; connect it first");
    const nodes = client.masters as readonly ClusterNodeLike[];
    if (nodes.length === 0) throw new Error("the client that was passed to open() knows no nodes yet");
    return nodes;
  };
  const { nodeAddressMap } = clusterOptions(client);
  const addressOf = asFunction(nodeAddressMap);
  const nodes = (): NetworkEndpoint[] =>
    known().map(({ host, port }) => {
      const address = addressOf?.(`${host}:${String(port)}`) ?? {};
      return { host, port, ...address, tls: false };
    });
  const connectTo = (node: NetworkEndpoint): ServerConnection =>
    nodeRedisDuplicate(clientOfNode(client, known()), { name, connectMs, node });
  return { nodeAddressMap, nodes, connectTo };
}

/** One that is there; otherwise, with `minimizeConnections`, one that is made now. */
function clientOfNode(client: ClusterClientLike, nodes: readonly ClusterNodeLike[]): RedisClientLike {
  const found = nodes.find((node) => node.client !== undefined)?.client;
  if (found !== undefined) return found as RedisClientLike;
  const [first] = nodes;
  Promise.resolve(client.nodeClient(first as never)).catch(() => undefined); // the duplicate has its own connection
  return first?.client as RedisClientLike;
}

function ofIoredis(client: IoredisClusterLike, way: Way): Settings {
  const { name, connectMs } = way;
  const nodes = async (): Promise<NetworkEndpoint[]> => {
    if (client.status === "wait") client.connect().catch(() => undefined); // its events tell
    if (client.nodes().length === 0) await hasNode(client, way);
    return client.nodes().map(placeOf);
  };
  const connectTo = (node: NetworkEndpoint): ServerConnection => {
    const clients = client.nodes();
    const isOfNode = (one: object): boolean => isSame(placeOf(one), node);
    const ofNode = clients.find(isOfNode) ?? clients[0];
    if (ofNode === undefined) throw new Error("the client that was passed to open() is connected to no node");
    const duplicate = isIoredisClient(ofNode)
      ? ioredisDuplicate(ofNode, { database: 0, connectMs, node })
      : undefined;
    if (duplicate !== undefined) return duplicate;
    const what = "the nodes() of the client that was passed to open() are no clients of ioredis";
    throw new UnavailableError(`${name}: ${what}. Pass a Cluster of "ioredis" itself`, {
      outcome: "none",
      lasting: true,
    });
  };
  return { nodeAddressMap: ioredisClusterOptions(client).natMap, nodes, connectTo };
}

/** While it looks for the cluster, at first and after it has lost all nodes, it knows none. */
function hasNode(client: IoredisClusterLike, { name, connectMs, closing }: Way): Promise<void> {
  if (client.status === "end") return Promise.reject(ended(name));
  const limitMs = connectMs / 2;
  return new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      forget(client, listeners);
      limit.stop();
      closing.removeEventListener("abort", close);
      if (error === undefined) resolve();
      else reject(error);
    };
    const listeners: Listeners = {
      "+node": () => settle(),
      end: () => settle(ended(name)),
    };
    const close = (): void => settle(new Error("closed"));
    closing.addEventListener("abort", close);
    const limit = after(limitMs, () => settle(new Error(`no answer within ${String(limitMs)} ms`)));
    listen(client, listeners);
  });
}

/** Only its owner can connect it again. */
function ended(name: string): UnavailableError {
  const what =
    "the client that was passed to open() was ended, by quit(), disconnect() or its clusterRetryStrategy";
  return new UnavailableError(`${name}: ${what}. Call its connect(), or open a store with another client`, {
    outcome: "none",
    lasting: true,
  });
}

function placeOf(ofNode: object): NetworkEndpoint {
  const { host, port } = optionsOf(ofNode as IoredisClientLike);
  return { host: String(host), port: Number(port), tls: false };
}

function isSame(a: NetworkEndpoint, b: NetworkEndpoint): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Both packages take an object or a function; `undefined`: the address leads there as it is. */
function asFunction(map: unknown): ((address: string) => unknown) | undefined {
  if (typeof map === "function") return map as (address: string) => unknown;
  if (typeof map !== "object" || map === null) return undefined;
  return (address) => (map as Readonly<Record<string, unknown>>)[address];
}

/** Of a node that it knows by now; never with a password [P3]. */
function nameOf(client: ClusterClientLike | IoredisClusterLike): string {
  const [node] = isIoredisCluster(client)
    ? client.nodes().map(placeOf)
    : (client.masters as readonly ClusterNodeLike[]);
  return node === undefined ? "redis+cluster" : `redis+cluster://${shown(node.host, node.port)}`;
}
