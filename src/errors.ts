/**
 * Every error that Holdfast throws on purpose.
 *
 * Match on `code`, not on the class: two copies of the package have two sets of classes.
 * `outcome` says what became of the operation: "none" means that nothing was changed, "unknown" that the
 * backend may have carried it out [S5]. Messages never hold a password [P3].
 */

/** The closed set of codes; a new one is a breaking change. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "LOCK_TIMEOUT"
  | "LOCK_LOST"
  | "CONFLICT"
  | "UNREACHABLE"
  | "ACCESS_DENIED"
  | "READ_ONLY"
  | "OUT_OF_MEMORY"
  | "SERIALIZATION"
  | "CORRUPT_STATE"
  | "CLOSED";

/** What became of the operation that failed: certainly nothing, or it cannot be known. */
export type Outcome = "none" | "unknown";

/** Details that every error can carry. */
export interface ErrorDetails {
  readonly outcome?: Outcome;
  readonly cause?: unknown;
}

/**
 * The parent of all errors of this library.
 *
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
  /** Stable; the thing to match on. */
  abstract readonly code: ErrorCode;
  /** "none": nothing was changed. "unknown": the backend may have carried the operation out. */
  readonly outcome: Outcome;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.outcome = details.outcome ?? "none";
  }
}

/** A call that can never work as written: a bad id, option, target, or a misuse of the API. Fix the call. */
export class InvalidArgumentError extends HoldfastError {
  readonly code = "INVALID_ARGUMENT";
}

/** The lock was held by others until `waitMs` had passed. The message says by whom. */
export class LockTimeoutError extends HoldfastError {
  readonly code = "LOCK_TIMEOUT";
}

/**
 * The lock was lost before the work under it was done: its lease ended, it was forced, or it was deleted.
 * The backend refuses everything saved under it [S4].
 */
export class LockLostError extends HoldfastError {
  readonly code = "LOCK_LOST";
  /** From `lock.run`: what `fn` returned, although the lock was lost in the meantime. */
  readonly result: unknown;

  constructor(message: string, details: ErrorDetails & { readonly result?: unknown } = {}) {
    super(message, details);
    this.result = details.result;
  }
}

/** The state is not at the revision that `ifRevision` asked for; nothing was written. Load it and decide again. */
export class ConflictError extends HoldfastError {
  readonly code = "CONFLICT";
}

/** Why a backend could not serve: the codes that {@link UnavailableError} can have. */
export type UnavailableCode = "UNREACHABLE" | "ACCESS_DENIED" | "READ_ONLY" | "OUT_OF_MEMORY";

/**
 * The backend did not answer in time, or refused to serve: not reachable, access denied, read-only, out of memory.
 * `outcome` says whether the operation may have taken effect anyway.
 */
export class UnavailableError extends HoldfastError {
  readonly code: UnavailableCode;
  /** It will not go away by itself (for example, the database does not exist), so it was not retried. */
  readonly lasting: boolean;

  constructor(
    message: string,
    details: ErrorDetails & { readonly code?: UnavailableCode; readonly lasting?: boolean } = {},
  ) {
    super(message, details);
    this.code = details.code ?? "UNREACHABLE";
    this.lasting = details.lasting ?? (this.code === "ACCESS_DENIED" || this.code === "OUT_OF_MEMORY");
  }
}

/** A value that the serializer cannot keep exactly, or that is too large. Nothing was written. */
export class SerializationError extends HoldfastError {
  readonly code = "SERIALIZATION";
}

/** The stored data cannot be read: it is damaged, was written by something else or by another serializer, or has a newer format. It is left as it is [S6]. */
export class CorruptStateError extends HoldfastError {
  readonly code = "CORRUPT_STATE";
}

/** The store was closed, or is closing and takes no new calls. */
export class ClosedError extends HoldfastError {
  readonly code = "CLOSED";
}

/** The names as text, since a bundler that minifies renames the classes. On the prototypes, as for errors of JavaScript. */
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
const prototypes: ReadonlySet<unknown> = new Set(
  Object.values(classes).map(({ prototype }) => prototype as unknown),
);

/** Of one of these very classes, and so without fields that only its own class knows of. */
export function isOfOurs(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && prototypes.has(Object.getPrototypeOf(error));
}

for (const [name, { prototype }] of Object.entries(classes)) {
  Object.defineProperty(prototype, "name", { value: name, writable: true, configurable: true });
}

/** With one full stop at its end. */
export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Without its full stop, to be put inside another sentence. */
export function clause(text: string): string {
  return text.replace(/\.$/, "");
}
