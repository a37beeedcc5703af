/**
 * Opens a store on the target that a user names: a URL, their own client, their own backend, or the default.
 *
 * This is the only file that names concrete backends. Each is loaded with its own import() on first use. An invalid
 * target is refused here, immediately.
 */
import { randomBytes } from "node:crypto";
import type { Backend } from "./backends/contract.ts";
import {
  isClusterTarget,
  parseClusterTarget,
  type ClusterTarget,
  type NodeAddress,
  type NodeAddressMap,
} from "./backends/redis/client/cluster-target.ts";
import { parseAddress, type Address } from "./backends/redis/client/target-url.ts";
import {
  isClientOfCluster,
  type ClusterClientLike,
  type IoredisClusterLike,
} from "./backends/redis/client/user/cluster-types.ts";
import type { IoredisClientLike } from "./backends/redis/client/user/ioredis-types.ts";
import type { RedisClientLike } from "./backends/redis/client/node-redis-types.ts";
import type { SentinelClientLike } from "./backends/redis/client/user/sentinel-types.ts";
import { isUserClient, type UserClientLike } from "./backends/redis/client/user/recognize.ts";
import { parseSqlitePath } from "./backends/sqlite/path.ts";
import type { Check } from "./backends/examination.ts";
import { LazyBackend, type LazyKind } from "./backends/lazy.ts";
import { shardOf } from "./backends/shard-of.ts";
import { InvalidArgumentError } from "./errors.ts";
import * as parse from "./options.ts";
import { defaults, type DurabilityOptions, type Given, type OpenOptions } from "./options.ts";
import type { Serializer } from "./serializers/serializer.ts";
import { checkList, checkNames, nameOf, prefixesOf, yourClient } from "./backends/shard-targets.ts";
import { closeOn, closeOnSignals } from "./opening/close-on.ts";
import { json } from "./serializers/json.ts";
import { placeOf } from "./leases/grant-token.ts";
import { Session } from "./session.ts";
import { OpenedStore } from "./store/opened-store.ts";
import type { Store } from "./store/store.ts";
import { defaultStore } from "./opening/default-store.ts";
import { watchOpen } from "./opening/open-stores.ts";
import * as names from "./names.ts";
import { isBackend, ownBackend } from "./opening/own-backend.ts";
import { unknownScheme, unknownTarget } from "./opening/unknown-target.ts";

export type { ClusterClientLike, IoredisClientLike, IoredisClusterLike, RedisClientLike, SentinelClientLike };
export type { ClusterTarget, NodeAddress, NodeAddressMap };

type Parsed = Omit<Given<OpenOptions>, "serializer"> & { serializer?: Serializer };

/** A target of `open()`, other than your own backend. */
export type Target =
  | string
  | URL
  | ClusterTarget
  | RedisClientLike
  | SentinelClientLike
  | ClusterClientLike
  | IoredisClientLike
  | IoredisClusterLike;

/** What says where the data of a store is, and how. `index: "as stored"`: on the command line, as the store has it. */
type PlaceOptions = Pick<Parsed, "prefix" | "operationMs" | "declareKeys"> & {
  readonly index?: boolean | "as stored";
};

/** What the backends of one store have in common, and their options. */
type Shared = PlaceOptions & {
  readonly clientId: string;
  readonly isShard: boolean;
};

/** What is known about a backend that pushes wakes, and about one that does not, before it is loaded. */
const pushing = { pushes: true, askAgainMs: 5_000 };
const polling = { pushes: false, askAgainMs: 3 };

/**
 * Opens a store: shared states and locks. Synchronous and lazy: it connects on first use.
 *
 * @param target `redis:`, `rediss:`, `redis+unix:`, `redis+sentinel:` or `redis+cluster:` URL; `{ cluster: nodes }`;
 * `sqlite:path`; `memory:`; a connected client of `@redis/client`; a client of `ioredis`; your own backend; or a list of these (but for backends), one for
 * each shard of the store. Default: the environment variable `HOLDFAST_URL`; otherwise, outside
 * production, a SQLite file `.holdfast/store.db` in the root of the workspace, or next to the nearest `package.json`
 * that is in none. Its first use creates it. In production, and if the file system does not allow it, each call rejects
 * with an error that says what to set.
 * @throws InvalidArgumentError for a target or an option that cannot work.
 * @example
 * ```ts
 * const store = open("redis://localhost:6379", { leaseMs: 10_000 });
 * ```
 */
export function open(target?: Target | Backend | readonly Target[], options?: OpenOptions): Store {
  const parsed: Parsed = parse.parseOptions<Parsed>("open()", options, {
    prefix: names.prefix,
    shards: parse.shards,
    declareKeys: parse.boolean,
    index: parse.boolean,
    serializer: parse.serializer,
    leaseMs: parse.leaseMs,
    waitMs: parse.waitMs,
    operationMs: parse.operationMs,
    maxStateBytes: parse.maxStateBytes,
    passOverDead: parse.boolean,
    closeOn,
    durability: (value) => value as DurabilityOptions, // parsed below: what is possible depends on the other options
  });
  const { leaseMs, waitMs, operationMs, maxStateBytes, passOverDead } = { ...defaults, ...parsed };
  const backend = backendOf(target, parsed);
  const readDurability = parse.durabilityOn(backend, operationMs);
  const durability =
    parsed.durability === undefined ? undefined : readDurability(parsed.durability, "durability");
  const serializer = parsed.serializer ?? json;
  const settings = {
    serializer,
    leaseMs,
    waitMs,
    operationMs,
    maxStateBytes,
    passOverDead,
    place: placeOf(backend.name, parsed.prefix),
    durability,
    readDurability,
  };
  const session = new Session(backend, settings);
  if (backend instanceof LazyBackend) watchOpen(session, target);
  if (parsed.closeOn !== undefined) closeOnSignals(parsed.closeOn, session);
  return new OpenedStore(session);
}

/** The backend of a store, which is not connected yet; of one with several shards, the one that is made of them. */
export function backendOf(target: unknown, options: PlaceOptions & Pick<Parsed, "shards">): Backend {
  const clientId = newClientId();
  if (isBackend(target)) return ownBackend(target, options);
  const parts = partsOf(target, options, { clientId });
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const kind = {
    name: nameOf(parts),
    clientId,
    askAgainMs: Math.min(...parts.map(({ askAgainMs }) => askAgainMs)),
    pushes: parts.every(({ pushes }) => pushes),
    hasReplicas: parts.every(({ awaitReplicas }) => awaitReplicas !== undefined),
    shardOf: (id: string) => shardOf(id, parts.length),
  };
  const load = async (): Promise<Backend> => {
    const { ShardedBackend } = await import("./backends/shards/backend.ts");
    return new ShardedBackend(kind.name, parts);
  };
  return new LazyBackend({ ...kind, load });
}

/** The backends of a store, none of which is connected yet: one for each shard, or one for all. */
export function partsOf(
  target: unknown,
  options: PlaceOptions & Pick<Parsed, "shards">,
  { clientId = newClientId(), isShard }: { clientId?: string; isShard?: true } = {},
): LazyBackend[] {
  const { prefix = defaults.prefix, shards = 1 } = options;
  if (Array.isArray(target)) {
    checkList(target, options.shards);
    const parts = target.map((one) =>
      partOf(one, { ...options, clientId, isShard: isShard ?? target.length > 1 }),
    );
    checkNames(parts);
    return parts;
  }
  if (shards === 1) return [partOf(target, { ...options, clientId, isShard: isShard ?? false })];
  return prefixesOf(prefix, shards).map((own) =>
    partOf(target, { ...options, prefix: own, clientId, isShard: true }),
  );
}

function partOf(target: unknown, shared: Shared): LazyBackend {
  if (target === undefined) return defaultBackend(shared);
  if (typeof target === "string" || target instanceof URL) return backendOfUrl(String(target), shared);
  if (isUserClient(target))
    return redisBackend(target, yourClient, isClientOfCluster(target) ? onCluster(shared) : shared);
  if (isBackend(target)) {
    throw new InvalidArgumentError(
      "Your own backend cannot be one of several shards: each has a client id of its own. Use URLs or Redis clients.",
    );
  }
  if (isClusterTarget(target)) {
    const address = parseClusterTarget(target);
    return redisBackend(address, address.name, onCluster(shared));
  }
  throw unknownTarget(target);
}

function onCluster(shared: Shared): Shared {
  return { ...shared, prefix: names.clusterPrefix(shared.prefix) };
}

function backendOfUrl(url: string, shared: Shared): LazyBackend {
  const scheme = /^([a-z+]+):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case "redis":
    case "rediss":
    case "redis+unix":
    case "redis+sentinel":
    case "rediss+sentinel":
      return redisBackend(url, parseAddress(url).name, shared);
    case "redis+cluster":
    case "rediss+cluster":
      return redisBackend(url, parseAddress(url).name, onCluster(shared));
    case "sqlite":
      return sqliteBackend(parseSqlitePath(url), shared);
    case "memory":
      return memoryBackend(url, shared);
    default:
      throw unknownScheme(url, scheme);
  }
}

function redisBackend(target: string | Address | UserClientLike, name: string, shared: Shared): LazyBackend {
  const {
    clientId,
    isShard,
    declareKeys,
    index = false,
    prefix = defaults.prefix,
    operationMs = defaults.operationMs,
  } = shared;
  // Waiting for replicas needs a separate connection, which a user's own client must be able to make.
  const { duplicate } = target as { duplicate?: unknown };
  const isOurs = typeof target === "string" || "server" in target;
  const hasReplicas = isOurs || typeof duplicate === "function";
  const place = { target, clientId, isShard, prefix, operationMs, declareKeys };
  const indexing = () => import("./backends/redis/indexing/change-index.ts");
  const load = async (): Promise<Backend> => {
    const isIndexed = index === "as stored" ? await (await indexing()).findIndex(place) : index;
    return (await import("./backends/redis/backend.ts")).createRedisBackend({ ...place, index: isIndexed });
  };
  const changeIndex: LazyKind["changeIndex"] = async (action) =>
    (await indexing()).changeIndex(place, action);
  const examine = async (): Promise<readonly Check[]> =>
    (await import("./backends/redis/doctor/examine.ts")).examineRedis(place);
  return new LazyBackend({ name, clientId, ...pushing, hasReplicas, load, examine, changeIndex });
}

/** @param prepare is called before the file is first used; it throws if that cannot be. */
function sqliteBackend(path: string, shared: Shared, prepare?: () => void): LazyBackend {
  const { clientId, isShard, prefix = defaults.prefix } = shared;
  const place = { path, clientId, isShard, prefix };
  const load = async (): Promise<Backend> => {
    prepare?.();
    return (await import("./backends/sqlite/backend.ts")).createSqliteBackend(place);
  };
  const examine = async (): Promise<readonly Check[]> => {
    prepare?.();
    return (await import("./backends/sqlite/doctor/examine.ts")).examineSqlite(place);
  };
  return new LazyBackend({ name: `sqlite:${path}`, clientId, ...polling, hasReplicas: false, load, examine });
}

function memoryBackend(url: string, { clientId }: Shared): LazyBackend {
  if (!/^memory:$/i.test(url))
    // [P3] the target may contain a password
    throw new InvalidArgumentError('A memory: URL has nothing after the colon: use open("memory:").');
  const load = async (): Promise<Backend> => {
    const { MemoryBackend } = await import("./backends/memory/backend.ts");
    return new MemoryBackend({ clientId });
  };
  return new LazyBackend({ name: "memory:", clientId, ...pushing, hasReplicas: false, load });
}

/** 96 random bits for each opened store: two stores in one process are two clients. */
function newClientId(): string {
  return randomBytes(12).toString("hex");
}

function defaultBackend(shared: Shared): LazyBackend {
  const url = process.env["HOLDFAST_URL"];
  if (url !== undefined && url !== "") return backendOfUrl(url, shared);
  const { path, prepare } = defaultStore();
  return sqliteBackend(path, shared, prepare);
}
