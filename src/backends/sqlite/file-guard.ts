/**
 * Is the file at the path still the one that was opened? If not, nothing may be done that harms the one that is there.
 *
 * SQLite finds the write-ahead log by the path of the file. When another file is put there, the log of the old one is
 * taken for its log, and the two together are neither [S3]. So a file that was replaced or deleted is left, for good:
 * the log is written into the file that it belongs to, wherever that is now, and taken away from the path. And a file
 * that stands beside another one's log is not opened.
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
  /** SQLite puts the log beside the file that a symbolic link leads to. */
  readonly #real: string;
  #file: string | undefined;
  #logs: readonly (string | undefined)[] = [];

  /** Before the file is opened: from here on another one in its place is noticed. */
  constructor(options: GuardOptions) {
    this.#options = options;
    this.#real = realPath(options.path);
    this.#file = identity(options.path);
  }

  /**
   * Before SQLite opens the file, since then it takes the log for this file's. Looks without writing.
   *
   * What has the number that it wrote into itself is the file that was opened before, after a crash or under another
   * path as well. Any other one was put here: where a log stood already, that log may be in use, also while it is empty. Only a
   * file that comes from elsewhere, with a log that has no -shm, was copied together with it.
   */
  refuseForeignLog(): void {
    const { path, name } = this.#options;
    const [hasLog, hasShm] = logEnds.map((end) => identity(this.#real + end) !== undefined);
    if (hasLog !== true && hasShm !== true) return;
    // After the log was seen: a file that is being set up is not empty when its log comes.
    if (sizeOf(path) === 0) throw foreignLog(name);
    const written = lookAtPlace(this.#options);
    if (written === undefined || written === "" || isOfSameFile(written, this.place())) return;
    if (!isWritable(path) && sizeOf(`${this.#real}-wal`) === 0) return; // it never could write down its place
    const [[boot, at], [bootThen, atThen]] = [parts(this.place()), parts(written)];
    if (hasShm === true || (boot === bootThen && at === atThen)) throw foreignLog(name);
  }

  /**
   * Right after the file was opened. Nothing was read from it, so that closing it leaves everything as it is.
   * @throws UnavailableError where another one was put in its place meanwhile.
   */
  opened(): void {
    const { path, name } = this.#options;
    const file = identity(path);
    if (file === undefined || file !== (this.#file ?? file)) throw overtaken(name);
    this.#file = file;
  }

  /** Once the log is there. */
  noteLogs(): void {
    this.#logs = logEnds.map((end) => identity(this.#real + end));
  }

  /** Which file this is. It is written into the file, so that a log tells which one it belongs to. */
  place(): string {
    return JSON.stringify([bootId(), this.#real, this.#file?.split(":")[1]]);
  }

  isInPlace(): boolean {
    return identity(this.#options.path) === this.#file;
  }

  /**
   * Takes our log away from the path. While it is open its number is given to no other file. Where only a symbolic link
   * was changed, the log stands beside its file and stays.
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

/** The path, as another container sees it, and the run of the machine may differ. */
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

/** `undefined` where it cannot be told here: opening the file says why. */
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

/** Nothing was done with either file, so the next try may use the one that is there then. */
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

/** Where SQLite finds the file and puts the log; also of a link whose file is missing. */
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
    return undefined; // it is no link
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

/** Which run of the machine this is, where it tells. */
function bootId(): string {
  if (boot !== undefined) return boot;
  try {
    boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    boot = "-";
  }
  return boot;
}
