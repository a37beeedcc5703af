/** From a target to the port: the adapter for it, and how to make more connections for commands. */
import { slotOf } from "./locate/key-slot.ts";
import { parseAddress, type Address } from "./target-url.ts";
import { isSentinelClient } from "./user/sentinel-types.ts";
import { UserIoredis } from "./user/user-ioredis.ts";
import { isIoredisClient } from "./user/ioredis-types.ts";
import { UserNodeRedis } from "./user/user-node-redis.ts";
import { openUserCluster } from "./user/user-cluster.ts";
import { openSentinel } from "./user/user-sentinel.ts";
import { isClientOfCluster } from "./user/cluster-types.ts";
import { refuseUnsupported, type UserClientLike } from "./user/recognize.ts";
import type { RedisClient } from "./client-port.ts";
import { OwnClient } from "./own-client.ts";

export interface OpenedClient {
  readonly client: RedisClient;
  /** Makes one more connection for commands; `undefined` where the user's client cannot. */
  readonly makeAnother: (() => RedisClient) | undefined;
  /** The user may have selected another database since the client was made; its duplicates would not follow. */
  readonly mayUseAnotherDatabase: boolean;
}

export interface ClientOptions {
  readonly operationMs: number;
  /** Of the store's keys; on a cluster, its hash tag says which node has them. */
  readonly prefix: string;
}

/** What a store is opened on: a URL, an address that has been parsed, or a user's client. */
export type RedisTarget = string | URL | Address | UserClientLike;

/** Connects nothing yet. */
export function openClient(target: RedisTarget, { operationMs, prefix }: ClientOptions): OpenedClient {
  // A WAIT is silent for as long as it waits, which is less than `operationMs`.
  const how = { operationMs, stallMs: operationMs, slot: slotOf(prefix) };
  if (typeof target === "string" || target instanceof URL) return openAddress(parseAddress(target), how);
  return "server" in target ? openAddress(target, how) : openUserClient(target, how);
}

/** `stallMs`: of further connections. */
interface How {
  readonly operationMs: number;
  readonly stallMs: number;
  readonly slot: number;
}

function openAddress(address: Address, { stallMs, ...how }: How): OpenedClient {
  const client = new OwnClient(address, how);
  const makeAnother = (): RedisClient => new OwnClient(address, { ...how, stallMs });
  return { client, makeAnother, mayUseAnotherDatabase: false };
}

function openUserClient(target: UserClientLike, { stallMs, ...how }: How): OpenedClient {
  const { operationMs } = how;
  refuseUnsupported(target);
  if (isIoredisClient(target)) {
    const client = new UserIoredis(target, operationMs);
    return { client, makeAnother: () => client.makeAnother(stallMs), mayUseAnotherDatabase: true };
  }
  if (isClientOfCluster(target)) {
    const client = openUserCluster(target, how);
    const makeAnother = (): RedisClient => openUserCluster(target, { ...how, stallMs });
    return { client, makeAnother, mayUseAnotherDatabase: false };
  }
  if (isSentinelClient(target)) {
    const client = openSentinel(target, { operationMs });
    const makeAnother = (): RedisClient => openSentinel(target, { operationMs, stallMs });
    return { client, makeAnother, mayUseAnotherDatabase: false };
  }
  const client = new UserNodeRedis(target, operationMs);
  const { makeAnother } = client;
  return { client, makeAnother: makeAnother && (() => makeAnother(stallMs)), mayUseAnotherDatabase: true };
}
