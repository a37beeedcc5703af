/**
 * One open file: transactions, cached statements, and the commits that the calls of one turn share.
 *
 * A step is a plain function over the rows. It runs alone, sees no partial changes, and its result is returned only
 * once it is on disk. Each commit is a disk sync, about 0.3 ms as measured, and 64 steps cost no more than
 * one. So the steps requested in one turn of the event loop share a transaction. If one of them fails, all are rolled
 * back and each is run again alone, so that no call is affected by another.
 */
import { statSync } from "node:fs";
import { dirname } from "node:path";

import { UnavailableError, type CorruptStateError, type Outcome } from "../../errors.ts";
import { nextTurn } from "../../timers.ts";
import { EventLoopYield } from "../../time/event-loop-yield.ts";
import type { SqlDatabase, SqlStatement, SqlValue } from "./driver.ts";
import { isFatal, notAsWritten, toFileError, toHoldfastError } from "./errors.ts";
import { FileGuard, isOfSameFile, overtaken, replaced, type GuardOptions } from "./file-guard.ts";
import { createFolder } from "./path.ts";
import { keepPlace, readPlace, rollBack, schemaOf, setUp } from "./schema.ts";

/** Waiting for another process's commit blocks the event loop, and with it renewals: 20 ms at most. */
const busyTimeoutMs = 20;
/** The most steps in one transaction: about 3 ms of work, so that other processes can write too. */
const maxGroup = 64;

interface Job {
  readonly step: () => unknown;
  /** How many usual steps it is as long as. */
  readonly size: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenFile {
  readonly db: SqlDatabase;
  readonly guard: FileGuard;
  /** The place that is recorded in the file. */
  readonly place: string;
}

export class Connection {
  readonly #name: string;
  readonly #file: OpenFile;
  readonly #db: SqlDatabase;
  readonly #turns = new EventLoopYield();
  readonly #statements = new Map<string, SqlStatement>();
  #jobs: Job[] = [];
  #commits = 0;
  #broken = false;
  #isGone = false;

  /** Opens the file, and creates it and its directory if they are missing. */
  constructor(options: GuardOptions) {
    this.#name = options.name;
    this.#file = openFile(options);
    this.#db = this.#file.db;
  }

  /**
   * False after a fatal error: a new connection may work.
   * @throws UnavailableError once the file is gone: this store cannot use another one.
   */
  isUsable(): boolean {
    if (this.#isGone) throw replaced(this.#name, "none");
    return !this.#broken;
  }

  get(sql: string, ...values: SqlValue[]): unknown {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SqlValue[]): unknown[] {
    return this.#statement(sql).all(...values);
  }

  run(sql: string, ...values: SqlValue[]): void {
    this.#statement(sql).run(...values);
  }

  /** Runs a step that only reads: now, unless the event loop must turn first. */
  read<T>(step: () => T): Promise<T> {
    return this.#turns.run(() => this.readNow(step));
  }

  readNow<T>(step: () => T): T {
    const reply = this.#transact("BEGIN", step);
    this.#requireFile("none");
    return reply;
  }

  /** Runs a step together with the others of this turn. `size`: how many usual steps it is as long as. */
  write<T>(step: () => T, size = 1): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ step, size, resolve: resolve as (value: unknown) => void, reject });
      if (this.#jobs.length === 1) nextTurn(() => this.#flush());
    });
  }

  /** Changes whenever anything is committed to the file, by this connection or another. */
  version(): string {
    try {
      const { data_version: others } = this.get(`PRAGMA ${schemaOf(this.#db)}.data_version`) as {
        data_version: number;
      };
      return `${String(others)}.${String(this.#commits)}`;
    } catch (error) {
      throw this.#failed(error, false);
    }
  }

  /** The error for rows that Holdfast did not write [S6]. */
  notAsWritten(): CorruptStateError {
    return notAsWritten(this.#name);
  }

  /** Carries out what was requested, then closes. */
  close(): void {
    this.#turns.finish();
    while (this.#jobs.length > 0) this.#flush();
    try {
      this.#requireFile("none");
    } catch {
      // It was left in a valid state; no caller is waiting for it.
    }
    this.#end();
  }

  #end(): void {
    this.#broken = true;
    this.#statements.clear();
    closeQuietly(this.#db);
  }

  /** What was done while another file was put in its place may be in either file. */
  #requireFile(outcome: Outcome): void {
    if (this.#isGone) throw replaced(this.#name, "none");
    if (this.#isInPlace(outcome)) return;
    this.#isGone = true;
    leaveFile(this.#file);
    this.#end();
    throw replaced(this.#name, outcome);
  }

  #isInPlace(outcome: Outcome): boolean {
    try {
      return this.#file.guard.isInPlace();
    } catch (error) {
      throw toFileError(error, this.#name, outcome);
    }
  }

  #flush(): void {
    const jobs = this.#nextGroup();
    if (jobs.length === 0) return; // the connection was closed first
    if (this.#jobs.length > 0) nextTurn(() => this.#flush());
    try {
      this.#runTogether(jobs);
    } catch (error) {
      if (jobs.length === 1 || concernsAll(error)) for (const job of jobs) job.reject(error);
      else for (const job of jobs) this.#runAlone(job);
    }
  }

  /** The first of them, however long it is, and those that fit beside it. */
  #nextGroup(): readonly Job[] {
    let [count, size] = [0, 0];
    for (const job of this.#jobs) {
      size += job.size;
      if (count > 0 && size > maxGroup) break;
      count += 1;
    }
    return this.#jobs.splice(0, count);
  }

  #runTogether(jobs: readonly Job[]): void {
    const replies = this.#commit(() => jobs.map((job) => job.step()));
    for (const [index, job] of jobs.entries()) job.resolve(replies[index]);
  }

  #runAlone(job: Job): void {
    try {
      job.resolve(this.#commit(job.step));
    } catch (error) {
      job.reject(error);
    }
  }

  #commit<T>(step: () => T): T {
    this.#requireFile("none");
    const reply = this.#transact("BEGIN IMMEDIATE", step);
    this.#commits += 1;
    this.#requireFile("unknown");
    return reply;
  }

  #transact<T>(begin: string, step: () => T): T {
    if (this.#isGone) throw replaced(this.#name, "none");
    let committing = false;
    try {
      this.run(begin);
      const reply = step();
      committing = true;
      this.run("COMMIT");
      return reply;
    } catch (error) {
      rollBack(this.#db);
      throw this.#failed(error, committing);
    }
  }

  #failed(error: unknown, committing: boolean): unknown {
    if (isFatal(error)) {
      this.#broken = true;
      try {
        this.#requireFile(committing ? "unknown" : "none"); // what looks like damage may be the log of another file
      } catch (reason) {
        return reason;
      }
    }
    return toHoldfastError(error, { name: this.#name, committing });
  }

  #statement(sql: string): SqlStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** An error that kept the transaction from beginning, or leaves its outcome unknown, is the result of all its steps. */
function concernsAll(error: unknown): boolean {
  return error instanceof UnavailableError && (error.code === "UNREACHABLE" || error.outcome === "unknown");
}

function openFile(options: GuardOptions): OpenFile {
  const { path, name } = options;
  try {
    createFolder(dirname(path));
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new Error("it is a directory");
  } catch (error) {
    throw toFileError(error, name);
  }
  let db: SqlDatabase | undefined;
  try {
    const guard = new FileGuard(options);
    guard.refuseForeignLog();
    db = new options.driver(path);
    guard.opened();
    return prepareFile({ db, guard, name });
  } catch (error) {
    if (db !== undefined) closeQuietly(db);
    throw toHoldfastError(error, { name, committing: false });
  }
}

function prepareFile({ db, guard, name }: { db: SqlDatabase; guard: FileGuard; name: string }): OpenFile {
  db.exec(`PRAGMA busy_timeout = ${String(busyTimeoutMs)}`);
  setUp(db, name);
  const file = { db, guard, place: keepPlace(db, guard.place()) };
  guard.noteLogs();
  if (guard.isInPlace()) return file;
  leaveFile(file);
  throw overtaken(name);
}

/**
 * Writes the log into the file that it belongs to, wherever that is now, and removes it from the path, where it would
 * be used for the new file. Closing alone leaves it there: SQLite touches nothing once the file has moved.
 *
 * If the new file was opened already, the log at the path may be in use for it. Its place shows that, and it stays.
 */
function leaveFile(file: OpenFile): void {
  try {
    if (!isOurLog(file)) return;
    const checkpoint = `PRAGMA ${schemaOf(file.db)}.wal_checkpoint(TRUNCATE)`;
    const { busy } = file.db.prepare(checkpoint).get() as { busy: number };
    if (busy !== 0) return; // another process is using it, and does the same afterwards
    file.db.exec("BEGIN IMMEDIATE"); // one process at a time checks and removes
    if (isOurLog(file)) file.guard.removeLogs();
    rollBack(file.db);
  } catch {
    // The error that the file is gone is reported. A log that is left is recognized by its place.
  }
}

function isOurLog({ db, place }: OpenFile): boolean {
  return isOfSameFile(readPlace(db) ?? "", place);
}

/** Only cleaning up can fail here, and the next process that opens the file can do that. */
function closeQuietly(db: SqlDatabase): void {
  try {
    db.close();
  } catch {
    // It is closed, or unusable in any case.
  }
}
