/**
 * One open file: transactions, cached statements, and the commits that calls of one turn share.
 *
 * A step is a plain function over the rows. It runs alone, sees nothing half done, and is answered only once it is
 * on the disk. Each commit is a sync of the disk, about 0.3 ms here, and 64 steps cost no more than one: so the steps
 * that were asked for in one turn of the event loop go into one transaction. When one of them fails, all are rolled
 * back and each is run again alone, so that no call suffers from its neighbour.
 */
import { statSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { UnavailableError, type CorruptStateError } from "../../errors.ts";
import { nextTurn, now } from "../../timers.ts";
import { Turns } from "../protocol/turns.ts";
import type { SqlDatabase, SqlDriver, SqlStatement, SqlValue } from "./driver.ts";
import { isFatal, notAsWritten, toFileError, toHoldfastError } from "./errors.ts";
import { rollBack, setUp } from "./schema.ts";

/** Waiting for another process's commit stops the event loop, and with it renewals: 20 ms are the most. */
const busyTimeoutMs = 20;
/** The most steps in one transaction: about 3 ms of work, so that other processes get their turns. */
const maxGroup = 64;
/** How often to look whether the file is still the one that was opened. */
const checkFileEveryMs = 1_000;

interface Job {
  readonly step: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface ConnectionOptions {
  readonly path: string;
  /** For messages. */
  readonly name: string;
  readonly driver: SqlDriver;
}

export class Connection {
  readonly #path: string;
  readonly #name: string;
  readonly #db: SqlDatabase;
  readonly #file: string | undefined;
  readonly #turns = new Turns();
  readonly #statements = new Map<string, SqlStatement>();
  #jobs: Job[] = [];
  #commits = 0;
  #checkedAt = now();
  #broken = false;

  /** Opens the file, and creates it and its directory where they are missing. */
  constructor(options: ConnectionOptions) {
    this.#path = options.path;
    this.#name = options.name;
    this.#db = openFile(options);
    this.#file = fileIdentity(this.#path);
  }

  /** False once nothing good can come of it: it failed badly, or the file was deleted or replaced behind our back. */
  isUsable(): boolean {
    if (this.#broken || now() - this.#checkedAt < checkFileEveryMs) return !this.#broken;
    this.#checkedAt = now();
    this.#broken = fileIdentity(this.#path) !== this.#file;
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

  /** Runs a step that only reads: now, unless the event loop has to turn before. */
  read<T>(step: () => T): Promise<T> {
    return this.#turns.run(() => this.readNow(step));
  }

  readNow<T>(step: () => T): T {
    return this.#transact("BEGIN", step);
  }

  /** Runs a step together with the others of this turn. */
  write<T>(step: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ step, resolve: resolve as (value: unknown) => void, reject });
      if (this.#jobs.length === 1) nextTurn(() => this.#flush());
    });
  }

  /** Changes whenever anything was committed to the file, by us or by others. */
  version(): string {
    try {
      const { data_version: others } = this.get("PRAGMA data_version") as { data_version: number };
      return `${String(others)}.${String(this.#commits)}`;
    } catch (error) {
      throw this.#failed(error, false);
    }
  }

  /** The error for rows that are not ours [S6]. */
  notAsWritten(): CorruptStateError {
    return notAsWritten(this.#name);
  }

  /** Carries out what was asked for, then closes. */
  close(): void {
    this.#turns.finish();
    while (this.#jobs.length > 0) this.#flush();
    this.#broken = true;
    this.#statements.clear();
    closeQuietly(this.#db);
  }

  #flush(): void {
    const jobs = this.#jobs.splice(0, maxGroup);
    if (jobs.length === 0) return; // closing was quicker
    if (this.#jobs.length > 0) nextTurn(() => this.#flush());
    try {
      this.#runTogether(jobs);
    } catch (error) {
      if (jobs.length === 1 || concernsAll(error)) for (const job of jobs) job.reject(error);
      else for (const job of jobs) this.#runAlone(job);
    }
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
    const reply = this.#transact("BEGIN IMMEDIATE", step);
    this.#commits += 1;
    return reply;
  }

  #transact<T>(begin: string, step: () => T): T {
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
    if (isFatal(error)) this.#broken = true;
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

/** Whatever kept this transaction from beginning, or leaves its end unknown, is the answer to all that were in it. */
function concernsAll(error: unknown): boolean {
  return error instanceof UnavailableError && (error.code === "UNREACHABLE" || error.outcome === "unknown");
}

function openFile({ path, name, driver }: ConnectionOptions): SqlDatabase {
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new Error("it is a directory");
    }
  } catch (error) {
    throw toFileError(error, name);
  }
  let db: SqlDatabase | undefined;
  try {
    db = new driver(path);
    db.exec(`PRAGMA busy_timeout = ${String(busyTimeoutMs)}`);
    setUp(db, name);
    return db;
  } catch (error) {
    if (db !== undefined) closeQuietly(db);
    throw toHoldfastError(error, { name, committing: false });
  }
}

/** All that could fail here is tidying up, which the next process to open the file does just as well. */
function closeQuietly(db: SqlDatabase): void {
  try {
    db.close();
  } catch {
    // It is closed, or of no use in any case.
  }
}

/** Which file stands at the path now; `undefined` when none can be seen there. */
function fileIdentity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${String(dev)}:${String(ino)}`;
  } catch {
    return undefined; // opening anew will say what is wrong
  }
}
