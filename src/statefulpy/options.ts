/** Parses the options and the arguments of holdfast/statefulpy, once, at the start of each public method. */
import { resolve } from "node:path";
import { InvalidArgumentError } from "../errors.ts";
import { boolean, leaseMs, parseOptions, show, signal, type Parser } from "../options.ts";
import type { Serializer } from "../serializers/serializer.ts";
import type { Owner } from "./locking/owner.ts";
import type { PlainClient } from "./places.ts";

/** Options that both backends have. */
export interface BackendOptions {
  /**
   * How states are written: as Python's `pickle` or `json` does, or with your own serializer. Default `"pickle"`, as in
   * the Python library.
   */
  serializer?: "pickle" | "json" | Serializer | undefined;
  /** Reads `NaN` and `Infinity` in Python's JSON, which are never written; only with `"json"`. Default: false. */
  allowNaN?: boolean | undefined;
  /**
   * How long a lock outlives its holder, in milliseconds, 100 … 86 400 000. Default 30 000. A lock that is held is
   * renewed when a third of it has passed.
   */
  lockTimeout?: number | undefined;
}

/** Options of `new RedisBackend()`. */
export interface RedisBackendOptions extends BackendOptions {
  /** `redis://`, `rediss://` or `unix://`, each with `?db=`. Default `"redis://localhost:6379/0"`. */
  redisUrl?: string | undefined;
  /** A connected client of your own instead of `redisUrl`, which you close yourself. Not of a cluster. */
  client?: PlainClient | undefined;
  /** Every key begins with it. Default `"statefulpy:"`. */
  prefix?: string | undefined;
}

/** Options of `new SqliteBackend()`. */
export interface SqliteBackendOptions extends BackendOptions {
  /** The file, from the current working directory; created if it is missing. Default `"stateful.db"`. */
  dbPath?: string | undefined;
}

/** Options of `saveState()` and `releaseLock()`. */
export interface OwnerOptions {
  /** Whose call it is. Default: the innermost `backend.owner(fn)` around the call; outside of one, nobody's. */
  owner?: Owner | undefined;
}

/** Options of `acquireLock()`. */
export interface AcquireOptions extends OwnerOptions {
  /** Aborts the wait; the call then rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** Options of `list()`. */
export interface ListOptions {
  /** Only ids that begin with this. */
  idPrefix?: string | undefined;
}

const maxBytes = 512;

/** Ids of Python: any text that is not empty. */
export function parseId(id: unknown): string {
  if (typeof id !== "string") throw new InvalidArgumentError(`An id must be a string; got ${show(id)}.`);
  if (id === "") throw new InvalidArgumentError("An id must not be empty.");
  return text(id, "An id");
}

const text: Parser<string> = (value, name) => {
  if (typeof value !== "string" || value.length > maxBytes || Buffer.byteLength(value) > maxBytes)
    throw new InvalidArgumentError(
      `${name} must be a string of at most ${maxBytes} bytes of UTF-8; got ${show(value)}.`,
    );
  if (!value.isWellFormed() || value.includes("\0"))
    throw new InvalidArgumentError(
      `${name} must have no lone surrogates and no NUL, which Python cannot encode or SQLite cannot keep; got ${show(value)}.`,
    );
  return value;
};

/** Seconds, as in Python; in milliseconds. */
export function parseTimeout(seconds: unknown): number {
  if (typeof seconds === "number" && seconds >= 0) return seconds * 1_000;
  throw new InvalidArgumentError(
    `timeoutSeconds must be a number of seconds from 0 (tries once) to Infinity; got ${show(seconds)}.`,
  );
}

const redisUrl: Parser<string> = (value, name) => {
  if (typeof value === "string") return value;
  throw new InvalidArgumentError(
    `${name} must be a string such as "redis://host:6379/0"; got ${show(value)}.`,
  );
};

const dbPath: Parser<string> = (value, name) => {
  if (typeof value !== "string" || value === "" || value.includes("\0") || value === ":memory:")
    throw new InvalidArgumentError(
      `${name} must be the path of a file, which other processes can open as well; got ${show(value)}.`,
    );
  return resolve(value);
};

/** `"pickle"`, `"json"` or a serializer: which one is decided together with `allowNaN`, in serializers.ts. */
const serializer: Parser<"pickle" | "json" | Serializer> = (value) => value as "pickle";
const common = { serializer, allowNaN: boolean, lockTimeout: leaseMs };
const client: Parser<PlainClient> = (value) => value as PlainClient; // places.ts looks at it

export function parseRedisOptions(options: unknown): RedisBackendOptions {
  const parsers = { ...common, redisUrl, client, prefix: text };
  const parsed = parseOptions<RedisBackendOptions>("new RedisBackend()", options, parsers);
  if (parsed.client !== undefined && parsed.redisUrl !== undefined)
    throw new InvalidArgumentError("new RedisBackend() takes either redisUrl or client, not both.");
  return parsed;
}

export function parseSqliteOptions(options: unknown): SqliteBackendOptions {
  return parseOptions<SqliteBackendOptions>("new SqliteBackend()", options, { ...common, dbPath });
}

const owner: Parser<Owner> = (value) => value as Owner; // owner.ts knows its own

export function parseOwnerOptions(what: string, options: unknown): OwnerOptions {
  return parseOptions<OwnerOptions>(what, options, { owner });
}

export function parseAcquireOptions(options: unknown): AcquireOptions {
  return parseOptions<AcquireOptions>("acquireLock()", options, { owner, signal });
}

export function parseListOptions(options: unknown): ListOptions {
  return parseOptions<ListOptions>("list()", options, { idPrefix: text });
}
