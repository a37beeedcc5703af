/**
 * The public API `holdfast/reshard`: changes the number of shards of a store. Also `npx holdfast reshard`.
 *
 * @packageDocumentation
 */
export { reshard } from "./reshard.ts";
export type {
  ClusterClientLike,
  ClusterTarget,
  IoredisClientLike,
  IoredisClusterLike,
  NodeAddress,
  NodeAddressMap,
  RedisClientLike,
  SentinelClientLike,
  Target,
} from "../open.ts";
export type { Resharded, StorePlace } from "./reshard.ts";
