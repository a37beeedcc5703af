/** The types of clients of clusters that the adapter relies on, written out so that no type of ours names a package. */
import { isOfIoredis } from "./ioredis-types.ts";

/** A connected client made by `createCluster()` of `@redis/client` (or `redis`) 5 or 6, as given to `open()`. It stays yours. */
export interface ClusterClientLike {
  /** Whether it was connected, and has not been closed. */
  readonly isOpen: boolean;
  /** The primaries that it knows by now. */
  readonly masters: readonly object[];
  /** Connects to a node, if it has not yet. */
  nodeClient(node: never): unknown;
  /** Makes the client for wakes, which is ours. */
  duplicate(overrides?: object): object;
}

/** A `Cluster` of `ioredis` 5 or 6, or of `iovalkey`, as given to `open()`. It stays yours. */
export interface IoredisClusterLike {
  /** Tells a cluster from a client of one server. */
  readonly isCluster: boolean;
  /** The state of its connection, such as "ready". */
  readonly status: string;
  /** The options that it was made with. */
  readonly options: object;
  /** Its clients of the nodes that it knows by now. */
  nodes(): readonly object[];
  /** Connects one that was made with `lazyConnect`. */
  connect(): Promise<unknown>;
  /** Makes the client for wakes, which is ours. */
  duplicate(...args: never[]): object;
  /** To follow it when it reconnects. */
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Undoes `on`. */
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What we need to know of its options, and where it begins to look for the cluster. */
export interface IoredisClusterOptions {
  readonly keyPrefix?: unknown;
  readonly scaleReads?: unknown;
  readonly natMap?: unknown;
  readonly redisOptions?: { readonly keyPrefix?: unknown; readonly db?: unknown } | null;
}

export interface ClusterOptions {
  readonly keyPrefix?: unknown;
  readonly useReplicas?: unknown;
  readonly nodeAddressMap?: unknown;
  readonly defaults?: { readonly database?: unknown } | null;
}

/** A node of `createCluster()`, as the cluster names it. */
export interface ClusterNodeLike {
  readonly host: string;
  readonly port: number;
  readonly client?: object;
}

export function isIoredisCluster(value: object): value is IoredisClusterLike {
  const client = value as Partial<Record<keyof IoredisClusterLike, unknown>>;
  return (
    isOfIoredis(value) &&
    client.isCluster === true &&
    typeof client.status === "string" &&
    typeof client.options === "object" &&
    ["nodes", "connect", "duplicate", "on", "off"].every(
      (name) => typeof client[name as keyof IoredisClusterLike] === "function",
    )
  );
}

/** By its options as well, which it has under a name with an underscore: without the map of addresses, it cannot serve. */
export function isClusterClient(value: object): value is ClusterClientLike {
  const client = value as Partial<Record<keyof ClusterClientLike | "_options", unknown>>;
  return (
    typeof client.isOpen === "boolean" &&
    Array.isArray(client.masters) &&
    typeof client.nodeClient === "function" &&
    typeof client.duplicate === "function" &&
    typeof client._options === "object" &&
    client._options !== null
  );
}

export function isClientOfCluster(value: object): value is ClusterClientLike | IoredisClusterLike {
  return isIoredisCluster(value) || isClusterClient(value);
}

export function ioredisClusterOptions(client: IoredisClusterLike): IoredisClusterOptions {
  return client.options;
}

export function clusterOptions(client: ClusterClientLike): ClusterOptions {
  return (client as ClusterClientLike & { readonly _options: ClusterOptions })._options;
}
