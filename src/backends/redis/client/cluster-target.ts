/**
 * A cluster as an options object: `{ cluster: [{ host, port }], … }`, for what a URL cannot say. Parsed once, at the door;
 * messages never show a value, since any of them may contain a password [P3].
 */
import { InvalidArgumentError } from "../../../errors.ts";
import { defaultPort, isHost, isPort, shownAll, type Address, type NetworkEndpoint } from "./target-url.ts";

/** Where a node of a cluster is. */
export interface NodeAddress {
  /** A host name or an IP address. */
  host: string;
  /** Default 6379. */
  port?: number | undefined;
}

/**
 * From an address that the cluster names, `host:port` as in `CLUSTER SLOTS`, to the one that this process must connect to.
 * What it does not have, or returns `undefined` for, is used as it is.
 */
export type NodeAddressMap =
  Readonly<Record<string, NodeAddress>> | ((address: string) => NodeAddress | null | undefined);

/** A Redis Cluster, as given to `open()`. */
export interface ClusterTarget {
  /** Some of its nodes, through which the others are found. */
  cluster: readonly NodeAddress[];
  /** Default: the server's user `default`. */
  username?: string | undefined;
  /** The password of the user. Default: none. */
  password?: string | undefined;
  /** Whether to connect with TLS. Default: false. */
  tls?: boolean | undefined;
  /** For a cluster behind NAT or port forwarding. */
  nodeAddressMap?: NodeAddressMap | undefined;
}

const known = ["cluster", "username", "password", "tls", "nodeAddressMap"];
const databases = ["database", "db"];
const example = '{ host: "10.0.0.1", port: 6379 }';

/** By its member, which no client has but as a method. */
export function isClusterTarget(value: unknown): value is ClusterTarget {
  if (typeof value !== "object" || value === null || !("cluster" in value)) return false;
  return typeof value.cluster !== "function";
}

/** Throws InvalidArgumentError for what cannot work. Later changes of the object have no effect. */
export function parseClusterTarget(target: ClusterTarget): Address {
  refuseUnknown(Object.keys(target));
  const { tls = false } = target as { readonly tls?: unknown };
  if (typeof tls !== "boolean")
    throw malformed(
      "tls must be true or false. For a CA of your own, start the process with NODE_EXTRA_CA_CERTS=<file>, or pass a client of your own",
    );
  const username = textOf(target.username, "username");
  const password = textOf(target.password, "password");
  if (username !== undefined && password === undefined) throw malformed("username needs a password");
  const nodes = nodesOf(target.cluster, tls);
  const name = `${tls ? "rediss" : "redis"}+cluster://${shownAll(nodes)}`;
  const nodeAddressMap = mapOf(target.nodeAddressMap);
  return { name, server: { nodes, nodeAddressMap }, username, password, database: 0 };
}

function refuseUnknown(names: readonly string[]): void {
  const odd = names.find((name) => !known.includes(name));
  if (odd === undefined) return;
  if (databases.includes(odd)) throw malformed(`a cluster has only database 0: omit ${odd}`);
  // A name that is no word may be anything.
  const shown = /^\w{1,40}$/.test(odd) ? odd : "one of these";
  throw malformed(`it has no option ${shown}; it takes: ${known.join(", ")}`);
}

function nodesOf(cluster: unknown, tls: boolean): NetworkEndpoint[] {
  if (!Array.isArray(cluster) || cluster.length === 0)
    throw malformed(`cluster must be a list of some of its nodes, such as [${example}]`);
  return cluster.map((node: unknown, index) => ({ ...addressOf(node, `cluster[${String(index)}]`), tls }));
}

function addressOf(value: unknown, what: string): { readonly host: string; readonly port: number } {
  if (typeof value !== "object" || value === null)
    throw malformed(`${what} must be an object such as ${example}`);
  const { host, port = defaultPort } = value as { readonly host?: unknown; readonly port?: unknown };
  const bare = typeof host === "string" ? host.replace(/^\[(.*)\]$/, "$1") : host;
  if (!isHost(bare)) throw malformed(`${what}.host must be a name in ASCII or an address`);
  if (!isPort(port)) throw malformed(`${what}.port must be a whole number from 1 to 65535`);
  return { host: bare, port };
}

function textOf(value: unknown, what: string): string | undefined {
  if (value === undefined || (typeof value === "string" && value !== "")) return value;
  throw malformed(`${what} must be a string that is not empty`);
}

function mapOf(map: unknown): ((address: string) => unknown) | undefined {
  if (map === undefined) return undefined;
  if (typeof map === "function") return map as (address: string) => unknown;
  if (typeof map !== "object" || map === null || Array.isArray(map))
    throw malformed(
      `nodeAddressMap must be a function, or an object such as { "10.0.0.1:6379": { host: "localhost", port: 7001 } }`,
    );
  const entries = Object.entries(map).map(([address, to]) => {
    if (!/^[\w.:-]+:\d+$/.test(address))
      throw malformed("a name in nodeAddressMap is not host:port, as CLUSTER SLOTS names a node");
    return [address, addressOf(to, `nodeAddressMap["${address}"]`)] as const;
  });
  const found = new Map(entries);
  return (address) => found.get(address);
}

function malformed(why: string): InvalidArgumentError {
  return new InvalidArgumentError(`Invalid cluster target: ${why}.`);
}
