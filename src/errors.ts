/**
 * Every error that Holdfast throws on purpose, with those of value-errors.ts. Each has a stable `code`. `outcome` says what
 * happened to the operation: "none" means that nothing was changed, "unknown" that the backend may have carried it out
 * [S5]. Messages never contain a password [P3]. If two copies of the package are loaded, such as the ES module and the
 * CommonJS build, `instanceof` holds for the errors of both.
 */
import { types } from "node:util";

/** The closed set of codes. A new code is a breaking change. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "LOCK_TIMEOUT"
  | "DEADLOCK"
  | "LOCK_LOST"
  | "CONFLICT"
  | "UNREACHABLE"
  | "ACCESS_DENIED"
  | "READ_ONLY"
  | "OUT_OF_MEMORY"
  | "SERIALIZATION"
  | "CORRUPT_STATE"
  | "SEAL"
  | "VALIDATION"
  | "VERSION"
  | "CLOSED";

/** Whether the failed operation took effect: "none" means certainly not, "unknown" means that it may have. */
export type Outcome = "none" | "unknown";

/** Details that every error can carry. */
export interface ErrorDetails {
  /** Whether the operation took effect. Default: "none". */
  readonly outcome?: Outcome | undefined;
  /** The error that caused it. */
  readonly cause?: unknown;
}

/**
 * The base class of all errors of this library.
 * @example
 * ```ts
 * try {
 *   await store.lock("invoice:7").run(send, { waitMs: 0 });
 * } catch (error) {
 *   if (error instanceof HoldfastError && error.code === "LOCK_TIMEOUT") return "already in progress";
 *   throw error;
 * }
 * ```
 */
export abstract class HoldfastError extends Error {
  /** Stable: match on this. */
  abstract readonly code: ErrorCode;
  /** "none": nothing was changed. "unknown": the backend may have carried the operation out. */
  readonly outcome: Outcome;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.outcome = details.outcome ?? "none";
  }
}

/** A call that can never work as written: a bad id, option or target, or a misuse of the API. Fix the call. */
export class InvalidArgumentError extends HoldfastError {
  readonly code = "INVALID_ARGUMENT";
}

/** Who held a lock that was waited for: a Holdfast client (`here`: this store), or a foreign client by its token. */
export type BlockingHolder =
  | {
      /** The name of its machine. */
      readonly host: string;
      /** The id of its process. */
      readonly pid: number;
      /** Whether it holds the lock by this store. */
      readonly here: boolean;
    }
  | {
      /** The token of a client that does not use Holdfast's protocol. */
      readonly foreign: string;
    };

/** What a {@link LockTimeoutError} can carry. */
export interface LockTimeoutDetails extends ErrorDetails {
  /** Default: "LOCK_TIMEOUT". */
  readonly code?: "LOCK_TIMEOUT" | "DEADLOCK" | undefined;
  /** As {@link LockTimeoutError.id}. */
  readonly id?: string | undefined;
  /** As {@link LockTimeoutError.holder}. */
  readonly holder?: BlockingHolder | undefined;
  /** As {@link LockTimeoutError.heldForMs}. */
  readonly heldForMs?: number | undefined;
  /** As {@link LockTimeoutError.waiters}. */
  readonly waiters?: number | undefined;
  /** As {@link LockTimeoutError.holding}. */
  readonly holding?: readonly string[] | undefined;
}

/**
 * Others held the lock until `waitMs` had passed. The message and the fields say who, for how long, how many wait, and
 * what the caller holds itself.
 * With the code "DEADLOCK", `waitMs` has not passed: its caller holds a lock that the holder waits for, so neither would
 * go on. The message names the cycle.
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof LockTimeoutError) log.warn({ id: error.id, holder: error.holder, heldForMs: error.heldForMs });
 * }
 * ```
 */
export class LockTimeoutError extends HoldfastError {
  readonly code: "LOCK_TIMEOUT" | "DEADLOCK";
  /** The lock that was waited for. */
  readonly id: string | undefined;
  /** Who had it at the end, as far as is known; of several holders, one. */
  readonly holder: BlockingHolder | undefined;
  /** For how long that holder had had it, in milliseconds; `undefined`: not known, as with `waitMs: 0`. */
  readonly heldForMs: number | undefined;
  /** How many others waited for it: other processes, and other calls of this one. */
  readonly waiters: number | undefined;
  /** The ids of the locks that the caller held itself. */
  readonly holding: readonly string[];

  constructor(message: string, details: LockTimeoutDetails = {}) {
    super(message, details);
    this.code = details.code ?? "LOCK_TIMEOUT";
    this.id = details.id;
    this.holder = details.holder;
    this.heldForMs = details.heldForMs;
    this.waiters = details.waiters;
    this.holding = details.holding ?? [];
  }
}

/**
 * The lock was lost before the work under it was done: its lease ended, it was force-released, or it was deleted. The
 * backend refuses everything that is saved under it.
 */
export class LockLostError extends HoldfastError {
  readonly code = "LOCK_LOST";
  /** From `lock.run`: what `fn` returned although the lock was lost in the meantime. */
  readonly result: unknown;

  constructor(message: string, details: ErrorDetails & { readonly result?: unknown } = {}) {
    super(message, details);
    this.result = details.result;
  }
}

/** The state is not at the revision that `ifRevision` required. Nothing was written. Load it and decide again. */
export class ConflictError extends HoldfastError {
  readonly code = "CONFLICT";
}

/** Why a backend could not serve a call: the codes of {@link UnavailableError}. */
export type UnavailableCode = "UNREACHABLE" | "ACCESS_DENIED" | "READ_ONLY" | "OUT_OF_MEMORY";

/**
 * The backend did not answer in time, or refused the call: unreachable, access denied, read-only, out of memory.
 * `outcome` says whether the operation may have taken effect anyway.
 */
export class UnavailableError extends HoldfastError {
  readonly code: UnavailableCode;
  /** It will not go away by itself (for example, the database does not exist), so it was not retried. */
  readonly lasting: boolean;

  constructor(
    message: string,
    details: ErrorDetails & {
      readonly code?: UnavailableCode | undefined;
      readonly lasting?: boolean | undefined;
    } = {},
  ) {
    super(message, details);
    this.code = details.code ?? "UNREACHABLE";
    this.lasting = details.lasting ?? (this.code === "ACCESS_DENIED" || this.code === "OUT_OF_MEMORY");
  }
}

/** What an error about the value of a state can carry. */
export interface ValueErrorDetails extends ErrorDetails {
  /** The id of the state. */
  readonly id?: string | undefined;
}

/** The serializer cannot keep the value exactly, or the value is too large. Nothing was written. */
export class SerializationError extends HoldfastError {
  readonly code = "SERIALIZATION";
  /** The state that was not saved; `undefined` if there is none, or if there are several. */
  readonly id: string | undefined;

  constructor(message: string, details: ValueErrorDetails = {}) {
    super(message, details);
    this.id = details.id;
  }
}

/**
 * The stored data cannot be read: it is damaged, in a newer format, or was written by another program or with another
 * serializer. It is left as it is.
 */
export class CorruptStateError extends HoldfastError {
  readonly code = "CORRUPT_STATE";
  /** Of the state or lock that cannot be read; `undefined` if it is something else, such as the file of the store. */
  readonly id: string | undefined;

  constructor(message: string, details: ValueErrorDetails = {}) {
    super(message, details);
    this.id = details.id;
  }
}

/** The store was closed, or is closing and accepts no new calls. */
export class ClosedError extends HoldfastError {
  readonly code = "CLOSED";
}

/**
 * The names as text, since a bundler that minifies renames the classes. On the prototypes, as with JavaScript's own
 * errors, and so is the brand, by which another copy of this package recognizes them.
 */
const classes = {
  HoldfastError,
  InvalidArgumentError,
  LockTimeoutError,
  LockLostError,
  ConflictError,
  UnavailableError,
  SerializationError,
  CorruptStateError,
  ClosedError,
};
/** With the version of what an error looks like: another one is not taken for one of these. */
const brand = Symbol.for("holdfast.error.1");
brandErrors(classes);

/** Gives each class of errors its name and its brand. */
export function brandErrors(named: Readonly<Record<string, { readonly prototype: object }>>): void {
  for (const [name, errorClass] of Object.entries(named)) {
    Object.defineProperties(errorClass.prototype, {
      name: { value: name, writable: true, configurable: true },
      [brand]: { value: name },
    });
  }
}

Object.defineProperty(HoldfastError, Symbol.hasInstance, {
  value(this: { readonly prototype: object }, value: unknown): boolean {
    return (
      Function.prototype[Symbol.hasInstance].call(this, value) || isOfTwin(value, brandOf(this.prototype))
    );
  },
});

/** Whether one of its prototypes is that of the class with this brand, in any copy. A user's subclass has no brand. */
function isOfTwin(value: unknown, name: string | undefined): boolean {
  if (name === undefined || typeof value !== "object") return false;
  for (let link = value; link !== null; link = Object.getPrototypeOf(link) as object | null) {
    if (brandOf(link) === name) return true;
  }
  return false;
}

function brandOf(prototype: object): string | undefined {
  return Object.hasOwn(prototype, brand) ? (prototype as { [brand]?: string })[brand] : undefined;
}

/** Whether it is an instance of one of these very classes, and so has no fields that only its own class knows. */
export function isOfOurs(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && brandOf(Object.getPrototypeOf(error) as object) !== undefined;
}

/** Whether it is an error, of this realm or another: in Jest, Node's own errors are no instances of the global Error. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** The text with one full stop at its end. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The text without its full stop, for use inside another sentence. */
export function clause(text: string): string {
  return text.replace(/\.$/, "");
}

/** Ids that Holdfast makes for itself begin with it: `src/names.ts`. */
export const internalMark = "\u0001";

/** An id for a message: `"welcome:42"`. One that Holdfast made reads on after "the lock": `of once "welcome:42"`. */
export function quoted(id: string): string {
  return id.startsWith(internalMark) ? `of ${shownId(id)}` : JSON.stringify(id);
}

/** An id as diagnostics have it: `welcome:42`; one that Holdfast made: `once "welcome:42"`. */
export function shownId(id: string): string {
  if (!id.startsWith(internalMark)) return id;
  const colon = id.indexOf(":");
  return `${id.slice(internalMark.length, colon)} ${JSON.stringify(id.slice(colon + 1))}`;
}
