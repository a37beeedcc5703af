/**
 * The SQLite that this Node has: its own, or the optional peer package on a Node that has none.
 *
 * Both are the same class, of which only the shape below is used; the peer's statements hold files open, see attaching(). Nothing is loaded before a store on SQLite asks.
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
  /** The name that the file has in SQL: "main" unless it says otherwise. */
  readonly schema?: string;
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

/** The class `DatabaseSync`. */
export type SqlDriver = new (path: string, options?: { readonly readOnly?: boolean }) => SqlDatabase;

/** @throws InvalidArgumentError that says what to install, where neither can be had. */
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
 * For a driver whose statements are only finalized by a garbage collection: SQLite keeps a file open as long as one of its
 * statements is there. A file that is attached can be detached nevertheless, and is then closed; what is left until the
 * next collection is an empty database in memory.
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
