/**
 * Which server it is, by what it says of itself in INFO: for messages, which say what to set there, and to tell a Sentinel
 * from a server. Nothing else depends on it: what a server can do is tried (scripts/probe.lua), never concluded from its
 * name, and a server that hides INFO, or a proxy that does, is used like any other.
 */
import { InvalidArgumentError, isError, UnavailableError } from "../../errors.ts";

export interface ServerIdentity {
  /** With its version, such as "Valkey 9.1.2"; `undefined` if it does not say. */
  readonly name: string | undefined;
  readonly isSentinel: boolean;
}

/**
 * The first field that is there decides: all of these servers give a `redis_version` as well, that of the Redis with
 * which they are compatible.
 */
const versionFields: readonly (readonly [field: string, kind: string])[] = [
  ["dragonfly_version", "Dragonfly"],
  ["kvrocks_version", "Kvrocks"],
  ["garnet_version", "Garnet"],
  ["redict_version", "Redict"],
  ["upstash_version", "Upstash"],
  ["rlec_version", "Redis Enterprise"],
  ["valkey_version", "Valkey"],
  ["redis_version", "Redis"],
];

export function identify(info: string): ServerIdentity {
  const fields = new Map(
    [...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, field = "", text = ""]) => [field, text]),
  );
  // Valkey 8 and later have `server_mode`.
  const mode = fields.get("redis_mode") ?? fields.get("server_mode");
  const product = productOf(fields);
  const place = /^Amazon .*/.exec(fields.get("os") ?? "")?.[0];
  const isCluster = mode === "cluster" || fields.get("cluster_enabled") === "1";
  const name =
    product && [product, isCluster && "in cluster mode", place && `on ${place}`].filter(Boolean).join(" ");
  return { name, isSentinel: mode === "sentinel" };
}

function productOf(fields: ReadonlyMap<string, string>): string | undefined {
  const [field, kind] = versionFields.find(([one]) => fields.has(one)) ?? [];
  if (field === undefined || kind === undefined) return undefined;
  const version = (fields.get(field) ?? "").replace(/^[^\d]*/, "").slice(0, 30);
  // KeyDB has no version field of its own, but a section of its own with this field.
  const known = kind === "Redis" && fields.has("mvcc_depth") ? "KeyDB" : kind;
  return version === "" ? known : `${known} ${version}`;
}

/** The same error, with the server's name after its address. */
export function withServerNamed(error: unknown, address: string, { name }: ServerIdentity): unknown {
  if (name === undefined || !isError(error) || !error.message.startsWith(address)) return error;
  const message = `${address} (${name})${error.message.slice(address.length)}`;
  if (error instanceof UnavailableError) {
    const { outcome, code, lasting, cause } = error;
    return new UnavailableError(message, { outcome, code, lasting, cause });
  }
  return error instanceof InvalidArgumentError ? new InvalidArgumentError(message) : error;
}
