/**
 * The SQLite that this Node has: its own, or the optional peer package on a Node that has none.
 *
 * Both are the same class, of which only the shape below is used. Nothing is loaded before a store on SQLite asks.
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
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

/** The class `DatabaseSync`. */
export type SqlDriver = new (path: string) => SqlDatabase;

/** @throws InvalidArgumentError that says what to install, where neither can be had. */
export async function loadDriver(): Promise<SqlDriver> {
  const own = process.getBuiltinModule("node:sqlite") as typeof NodeSqlite | undefined;
  if (own !== undefined) return own.DatabaseSync;
  try {
    return (await import("@photostructure/sqlite")).DatabaseSync;
  } catch (cause) {
    throw new InvalidArgumentError(
      `SQLite is part of Node since 22.13; this is ${process.version}. Install it beside Holdfast with ` +
        `"npm install @photostructure/sqlite@1", or use Node 22.13 or later, or open a redis:// or memory: store.`,
      { cause },
    );
  }
}
