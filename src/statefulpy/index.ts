/**
 * The public API `holdfast/statefulpy`: the interface of the Python library statefulpy, on the same keys and bytes, for
 * programs that share a Redis or a SQLite file with Python ones. docs/from-statefulpy.md is its guide.
 *
 * @packageDocumentation
 */
export { RedisBackend } from "./redis-backend.ts";
export { SqliteBackend } from "./sqlite-backend.ts";
export { StateBackend } from "./state-backend.ts";
export type { StateEntry } from "./state-backend.ts";
export { stateful } from "./stateful.ts";
export type { StatefulFunction, StatefulOptions } from "./stateful.ts";
export type { Owner } from "./locking/owner.ts";
export type {
  AcquireOptions,
  BackendOptions,
  ListOptions,
  OwnerOptions,
  RedisBackendOptions,
  SqliteBackendOptions,
} from "./options.ts";
export type { IoredisClientLike, PlainClient, RedisClientLike, SentinelClientLike } from "./places.ts";
export type { Serializer } from "../serializers/serializer.ts";
