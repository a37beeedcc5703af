/**
 * The errors of SQLite and of the file system, as errors of the contract.
 *
 * The outcome is usually "none": what fails inside a transaction is rolled back. Only a commit whose sync failed may
 * have reached the disk nevertheless, and reappear after a crash: its outcome is "unknown" [S5].
 */
import { CorruptStateError, HoldfastError, isError, UnavailableError, type Outcome } from "../../errors.ts";
import type { UnavailableCode } from "../../errors.ts";
import { fileError } from "./path.ts";

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const sqlite = {
  ERROR: 1,
  PERM: 3,
  BUSY: 5,
  LOCKED: 6,
  NOMEM: 7,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  PROTOCOL: 15,
  SCHEMA: 17,
  CONSTRAINT: 19,
  MISMATCH: 20,
  AUTH: 23,
  NOTADB: 26,
} as const;

const nameAnother =
  "check the permissions of the file and its directory, or choose another file with open(target) or HOLDFAST_URL";

/** `lasting`: the next attempt would fail as well. */
const unavailable: ReadonlyMap<number, { code: UnavailableCode; advice: string; lasting?: true }> = new Map([
  [sqlite.BUSY, { code: "UNREACHABLE", advice: "another process is writing" }],
  [sqlite.LOCKED, { code: "UNREACHABLE", advice: "another process is writing" }],
  [sqlite.PROTOCOL, { code: "UNREACHABLE", advice: "other processes are opening it" }],
  [sqlite.SCHEMA, { code: "UNREACHABLE", advice: "another process is setting it up" }],
  [sqlite.IOERR, { code: "UNREACHABLE", advice: "the disk failed" }],
  [sqlite.PERM, { code: "ACCESS_DENIED", advice: nameAnother }],
  [sqlite.AUTH, { code: "ACCESS_DENIED", advice: nameAnother }],
  [sqlite.CANTOPEN, { code: "ACCESS_DENIED", advice: nameAnother }],
  [
    sqlite.READONLY,
    { code: "READ_ONLY", advice: `the file can only be read; ${nameAnother}`, lasting: true },
  ],
  [sqlite.FULL, { code: "OUT_OF_MEMORY", advice: "free space on the disk" }],
  [sqlite.NOMEM, { code: "OUT_OF_MEMORY", advice: "the process is out of memory" }],
]);

/** Errors after which the connection is unusable. */
const fatal: ReadonlySet<number> = new Set([sqlite.IOERR, sqlite.CORRUPT, sqlite.CANTOPEN, sqlite.NOTADB]);

/** Holdfast's statements fit its tables, so these mean that another program has changed the tables or their content. */
const strange: ReadonlySet<number> = new Set([sqlite.ERROR, sqlite.CONSTRAINT, sqlite.MISMATCH]);

/** Where it happened: the store's name, and whether it was the commit. */
export interface Failure {
  readonly name: string;
  readonly committing: boolean;
}

/** Errors that are neither SQLite's nor Holdfast's are returned unchanged: they are defects. */
export function toHoldfastError(error: unknown, where: Failure): unknown {
  if (error instanceof HoldfastError || !isError(error)) return error;
  const result = resultCode(error);
  if ((error as NodeJS.ErrnoException).code === "ERR_INVALID_STATE") {
    return new UnavailableError(`${where.name} was closed in the meantime.`, { cause: error });
  }
  // Holdfast does not write numbers that JavaScript cannot represent.
  if (error.name === "RangeError" || strange.has(result ?? 0)) return notAsWritten(where.name, error);
  if (result === undefined) return isSystemError(error) ? toFileError(error, where.name) : error;
  if (result === sqlite.CORRUPT || result === sqlite.NOTADB) {
    return new CorruptStateError(`${where.name} cannot be read (${error.message}). It was left as it is.`, {
      cause: error,
    });
  }
  const known = unavailable.get(result);
  if (known === undefined) return error;
  const outcome: Outcome = where.committing && result === sqlite.IOERR ? "unknown" : "none";
  const { code, advice, lasting } = known;
  const message = `${where.name} is not available (${error.message}): ${advice}.`;
  return new UnavailableError(message, { code, outcome, cause: error, ...(lasting && { lasting }) });
}

/** [S6] Rows that Holdfast did not write. The transaction has been rolled back. */
export function notAsWritten(name: string, cause?: Error): CorruptStateError {
  const said = cause === undefined ? "" : ` (${cause.message})`;
  return new CorruptStateError(
    `${name} holds rows that Holdfast did not write${said}. They were left as they are: find out what else writes to the file.`,
    { cause },
  );
}

export function toFileError(error: unknown, name: string, outcome: Outcome = "none"): UnavailableError {
  const message = `${name} cannot be opened (${(error as Error).message}): ${nameAnother}.`;
  return fileError(error, message, outcome);
}

function isSystemError(error: Error): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}

export function isFatal(error: unknown): boolean {
  const result = resultCode(error);
  return result !== undefined && fatal.has(result);
}

export function isReadOnly(error: unknown): boolean {
  return resultCode(error) === sqlite.READONLY;
}

/** Errors that a check of a file must report; others are reported when it is opened. */
export function isDamageOrBusy(error: unknown): boolean {
  const result = resultCode(error) ?? 0;
  return ([sqlite.CORRUPT, sqlite.NOTADB, sqlite.BUSY, sqlite.LOCKED, sqlite.PROTOCOL] as number[]).includes(
    result,
  );
}

/** The primary code: the bits above its eight only refine it. */
function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}
