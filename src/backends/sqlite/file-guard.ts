/**
 * Checks whether the file at the path is still the one that was opened. If it is not, nothing may harm the new file.
 *
 * SQLite finds the write-ahead log by the path of the file. If another file is put there, SQLite uses the old file's
 * log for it, and the result is neither of the two [S3]. So a file that was replaced or deleted is abandoned,
 * permanently: the log is written into the file that it belongs to, wherever that is now, and removed from the path.
 * And a file that is next to another file's log is not opened.
 */
import { accessSync, constants, readFileSync, readlinkSync, realpathSync, rmSync, statSync } from "node:fs";
import type { BigIntStats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { HoldfastError, UnavailableError, type Outcome } from "../../errors.ts";
import type { SqlDatabase, SqlDriver } from "./driver.ts";
import { isDamageOrBusy } from "./errors.ts";
import { placeIn } from "./schema.ts";

const logEnds = ["-wal", "-shm"] as const;

export interface GuardOptions {
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly driver: SqlDriver;
}

export class FileGuard {
  readonly #options: GuardOptions;
  /** SQLite puts the log next to the file that a symbolic link leads to. */
  readonly #real: string;
  #file: string | undefined;
  #logs: readonly (string | undefined)[] = [];

  /** Call this before the file is opened: from then on, a replacement is noticed. */
  constructor(options: GuardOptions) {
    this.#options = options;
    this.#real = realPath(options.path);
    this.#file = identity(options.path);
  }

  /**
   * Runs before SQLite opens the file, since SQLite would then use the log for this file. Only reads.
   *
   * A file records its place: boot, path and inode number. If that inode number is the file's own, the file was opened
   * before, even if there was a crash or the path was another. Any other file was put here. If a log was already there,
   * that log may be in use, even if it is empty. Only a file from elsewhere, whose log has no -shm, was copied together
   * with its log.
   */
  refuseForeignLog(): void {
    const { path, name } = this.#options;
    const [hasLog, hasShm] = logEnds.map((end) => identity(this.#real + end) !== undefined);
    if (hasLog !== true && hasShm !== true) return;
    // After the log was seen: a file that is being set up is not empty when its log appears.
    if (sizeOf(path) === 0) throw foreignLog(name);
    const written = lookAtPlace(this.#options);
    if (written === undefined || written === "" || isOfSameFile(written, this.place())) return;
    if (!isWritable(path) && sizeOf(`${this.#real}-wal`) === 0) return; // it was never able to record its place
    const [[boot, at], [bootThen, atThen]] = [parts(this.place()), parts(written)];
    if (hasShm === true || (boot === bootThen && at === atThen)) throw foreignLog(name);
  }

  /**
   * Runs right after the file was opened. Nothing has been read from it, so closing it changes nothing.
   * @throws UnavailableError if another file was put in its place in the meantime.
   */
  opened(): void {
    const { path, name } = this.#options;
    const file = identity(path);
    if (file === undefined || file !== (this.#file ?? file)) throw overtaken(name);
    this.#file = file;
  }

  /** Call this once the log exists. */
  noteLogs(): void {
    this.#logs = logEnds.map((end) => identity(this.#real + end));
  }

  /** Identifies this file. It is written into the file, so that a log shows which file it belongs to. */
  place(): string {
    return JSON.stringify([bootId(), this.#real, this.#file?.split(":")[1]]);
  }

  isInPlace(): boolean {
    return identity(this.#options.path) === this.#file;
  }

  /**
   * Removes this file's log from the path. While the log is open, no other file gets its number. If only a symbolic
   * link was changed, the log is next to its file, and stays.
   */
  removeLogs(): void {
    if (identity(this.#real) === this.#file) return;
    for (const [index, end] of logEnds.entries()) {
      const path = this.#real + end;
      const log = this.#logs[index];
      if (log !== undefined && identity(path) === log) rmSync(path, { force: true });
    }
  }
}

/** Compares the inode numbers: a later boot, or another container, may see another boot id or path. */
export function isOfSameFile(place: string, other: string): boolean {
  return place === other || (parts(place)[2] !== undefined && parts(place)[2] === parts(other)[2]);
}

function parts(place: string): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(place);
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return []; // there is none yet, or Holdfast did not write it
  }
}

/** `undefined` if it cannot be read here: the error of opening the file then says why. */
function lookAtPlace({ path, name, driver }: GuardOptions): string | undefined {
  let db: SqlDatabase | undefined;
  try {
    db = new driver(path, { readOnly: true });
    return placeIn(db, name);
  } catch (error) {
    if (error instanceof HoldfastError || isDamageOrBusy(error)) throw error;
    return undefined;
  } finally {
    db?.close();
  }
}

export function replaced(name: string, outcome: Outcome): UnavailableError {
  return new UnavailableError(
    `${name} was replaced or deleted while it was open. Holdfast stopped using it to protect the ` +
      `file that is there now. Restart every process that has it open, and restore backups only while no process has ` +
      `the file open.`,
    { lasting: true, outcome },
  );
}

/** Nothing was done with either file, so the next attempt may use the one that is there then. */
export function overtaken(name: string): UnavailableError {
  return new UnavailableError(`${name} was replaced or deleted while it was being opened. Try again.`);
}

function foreignLog(name: string): UnavailableError {
  return new UnavailableError(
    `${name} was replaced, deleted or copied, and the -wal or -shm beside it may belong to another file. Nothing was ` +
      `read or written. Stop every process that has the file open, then try again. If this error remains and the file ` +
      `and its -wal were copied or restored together, the -wal holds acknowledged changes: move both (without the ` +
      `-shm) to another folder, open and close the file there once, then move the file back alone. If the file was ` +
      `copied on its own (for example by VACUUM INTO), or you want to start over, delete the -wal and the -shm.`,
  );
}

/** `undefined`: there is none. */
function identity(path: string): string | undefined {
  const stat = look(path);
  return stat === undefined ? undefined : `${String(stat.dev)}:${String(stat.ino)}`;
}

/** Where SQLite finds the file and puts the log, even if the target of a link is missing. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    const target = targetOf(path);
    if (target !== undefined) return realPath(resolve(dirname(path), target));
    return join(realpathSync(dirname(path)), basename(path));
  }
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // it is not a link
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function sizeOf(path: string): number {
  return Number(look(path)?.size ?? 0);
}

function look(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

let boot: string | undefined;

/** Identifies the current boot of the machine, if the system reports it. */
function bootId(): string {
  if (boot !== undefined) return boot;
  try {
    boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    boot = "-";
  }
  return boot;
}
