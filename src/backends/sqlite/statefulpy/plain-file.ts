/**
 * An open file with the tables of the Python library statefulpy: statements and transactions.
 *
 * It is opened as Python opens it: with a write-ahead log, and with tables that are created if they are missing. Unlike a
 * store of Holdfast, the file does not record its place, so that a log that was left beside another file is not noticed.
 */
import { dirname } from "node:path";
import { InvalidArgumentError } from "../../../errors.ts";
import type { SqlDatabase, SqlDriver, SqlStatement, SqlValue } from "../driver.ts";
import { FileGuard } from "../file-guard.ts";
import { isReadOnly, toFileError } from "../errors.ts";
import { createFolder } from "../path.ts";
import { rollBack, schemaOf } from "../schema.ts";

/** Waiting for another process's commit blocks the event loop, and with it renewals. A failed call is tried again. */
const busyTimeoutMs = 20;
/** That of a store of Holdfast: schema.ts. */
const holdfastId = 0x486f6c64;

/** The first two are those of the Python library. */
const tables = (schema: string): string => `
  CREATE TABLE IF NOT EXISTS ${schema}.stateful_state (
    fn_id TEXT PRIMARY KEY,
    state BLOB,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  );
  CREATE TABLE IF NOT EXISTS ${schema}.stateful_locks (
    fn_id TEXT PRIMARY KEY,
    locked_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  );
  CREATE TABLE IF NOT EXISTS ${schema}.holdfast_locks (
    fn_id TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    since REAL NOT NULL,
    lease_ms INTEGER NOT NULL
  );
`;

export interface PlainFileOptions {
  readonly path: string;
  readonly name: string;
  readonly driver: SqlDriver;
  /** For what only reads: nothing is made or changed. */
  readonly isReadOnly?: boolean | undefined;
}

export class PlainFile {
  /** Whether the last transaction has come to its commit, whose failure may have an unknown outcome. */
  isCommitting = false;
  readonly #guard: FileGuard;
  readonly #db: SqlDatabase;
  readonly #statements = new Map<string, SqlStatement>();

  constructor(options: PlainFileOptions) {
    const { path, name, driver, isReadOnly: readOnly = false } = options;
    this.#guard = guardOf(options);
    this.#db = new driver(path, { readOnly });
    try {
      this.#guard.opened();
      this.#db.exec(`PRAGMA busy_timeout = ${String(busyTimeoutMs)}`);
      if (readOnly) this.#refuseOthers(name);
      else this.#setUp(name);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether it is still the file at the path. If not, others use another one, and what is written here is lost. */
  isInPlace(): boolean {
    return this.#guard.isInPlace();
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

  transact<T>(step: () => T): T {
    this.isCommitting = false;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = step();
      this.isCommitting = true;
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      rollBack(this.#db);
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    try {
      this.#db.close();
    } catch {
      // It is closed, or unusable in any case.
    }
  }

  #setUp(name: string): void {
    const schema = schemaOf(this.#db);
    const row = this.#db.prepare(`PRAGMA ${schema}.application_id`).get() as { application_id: number };
    if (row.application_id === holdfastId)
      throw new InvalidArgumentError(
        `${name} is a store of Holdfast, which open("${name}") opens. For states of statefulpy, choose another file.`,
      );
    try {
      this.#db.exec(`PRAGMA ${schema}.journal_mode = WAL`);
      this.transact(() => this.#db.exec(tables(schema)));
    } catch (error) {
      if (!isReadOnly(error)) throw error; // then states can be read, if there are any
    }
  }

  /** For a file in which nothing may be made. */
  #refuseOthers(name: string): void {
    const found = this.#db.prepare(
      `SELECT 1 FROM ${schemaOf(this.#db)}.sqlite_schema WHERE name = 'stateful_state'`,
    );
    if (found.get() !== undefined) return;
    throw new InvalidArgumentError(`${name} is no file of statefulpy: it has no table stateful_state.`);
  }

  #statement(sql: string): SqlStatement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Of the file at the path, whose folder is made unless it is only to be read. */
function guardOf(options: PlainFileOptions): FileGuard {
  try {
    if (options.isReadOnly !== true) createFolder(dirname(options.path));
    return new FileGuard(options);
  } catch (error) {
    throw toFileError(error, options.name);
  }
}
