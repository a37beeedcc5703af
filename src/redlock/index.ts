/**
 * The public API `holdfast/redlock`: the interface of the package `redlock` 5, on the locks of Holdfast, so that a program
 * changes one import. docs/from-redlock.md is its guide.
 *
 * @packageDocumentation
 */
export { Lock, Redlock, Redlock as default } from "./redlock.ts";
export type { Routine } from "./redlock.ts";
export type { RedlockAbortSignal, UsingContext } from "./automatic-extension.ts";
export { ExecutionError, ResourceLockedError } from "./errors.ts";
export type { ClientExecutionResult, ExecutionResult, ExecutionStats, RedlockClient } from "./errors.ts";
export type { GivenSettings, Settings } from "./settings.ts";
export type {
  ClusterClientLike,
  IoredisClientLike,
  IoredisClusterLike,
  RedisClientLike,
  SentinelClientLike,
} from "../open.ts";
