/**
 * Where the file of a SQLite store is: determined once, when the store is opened, as an absolute path.
 *
 * Two forms: `sqlite:path`, in which everything is part of the name, and `sqlite:///absolute/path`, which is a URL with
 * percent-encoding. Parts that would be ignored, or that other programs would interpret, are refused: otherwise two
 * spellings could mean two files, and their processes would not exclude each other [L1].
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { InvalidArgumentError, UnavailableError, type Outcome, type UnavailableCode } from "../../errors.ts";

const fileErrors: ReadonlyMap<string, UnavailableCode> = new Map([
  ["EROFS", "READ_ONLY"],
  ["ENOSPC", "OUT_OF_MEMORY"],
  ["EDQUOT", "OUT_OF_MEMORY"],
]);

/** The absolute path of the file, from the current working directory: a later `chdir` changes nothing. */
export function parseSqlitePath(url: string): string {
  if (/\p{Cc}|^sqlite:\s|\s$/iu.test(url))
    throw malformed("it has a control character, or a leading or trailing space");
  if (/[?#]/.test(url)) throw malformed('it has a "?" or a "#", and parameters are not used');
  const path = /^sqlite:\/\//i.test(url) ? pathOfUrl(url) : plainPath(url.slice("sqlite:".length));
  if (/(^|[\\/])\.{0,2}$/.test(path)) throw malformed("it names no file");
  try {
    return resolve(path);
  } catch (cause) {
    const { message } = cause as Error;
    throw fileError(cause, `A relative path cannot be resolved (${message}). Use an absolute path.`);
  }
}

/**
 * Creates a folder and those above it. `mkdirSync` with `recursive` blocks the process for ever where the parent exists
 * but the file system answers ENOENT, as `/proc` does (Node 20 to 24).
 */
export function createFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(folder);
  if (parent !== folder) createFolder(parent);
  try {
    mkdirSync(folder);
  } catch (error) {
    // Another process may have created it at the same moment.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** The error for what the file system does not allow, now or later. */
export function fileError(cause: unknown, message: string, outcome: Outcome = "none"): UnavailableError {
  const { code = "" } = cause as NodeJS.ErrnoException;
  return new UnavailableError(message, {
    code: fileErrors.get(code) ?? "ACCESS_DENIED",
    lasting: true,
    outcome,
    cause,
  });
}

function plainPath(path: string): string {
  if (/^:memory:/i.test(path)) throw new InvalidArgumentError('For a store in memory use "memory:".');
  if (/^[a-z][a-z+.-]+:/i.test(path)) throw malformed("expected a path, got a URL");
  if (/%[0-9a-f]{2}/i.test(path)) throw malformed("only the form with three slashes is percent-encoded");
  return path;
}

function pathOfUrl(url: string): string {
  if (url.includes("\\")) throw malformed("a URL has no backslashes");
  try {
    return noNul(fileURLToPath(url.replace(/^sqlite:/i, "file:")));
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw error;
    // [P3] Text that may contain a password is not shown.
    throw malformed("a file URL must have three slashes, and no host, user or encoded slash");
  }
}

function noNul(path: string): string {
  if (path.includes("\0")) throw malformed("it has a control character");
  return path;
}

function malformed(why: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `This sqlite target cannot be used: ${why}. Write sqlite:data/store.db, or the absolute path as a URL, ` +
      `sqlite:///var/data/store.db, in which a ? is %3F, a # is %23 and a % is %25.`,
  );
}
