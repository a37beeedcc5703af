/**
 * The one file of holdfast/statefulpy that names backends. Each is loaded with its own import() on first use, so that
 * importing the package loads no client and no SQLite.
 */
import type { PlainStore } from "../backends/contract-plain.ts";
import { parseAddress, type Address } from "../backends/redis/client/target-url.ts";
import { isClientOfCluster } from "../backends/redis/client/user/cluster-types.ts";
import type { IoredisClientLike } from "../backends/redis/client/user/ioredis-types.ts";
import type { RedisClientLike } from "../backends/redis/client/node-redis-types.ts";
import { isUserClient, type UserClientLike } from "../backends/redis/client/user/recognize.ts";
import type { SentinelClientLike } from "../backends/redis/client/user/sentinel-types.ts";
import { InvalidArgumentError } from "../errors.ts";
import { show } from "../options.ts";
import { ourUrl } from "./redis-url.ts";

export type { IoredisClientLike, RedisClientLike, SentinelClientLike };

/** A client that the user has made, of one Redis: `new RedisBackend({ client })`. */
export type PlainClient = RedisClientLike | IoredisClientLike | SentinelClientLike;

/** Where the states are, before anything is loaded or connected. */
export interface Place {
  /** For messages; never with a password [P3]. */
  readonly name: string;
  readonly load: () => Promise<PlainStore>;
}

export interface RedisPlaceOptions {
  readonly url: string;
  readonly client: unknown;
  readonly prefix: string;
  readonly operationMs: number;
}

/** @throws InvalidArgumentError for a URL or a client that cannot be used. */
export function redisPlace({ url, client, ...options }: RedisPlaceOptions): Place {
  const target = client === undefined ? addressOf(url) : singleClient(client);
  const load = async (): Promise<PlainStore> => {
    const { openPlainRedis } = await import("../backends/redis/statefulpy/plain-redis.ts");
    return openPlainRedis({ target, ...options });
  };
  return { name: "server" in target ? target.name : "your Redis client", load };
}

/** `isReadOnly`: the file must exist, and is not changed. */
export function sqlitePlace(path: string, isReadOnly = false): Place {
  const load = async (): Promise<PlainStore> => {
    const { openPlainSqlite } = await import("../backends/sqlite/statefulpy/plain-sqlite.ts");
    return openPlainSqlite({ path, isReadOnly });
  };
  return { name: `sqlite:${path}`, load };
}

const noCluster =
  "holdfast/statefulpy does not work with a Redis Cluster, where the state and the lock of an id would be on two nodes: " +
  'pass a single Redis, or use open() of "holdfast".';

function addressOf(url: string): Address {
  const address = parseAddress(ourUrl(url));
  if ("nodes" in address.server) throw new InvalidArgumentError(noCluster);
  return address;
}

function singleClient(client: unknown): UserClientLike {
  if (!isOfUser(client))
    throw new InvalidArgumentError(
      `client must be a connected client of "@redis/client" or a Redis of "ioredis"; got ${show(client)}.`,
    );
  if (isClientOfCluster(client)) throw new InvalidArgumentError(noCluster);
  return client;
}

/** What the check says of open() is as true here. */
function isOfUser(client: unknown): client is UserClientLike {
  try {
    return isUserClient(client);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(
      error.message
        .replace("open() got", "new RedisBackend() got")
        .replace("open(client, { prefix })", "new RedisBackend({ client, prefix })"),
    );
  }
}
