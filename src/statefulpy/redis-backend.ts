/** `new RedisBackend()`: states and locks in Redis, on the keys and with the bytes of the Python library statefulpy. */
import { Core, setCore } from "./core.ts";
import { parseRedisOptions, type RedisBackendOptions } from "./options.ts";
import { redisPlace } from "./places.ts";
import { serializerOf } from "./serializers.ts";
import { StateBackend } from "./state-backend.ts";
import { operationMs } from "./store-calls.ts";

/**
 * States and locks in Redis, shared with Python processes that use statefulpy: the same keys, the same bytes, and locks
 * that exclude each other. Connects with the first call. Not for a Redis Cluster.
 *
 * @example
 * ```ts
 * const backend = new RedisBackend({ redisUrl: "redis://localhost:6379/0", serializer: "json" });
 * await backend.owner(async () => {
 *   await backend.acquireLock("jobs.counter");
 *   const state = ((await backend.loadState("jobs.counter")) ?? { count: 0 }) as { count: number };
 *   await backend.saveState("jobs.counter", { count: state.count + 1 });
 * });
 * await backend.close();
 * ```
 */
export class RedisBackend extends StateBackend {
  /** @throws InvalidArgumentError for an option, a URL or a client that cannot work. */
  constructor(options?: RedisBackendOptions) {
    super();
    const parsed = parseRedisOptions(options);
    const { redisUrl: url = "redis://localhost:6379/0", client, prefix = "statefulpy:" } = parsed;
    const place = redisPlace({ url, client, prefix, operationMs });
    const { lockTimeout: leaseMs = 30_000 } = parsed;
    setCore(this, new Core({ place, serializer: serializerOf(parsed), leaseMs }));
  }
}
