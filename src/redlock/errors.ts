/**
 * The errors of the package `redlock`, and what it tells of each attempt: the same names and fields, so that programs that
 * look at them go on working. Here there is one server, and one attempt: nothing is polled.
 */
import type {
  ClusterClientLike,
  IoredisClientLike,
  IoredisClusterLike,
  RedisClientLike,
  SentinelClientLike,
} from "../open.ts";
import { isError, LockLostError, quoted } from "../errors.ts";
import { adviceToOwner } from "../scheduling/timeouts/timeout-error.ts";

/** A client that `Redlock` takes: of one server, of Sentinels or of a cluster. */
export type RedlockClient =
  IoredisClientLike | IoredisClusterLike | RedisClientLike | SentinelClientLike | ClusterClientLike;

/** What one client said of an attempt. */
export type ClientExecutionResult =
  | {
      /** The client that was asked. */
      readonly client: RedlockClient;
      /** The call succeeded. */
      readonly vote: "for";
      /** How many resources it was about. */
      readonly value: number;
    }
  | {
      /** The client that was asked. */
      readonly client: RedlockClient;
      /** The call failed. */
      readonly vote: "against";
      /** Why it failed. */
      readonly error: Error;
    };

/** What one attempt came to. Here, the one client votes. */
export interface ExecutionStats {
  /** How many clients there are: 1. */
  readonly membershipSize: number;
  /** How many must agree: 1. */
  readonly quorumSize: number;
  /** The client, if the call succeeded. */
  readonly votesFor: Set<RedlockClient>;
  /** The client, and why the call failed. */
  readonly votesAgainst: Map<RedlockClient, Error>;
}

/** What `release` returns. There is one attempt, since a lock is waited for in one call. */
export interface ExecutionResult {
  /** What each attempt came to. */
  attempts: readonly Promise<ExecutionStats>[];
}

/**
 * Another process holds one of the resources, or the lock is over. It is emitted as an "error" event, and stands in the
 * `attempts` of the ExecutionError that the call throws; `cause` is Holdfast's own error.
 */
export class ResourceLockedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ResourceLockedError";
  }
}

/**
 * The call failed: the resources were not free in time, the lock is over, or the server did not answer. `cause` is Holdfast's
 * own error, with its code.
 *
 * @example
 * ```ts
 * const lock = await redlock.acquire(["a"], 5_000, { retryCount: 0 }).catch((error: unknown) => {
 *   if (error instanceof ExecutionError) return undefined; // locked
 *   throw error;
 * });
 * ```
 */
export class ExecutionError extends Error {
  /** What each attempt came to; none if nothing was sent. */
  readonly attempts: readonly Promise<ExecutionStats>[];

  constructor(message: string, attempts: readonly Promise<ExecutionStats>[], options?: ErrorOptions) {
    super(message, options);
    this.name = "ExecutionError";
    this.attempts = attempts;
  }
}

/** The attempts of a call, of which there is one: `against` says why it failed. */
export function attemptsOf(client: RedlockClient, against?: Error): readonly Promise<ExecutionStats>[] {
  const stats = {
    membershipSize: 1,
    quorumSize: 1,
    votesFor: new Set(against === undefined ? [client] : []),
    votesAgainst: new Map(against === undefined ? [] : [[client, against]]),
  };
  return [Promise.resolve(stats)];
}

/** Without the names of options and calls that this interface does not have. */
export function inItsTerms(message: string): string {
  return message
    .replace(/within waitMs \((\d+ ms)\)/, "within $1")
    .replace(adviceToOwner, ". Locks of holdfast/redlock are not re-entrant");
}

/** Why a lock that this process does not hold is lost, as far as it knows. */
export function lossOf({ signal, resources }: { signal: AbortSignal; resources: readonly string[] }): Error {
  return isError(signal.reason) ? signal.reason : notHeld(resources);
}

export function notHeld(resources: readonly string[]): LockLostError {
  return new LockLostError(
    `The lock of ${named(resources)} is not held by this process: it was released before, its time is over, or it was ` +
      `acquired in another process.`,
  );
}

export function named(resources: readonly string[]): string {
  return resources.map(quoted).join(", ");
}
