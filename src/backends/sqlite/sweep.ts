/**
 * Deletes rows that have expired and are no longer needed, of every client and prefix.
 *
 * It keeps up with any rate of writes: for each row written to a table, it checks more than one. Expired states are
 * found by an index, and two are deleted for each state written. So a commit is slowed down only in proportion to what
 * was written since the last check. The other tables have no such index, since every acquire and release would pay for
 * it. A cursor cycles through them, so that each full cycle removes what had ended before it.
 */
import type { Connection } from "./connection.ts";
import type { SqlValue } from "./driver.ts";

/** Waiters ask so often that one that has been silent for this long is gone, or stopped. */
export const askLimitMs = 2_000;
/** How many expired states are deleted for each that is written… */
const statesPerWrite = 2;
/** …after this many, or this many bytes: a check takes a few microseconds, and large states take time to delete. */
const statesPerLook = 8;
const bytesPerLook = 64 * 1024;
/** After this many rows written to one of the other tables… */
const writesPerLook = 16;
/** …this many of its rows are checked: 0.1 ms at most. */
const rowsPerLook = 48;

/** The key columns of each table, and until when its rows are needed. */
const rounds = {
  locks: { key: ["prefix", "id"], endsAt: "since + lease_ms + 1" }, // the clock shows whole milliseconds
  waiters: { key: ["prefix", "id", "ticket"], endsAt: `asked_at + ${String(askLimitMs)}` },
  receipts: { key: ["client", "slot"], endsAt: "keep_until" },
  semaphores: { key: ["prefix", "id"], endsAt: "keep_until" },
  waits: { key: ["prefix", "client"], endsAt: "keep_until" },
} as const;

type Rounded = keyof typeof rounds;

export class Sweep {
  readonly #sql: Connection;
  #states = 0;
  #bytes = bytesPerLook; // a process that writes little and then ends checks once
  readonly #written: Record<Rounded, number>;
  /**
   * The key after which the next check begins. At first, it is near what this process writes, where others leave their
   * rows too.
   */
  readonly #cursors: Partial<Record<Rounded, readonly SqlValue[]>> = {};

  constructor(connection: Connection) {
    this.#sql = connection;
    const each = writesPerLook;
    this.#written = { locks: each, waiters: each, receipts: each, semaphores: each, waits: each };
  }

  wroteState(bytes: number): void {
    this.#states += 1;
    this.#bytes += bytes;
  }

  wrote(table: Rounded, ...key: readonly SqlValue[]): void {
    this.#written[table] += 1;
    this.#cursors[table] ??= key;
  }

  /** Called at the end of a transaction that writes. */
  run(now: number): void {
    if (this.#states >= statesPerLook || (this.#states > 0 && this.#bytes >= bytesPerLook))
      this.#sweepStates(now);
    for (const table of ["locks", "waiters", "receipts", "semaphores", "waits"] as const)
      if (this.#written[table] > writesPerLook) this.#look(table, now);
  }

  #sweepStates(now: number): void {
    const limit = statesPerWrite * this.#states;
    this.#states = 0;
    this.#bytes = 0;
    // Not in one DELETE: with the selection inside it takes ten times as long, and usually there is nothing to delete.
    const ended = this.#sql.all(
      "SELECT rowid FROM states WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
      ...[now, limit],
    ) as { rowid: number }[];
    for (const { rowid } of ended) this.#sql.run("DELETE FROM states WHERE rowid = ?", rowid);
  }

  /** From the cursor to the end, then again from the beginning. */
  #look(table: Rounded, now: number): void {
    this.#written[table] = 0;
    const from = this.#cursors[table] ?? [];
    const looked = this.#lookAfter(table, from, { now, limit: rowsPerLook });
    if (looked < rowsPerLook) this.#lookAfter(table, [], { now, limit: rowsPerLook - looked });
  }

  #lookAfter(
    table: Rounded,
    cursor: readonly SqlValue[],
    { now, limit }: { readonly now: number; readonly limit: number },
  ): number {
    const { key, endsAt } = rounds[table];
    const columns = key.join(", ");
    const after = cursor.length === 0 ? "" : `WHERE (${columns}) > (${key.map(() => "?").join(", ")})`;
    const rows = this.#sql.all(
      `SELECT ${columns}, ${endsAt} <= ? AS ended FROM ${table} ${after} ORDER BY ${columns} LIMIT ?`,
      ...[now, ...cursor, limit],
    ) as Record<string, SqlValue>[];
    for (const row of rows) if (row["ended"] === 1) this.#remove(table, keyOf(table, row));
    const last = rows.at(-1);
    this.#cursors[table] = last === undefined ? [] : keyOf(table, last);
    return rows.length;
  }

  #remove(table: Rounded, key: readonly SqlValue[]): void {
    const columns = rounds[table].key.map((column) => `${column} = ?`);
    this.#sql.run(`DELETE FROM ${table} WHERE ${columns.join(" AND ")}`, ...key);
    if (table === "locks") this.#sql.run("DELETE FROM holders WHERE prefix = ? AND id = ?", ...key);
  }
}

function keyOf(table: Rounded, row: Record<string, SqlValue>): readonly SqlValue[] {
  return rounds[table].key.map((column) => row[column] ?? "");
}
