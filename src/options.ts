/**
 * Options: the defaults in one frozen table, and the only place that parses ids and options.
 *
 * Everything that passes is valid, and is not checked again. An unknown option is refused, since a misspelt option that
 * is silently ignored is hard to find.
 */
import type { Backend, Durability, Ttl } from "./backends/contract.ts";
import { warnOnce } from "./diagnostics/events.ts";
import { InvalidArgumentError } from "./errors.ts";
import { parseOptions, show, type Given, type Parser } from "./parse-options.ts";
import type { SerializerName } from "./serializers/named.ts";
import type { Serializer } from "./serializers/serializer.ts";

export { parseOptions, show, type Given, type Parser } from "./parse-options.ts";
export { recordSerializer, serializer } from "./serializers/named.ts";

/** Options of `open()`. A call's options override its handle's, which override these. */
export interface OpenOptions {
  /** Every key and channel begins with it. Default `"holdfast:"`; on a Redis Cluster `"{holdfast}:"`. */
  prefix?: string | undefined;
  /**
   * On how many shards the states and locks are spread, 1 … 64; on a cluster, each can be on another server. All clients
   * of a store must open it with the same number. Default 1.
   */
  shards?: number | undefined;
  /**
   * Whether the store keeps an index of its ids, so that listings are in order and read no other keys; Redis only: SQLite
   * and memory are always ordered. Every new state and every delete then costs one command more on the server. All clients
   * of a store must open it alike; `npx holdfast index build` makes one for a store that is there. Default: false.
   */
  index?: boolean | undefined;
  /**
   * Declares all keys of each script, which servers and proxies that are not Redis or Valkey may require; Redis only. It is
   * always done on a Redis Cluster. Default: false.
   */
  declareKeys?: boolean | undefined;
  /** How values are serialized. Default `"json"`. */
  serializer?: SerializerName | Serializer | undefined;
  /** How long the backend keeps a grant that is not renewed, in milliseconds, 100 … 86 400 000. Default 10 000. */
  leaseMs?: number | undefined;
  /** How long a call waits for others, in milliseconds; 0 tries once, `Infinity` has no deadline. Default 15 000. */
  waitMs?: number | undefined;
  /** How long one call of the backend may take, with its retries, in milliseconds. Default 5 000. */
  operationMs?: number | undefined;
  /** The largest serialized state, in bytes, before it is sealed. Default 8 MiB. */
  maxStateBytes?: number | undefined;
  /** How many replicas must have a grant or a save before it is acknowledged; Redis only. Default: none. */
  durability?: DurabilityOptions | undefined;
  /**
   * Whether other processes of this machine may take over the locks of this store at once when this process has died,
   * instead of when their leases end; Linux only. Set it to `false` if work under a lock may outlive the process, such as
   * child processes. Default: true.
   */
  passOverDead?: boolean | undefined;
  /**
   * Signals of the process, such as `["SIGTERM", "SIGINT"]`, at which the store closes. If the program does not listen to
   * the signal itself, the process then ends as it would have without this option. Main thread only. Default: none.
   */
  closeOn?: readonly CloseSignal[] | undefined;
}

/** A signal of the process at which a store can close. */
export type CloseSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT" | "SIGBREAK" | "SIGUSR2";

/**
 * How many replicas must have a grant or a save before it is acknowledged. If too few have it in time, the call rejects
 * with `UnavailableError` and `outcome: "unknown"`, and a grant is released.
 */
export interface DurabilityOptions {
  /** The minimum number of replicas, 0 … 100. 0 waits for none, even if the handle or the store asks for some. */
  replicas: number;
  /** How long to wait for them, in milliseconds; less than `operationMs`. Default 1 000, or half of `operationMs`. */
  timeoutMs?: number | undefined;
}

/** A time to live for new states only; an existing state keeps its expiry. */
export interface WhenNew {
  /** In milliseconds. */
  whenNew: number;
}

/** Options of `store.locks()` and `store.count()`. */
export interface ListOptions {
  /** Only ids that begin with this. */
  idPrefix?: string | undefined;
}

/** Options of `store.close()`. */
export interface CloseOptions {
  /** How long running functions may continue, in milliseconds. Default 6 000. */
  drainMs?: number | undefined;
}

/** All defaults, in one place. */
export const defaults = Object.freeze({
  prefix: "holdfast:",
  clusterPrefix: "{holdfast}:",
  leaseMs: 10_000,
  waitMs: 15_000, // longer than a lease, so that a call outlasts the lease of a crashed holder
  operationMs: 5_000,
  maxStateBytes: 8 * 1024 * 1024,
  passOverDead: true,
  drainMs: 6_000, // with what follows it, close() takes less than the 10 s between SIGTERM and SIGKILL
  durabilityTimeoutMs: 1_000,
});

const dayMs = 86_400_000;
/** A hundred years: far beyond any use, and within the range of every backend. */
const maxTtlMs = 36_525 * dayMs;

/** Options after parsing: a durability is complete. */
export type Parsed<T> = Omit<Given<T>, "durability"> & { durability?: Durability };

function milliseconds(min: number, max: number, isWhole = false): Parser<number> {
  const what = isWhole ? "a whole number of milliseconds" : "a number of milliseconds";
  return (value, name) => {
    const isInRange = typeof value === "number" && value >= min && value <= max;
    if (isInRange && (!isWhole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`${name} must be ${what} from ${min} to ${max}; got ${show(value)}.`);
  };
}

/** An hour, a day and a week in seconds: as milliseconds, a minute or less would be an unusual choice. */
const usualSeconds: ReadonlySet<number> = new Set([3_600, 86_400, 604_800]);

/** A time to live that looks like seconds is warned of, once. */
function unlikelySeconds(ms: number, name: string): number {
  if (ms >= 1_000 && !usualSeconds.has(ms)) return ms;
  warnOnce(
    "short-ttl",
    "",
    () =>
      `${name} is ${ms}: that is ${ms} milliseconds (${ms / 1_000} s). If you meant seconds, write ${ms} * 1000. This is ` +
      `said once.`,
  );
  return ms;
}

function wholeMilliseconds(min: number, max: number): Parser<number> {
  return milliseconds(min, max, true);
}

/** Leases and TTLs are counted by the backend, in whole milliseconds. */
export const leaseMs: Parser<number> = wholeMilliseconds(100, dayMs);
export const ttlMs: Parser<number> = (value, name) => unlikelySeconds(wholeTtlMs(value, name), name);
const wholeTtlMs: Parser<number> = wholeMilliseconds(1, maxTtlMs);
export const waitMs: Parser<number> = milliseconds(0, Infinity);
/** `Infinity`: no limit, even if the handle has one. */
export const maxHoldMs: Parser<number> = milliseconds(1, Infinity);
export const operationMs: Parser<number> = milliseconds(1, dayMs);
/** The options of a once, and how often a leader is asked for. */
export const minHoldMs: Parser<number> = wholeMilliseconds(0, maxTtlMs);
export const intervalMs: Parser<number> = milliseconds(10, dayMs);
export const keepMs: Parser<number> = (value, name) => {
  if (value === Infinity) return value;
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxTtlMs)
    return unlikelySeconds(Number(value), name);
  throw new InvalidArgumentError(
    `${name} must be a whole number of milliseconds from 1 to ${maxTtlMs}, or Infinity; got ${show(value)}.`,
  );
};

export const boolean: Parser<boolean> = (value, name) => {
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`${name} must be true or false; got ${show(value)}.`);
};
export const drainMs: Parser<number> = milliseconds(0, Infinity);

export const maxStateBytes: Parser<number> = (value, name) => {
  const max = 512 * 1024 * 1024; // the largest Redis string
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a whole number of bytes from 1 to ${max}; got ${show(value)}.`,
  );
};

/** Each shard has connections of its own. */
export const maxShards = 64;

export const shards: Parser<number> = (value, name) => {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxShards) return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a whole number from 1 to ${maxShards}; got ${show(value)}.`,
  );
};

/** The number of permits of a semaphore, or the weight of a grant. */
const maxPermits = 1_000_000;

export const permits: Parser<number> = (value, name) => {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxPermits) return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a whole number from 1 to ${maxPermits}; got ${show(value)}.`,
  );
};

/** Parses `durability` for this backend. A wait that could not end within `operationMs` is refused. */
export function durabilityOn(backend: Backend, operationMs: number): Parser<Durability> {
  const usualMs = Math.max(1, Math.min(defaults.durabilityTimeoutMs, Math.floor(operationMs / 2)));
  return (value, name) => {
    const given = parseOptions<Partial<DurabilityOptions>>(name, value, {
      replicas: replicaCount,
      timeoutMs: wholeMilliseconds(1, dayMs),
    });
    const { replicas = replicaCount(undefined, "replicas"), timeoutMs = usualMs } = given;
    if (replicas === 0) return { replicas, timeoutMs };
    if (backend.awaitReplicas === undefined) {
      throw new InvalidArgumentError(
        `${name} asks for ${replicas} replicas, but ${backend.name} cannot wait for replicas. Open Redis by URL, or omit ${name}.`,
      );
    }
    if (timeoutMs < operationMs) return { replicas, timeoutMs };
    throw new InvalidArgumentError(
      `${name}.timeoutMs (${timeoutMs} ms) must be less than operationMs (${operationMs} ms), which bounds the whole call.`,
    );
  };
}

/** 0 replicas override a default: none are waited for. */
export function someOf(durability: Durability | undefined): Durability | undefined {
  return durability?.replicas === 0 ? undefined : durability;
}

const replicaCount: Parser<number> = (value, name) => {
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 100) return Number(value);
  throw new InvalidArgumentError(`${name} must be a whole number from 0 to 100; got ${show(value)}.`);
};

export const initial: Parser<() => never> = (value, name) => {
  if (typeof value === "function") return value as () => never;
  throw new InvalidArgumentError(`${name} must be a function that returns a new value; got ${show(value)}.`);
};

export const signal: Parser<AbortSignal> = (value, name) => {
  if (value instanceof AbortSignal) return value;
  throw new InvalidArgumentError(`${name} must be an AbortSignal; got ${show(value)}.`);
};

export const fence: Parser<number> = (value, name) => {
  if (Number.isSafeInteger(value) && Number(value) > 0) return Number(value);
  throw new InvalidArgumentError(`${name} must be a fence, such as grant.fence; got ${show(value)}.`);
};

export const revision: Parser<number> = (value, name) => {
  if (Number.isSafeInteger(value) && Number(value) > 0) return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a revision, as returned by save() and read(); got ${show(value)}.`,
  );
};

export const ifRevision: Parser<number | "absent"> = (value, name) => {
  if (value === "absent" || (Number.isSafeInteger(value) && Number(value) > 0))
    return value as number | "absent";
  throw new InvalidArgumentError(
    `${name} must be a revision, as returned by save() and read(), or "absent"; got ${show(value)}.`,
  );
};

/** A time to live in milliseconds, or one for new states; `or` names what else is allowed. */
function life(value: unknown, name: string, or: string): number | WhenNew {
  if (typeof value === "number") return ttlMs(value, name);
  if (typeof value === "object" && value !== null) {
    const { whenNew } = parseOptions<Partial<WhenNew>>(name, value, { whenNew: ttlMs });
    if (whenNew !== undefined) return { whenNew };
  }
  throw new InvalidArgumentError(
    `${name} must be a number of milliseconds${or} or { whenNew: milliseconds }; got ${show(value)}.`,
  );
}

/** The `ttlMs` of a handle. */
export const stateTtlMs: Parser<number | WhenNew> = (value, name) => life(value, name, "");

/** The `ttlMs` of a write. */
export const saveTtlMs: Parser<Ttl> = (value, name) =>
  value === "keep" || value === "none" ? value : life(value, name, ', "keep", "none"');
