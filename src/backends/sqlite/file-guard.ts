/**
 * Is the file at the path still the one that was opened? If not, nothing may be done that harms the one that is there.
 *
 * SQLite finds the write-ahead log by the path of the file. When another file is put there, the log of the old one is
 * taken for its log, and the two together are neither [S3]. So a file that was replaced or deleted is left, for good:
 * the log is written into the file that it belongs to, wherever that is now, and taken away from the path. And a file
 * that stands beside another one's log is not opened.
 */
import { readFileSync, realpathSync, rmSync, statSync, type BigIntStats } from "node:fs";

import { UnavailableError, type Outcome } from "../../errors.ts";
import type { SqlDatabase, SqlDriver } from "./driver.ts";
import { isDamageOrBusy } from "./errors.ts";

const logEnds = ["-wal", "-shm"] as const;

export class FileGuard {
  readonly #path: string;
  readonly #file: string | undefined;
  readonly #logs: readonly (string | undefined)[];

  /** Of a file that has just been opened. */
  constructor(path: string) {
    this.#path = path;
    this.#file = identity(path);
    this.#logs = logEnds.map((end) => identity(path + end));
  }

  isInPlace(): boolean {
    return identity(this.#path) === this.#file;
  }

  /** Takes our log away from the path. While it is open its number is given to no other file. */
  removeLogs(): void {
    for (const [index, end] of logEnds.entries()) {
      const path = this.#path + end;
      const log = this.#logs[index];
      if (log !== undefined && identity(path) === log) rmSync(path, { force: true });
    }
  }
}

/** Which file this is. It is written into the file, so that a log tells which one it belongs to. */
export function placeOf(path: string): string {
  const { ino } = statSync(path, { bigint: true });
  return JSON.stringify([bootId(), realpathSync(path), String(ino)]);
}

/**
 * Before SQLite opens the file, since then it takes the log for this file's. Looks without writing. File and log belong
 * together unless the same path had another file since the machine started: only then are the numbers of files compared,
 * for a copy that was made with its log, and a file system that was mounted anew, have others.
 */
export function refuseForeignLog(path: string, { name, driver }: { name: string; driver: SqlDriver }): void {
  if (logEnds.every((end) => identity(path + end) === undefined)) return;
  const isEmpty = sizeOf(path) === 0; // in this order: a file that is being set up is not empty when its log comes
  if (isEmpty && sizeOf(`${path}-wal`) > 0 && sizeOf(path) === 0) throw foreignLog(name);
  if (isEmpty) return;
  const written = readPlace(path, driver);
  const place = placeOf(path);
  if (written === undefined || written === place) return;
  const [[boot, at], [bootThen, atThen]] = [parts(place), parts(written)];
  if (boot === bootThen && at === atThen) throw foreignLog(name);
}

function parts(place: string): readonly unknown[] {
  return place.startsWith("[") ? (JSON.parse(place) as unknown[]) : [];
}

/** `undefined` where it cannot be told here: opening the file says why. */
function readPlace(path: string, driver: SqlDriver): string | undefined {
  let db: SqlDatabase | undefined;
  try {
    db = new driver(path, { readOnly: true });
    return (db.prepare("SELECT place FROM stamps").get() as { place?: string } | undefined)?.place;
  } catch (error) {
    if (isDamageOrBusy(error)) throw error;
    return undefined;
  } finally {
    db?.close();
  }
}

export function replaced(name: string, outcome: Outcome): UnavailableError {
  return new UnavailableError(
    `${name} was replaced or deleted while it was open. It is not used any more, so that what is there now stays intact: ` +
      `restart every process that has it open, and put a backup in its place only while none does.`,
    { lasting: true, outcome },
  );
}

function foreignLog(name: string): UnavailableError {
  return new UnavailableError(
    `${name} was replaced or deleted while its log was in use: the -wal beside it belongs to the file that was there before. ` +
      `Nothing was read or written. End every process that has it open, move the -wal and the -shm away, and open it again.`,
  );
}

/** `undefined`: there is none. */
function identity(path: string): string | undefined {
  const stat = look(path);
  return stat === undefined ? undefined : `${String(stat.dev)}:${String(stat.ino)}`;
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
