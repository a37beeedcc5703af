/** From a target to the port: the adapter for it, and how to make more connections for commands of our own. */
import { parseAddress } from "./address.ts";
import { UserClient } from "./user-client.ts";
import type { RedisClient } from "./port.ts";
import { NodeRedis } from "./node-redis.ts";
import type { RedisClientLike } from "./node-redis-types.ts";

export interface OpenedClient {
  readonly client: RedisClient;
  /** `undefined` where the user's client cannot make one. */
  readonly another: (() => RedisClient) | undefined;
  /** The user's client may have been told to select another database since it was made; what it makes does not know. */
  readonly mayUseAnotherDatabase: boolean;
}

/** Connects nothing yet. */
export function openClient(target: string | URL | RedisClientLike, operationMs: number): OpenedClient {
  // What waits for replicas is silent for as long as it waits, which is less than `operationMs`.
  const stallMs = operationMs;
  if (typeof target === "string" || target instanceof URL) {
    const address = parseAddress(target);
    const client = new NodeRedis(address, { operationMs });
    const another = (): RedisClient => new NodeRedis(address, { operationMs, stallMs });
    return { client, another, mayUseAnotherDatabase: false };
  }
  const client = new UserClient(target, operationMs);
  const { another } = client;
  return { client, another: another && (() => another(stallMs)), mayUseAnotherDatabase: true };
}
