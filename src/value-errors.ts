/**
 * The errors about values that a schema refuses, that another release wrote, or that are sealed. Like those of errors.ts: each has a stable
 * code, is known to other copies of the package, and never says more of a value than where in it the problem is, and what
 * the schema says of that.
 */
import { brandErrors, HoldfastError, type ErrorDetails, type ValueErrorDetails } from "./errors.ts";

/** One thing that a schema does not accept. */
export interface ValidationIssue {
  /** Where in the value: keys and indexes, from outside to inside. */
  readonly path: readonly PropertyKey[];
  /** The message of the schema. */
  readonly message: string;
}

/**
 * The schema of the state does not accept a value: one that was to be stored, or the one that is stored. Nothing was
 * written; what is stored was left as it is.
 *
 * @example
 * ```ts
 * catch (error) {
 *   if (error instanceof ValidationError) reply.status(400).send({ id: error.id, issues: error.issues });
 * }
 * ```
 */
export class ValidationError extends HoldfastError {
  readonly code = "VALIDATION";
  /** The state. */
  readonly id: string;
  /** Whether the value is the one that is stored, and not one that was to be stored. */
  readonly stored: boolean;
  /** What the schema does not accept. */
  readonly issues: readonly ValidationIssue[];

  constructor(
    message: string,
    details: ErrorDetails & {
      readonly id?: string | undefined;
      readonly stored?: boolean | undefined;
      readonly issues?: readonly ValidationIssue[] | undefined;
    } = {},
  ) {
    super(message, details);
    this.id = details.id ?? "";
    this.stored = details.stored ?? false;
    this.issues = details.issues ?? [];
  }
}

/**
 * The stored value has a version that this handle cannot use: a newer release wrote it, it is older than the oldest
 * migration, or its migration failed. It was left as it is.
 */
export class VersionError extends HoldfastError {
  readonly code = "VERSION";
  /** The state. */
  readonly id: string;
  /** The version of what is stored. */
  readonly storedVersion: number;
  /** The version of the handle. */
  readonly version: number;

  constructor(
    message: string,
    details: ErrorDetails & {
      readonly id?: string | undefined;
      readonly storedVersion?: number | undefined;
      readonly version?: number | undefined;
    } = {},
  ) {
    super(message, details);
    this.id = details.id ?? "";
    this.storedVersion = details.storedVersion ?? 1;
    this.version = details.version ?? 1;
  }
}

/**
 * A sealed value cannot be read with the keys of this process: its key is missing, or it was changed, or it was sealed
 * for another id. It is left as it is.
 */
export class SealError extends HoldfastError {
  readonly code = "SEAL";
  /** The state that cannot be read. */
  readonly id: string | undefined;
  /** The key that is missing among `keys`; `undefined` if the value itself is refused. */
  readonly keyId: string | undefined;

  constructor(message: string, details: ValueErrorDetails & { readonly keyId?: string | undefined } = {}) {
    super(message, details);
    this.id = details.id;
    this.keyId = details.keyId;
  }
}

brandErrors({ ValidationError, VersionError, SealError });
