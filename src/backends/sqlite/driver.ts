/**
 * Loads SQLite: Node's own, or the optional peer package on a Node that has none.
 *
 * Both have the same class, and only the methods below are used. The statements of the peer package keep files open,
 * see attaching(). Nothing is loaded until a store on SQLite needs it.
 */
import type * as NodeSqlite from "node:sqlite";

import { clause, InvalidArgumentError, isError } from "../../errors.ts";

export type SqlValue = string | number | null | Uint8Array;

export interface SqlStatement {
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
  run(...values: SqlValue[]): unknown;
}

export interface SqlDatabase {
  /** The name of the file in SQL. Default: "main". */
  readonly schema?: string;
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

/** The class `DatabaseSync`. */
export type SqlDriver = new (path: string, options?: { readonly readOnly?: boolean }) => SqlDatabase;

const peer = "@photostructure/sqlite";
const otherwise = "or use Node 22.13 or later, or open a redis:// or memory: store";

/** @throws InvalidArgumentError that says what to do, if neither can be loaded. */
export async function loadDriver(): Promise<SqlDriver> {
  const own = process.getBuiltinModule("node:sqlite") as typeof NodeSqlite | undefined;
  if (own !== undefined) return own.DatabaseSync;
  try {
    return attaching((await import("@photostructure/sqlite")).DatabaseSync);
  } catch (cause) {
    throw new InvalidArgumentError(isMissing(cause) ? notInstalled() : broken(cause), { cause });
  }
}

/** Not there at all. If one of its own files or dependencies is missing, it is there and broken. */
function isMissing(cause: unknown): boolean {
  const { code, message = "" } = cause as { readonly code?: unknown; readonly message?: string };
  const isNotFound = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  return isNotFound && /^Cannot find (?:package|module) '@photostructure\/sqlite'/.test(message);
}

function notInstalled(): string {
  const why = hasSqlite()
    ? `This Node, ${process.version}, was built without SQLite`
    : `Node has included SQLite since 22.13; this is ${process.version}`;
  return `${why}. Install it beside Holdfast with "npm install ${peer}@1", ${otherwise}.`;
}

function hasSqlite(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

function broken(cause: unknown): string {
  const [reason = ""] = (isError(cause) ? cause.message : String(cause)).split("\n");
  return (
    `The package ${peer}, which Holdfast needs for SQLite on Node ${process.version}, is installed, but could not be ` +
    `loaded: ${clause(reason)}. Install it again on this machine with "npm install ${peer}@1", ${otherwise}.`
  );
}

/**
 * For a driver that finalizes statements only in a garbage collection. SQLite keeps a file open while one of its
 * statements exists. An attached file can be detached nevertheless, which closes it; an empty in-memory database
 * remains until the next collection.
 */
export function attaching(driver: SqlDriver): SqlDriver {
  return class implements SqlDatabase {
    readonly schema = "file";
    readonly #db: SqlDatabase;

    constructor(path: string, options: { readonly readOnly?: boolean } = {}) {
      this.#db = new driver(":memory:", options);
      try {
        this.#db.exec(`ATTACH '${path.replaceAll("'", "''")}' AS ${this.schema}`);
      } catch (error) {
        this.#db.close();
        throw error;
      }
    }

    exec(sql: string): void {
      this.#db.exec(sql);
    }

    prepare(sql: string): SqlStatement {
      return this.#db.prepare(sql);
    }

    close(): void {
      try {
        this.#db.exec(`DETACH ${this.schema}`);
      } finally {
        this.#db.close();
      }
    }
  };
}
