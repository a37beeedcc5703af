/**
 * Loads SQLite: Node's own, or the optional peer package on a Node that has none.
 *
 * Both have the same class, and only the methods below are used. The statements of the peer package keep files open,
 * see attaching(). Nothing is loaded until a store on SQLite needs it.
 */
import type * as NodeSqlite from "node:sqlite";

import { InvalidArgumentError } from "../../errors.ts";

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

/** @throws InvalidArgumentError that says what to install, if neither is available. */
export async function loadDriver(): Promise<SqlDriver> {
  const own = process.getBuiltinModule("node:sqlite") as typeof NodeSqlite | undefined;
  if (own !== undefined) return own.DatabaseSync;
  try {
    return attaching((await import("@photostructure/sqlite")).DatabaseSync);
  } catch (cause) {
    throw new InvalidArgumentError(
      `Node has included SQLite since 22.13; this is ${process.version}. Install it beside Holdfast with ` +
        `"npm install @photostructure/sqlite@1", or use Node 22.13 or later, or open a redis:// or memory: store.`,
      { cause },
    );
  }
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
