/**
 * The rows as SQL. Call every method inside a transaction of its connection.
 *
 * Prefix and id are separate columns: concatenated, two different pairs could give the same text. Stores with different prefixes share
 * a file without seeing each other [S1] [L1].
 */
import type { Receipt, Ticket } from "../contract.ts";
import type { RowStore } from "../rows/executor.ts";
import type {
  Change,
  LockRow,
  ReceiptRow,
  Recorded,
  StateHead,
  StateRow,
  WaiterRow,
} from "../rows/row-types.ts";
import type { Connection } from "./connection.ts";
import { Sweep } from "./sweep.ts";

export interface SqlTablesOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly clientId: string;
}

export class SqlTables implements RowStore {
  readonly #sql: Connection;
  readonly #prefix: string;
  readonly #clientId: string;
  readonly #sweep: Sweep;

  constructor(options: SqlTablesOptions) {
    this.#sql = options.connection;
    this.#prefix = options.prefix;
    this.#clientId = options.clientId;
    this.#sweep = new Sweep(options.connection);
  }

  stamp(): number {
    const row = this.#sql.get("SELECT last FROM stamps") as { last: number } | undefined;
    if (row === undefined) throw this.#sql.notAsWritten();
    return row.last;
  }

  stateHead(id: string): StateHead | undefined {
    const sql =
      'SELECT revision, serializer, expires_at AS "expiresAt" FROM states WHERE prefix = ? AND id = ?';
    return this.#sql.get(sql, this.#prefix, id) as StateHead | undefined;
  }

  state(id: string): StateRow | undefined {
    const sql =
      'SELECT revision, serializer, expires_at AS "expiresAt", bytes FROM states WHERE prefix = ? AND id = ?';
    return this.#sql.get(sql, this.#prefix, id) as StateRow | undefined;
  }

  lock(id: string): LockRow | undefined {
    const row = this.#sql.get(
      'SELECT ticket, fence, fences, since, lease_ms AS "leaseMs", unconfirmed FROM locks WHERE prefix = ? AND id = ?',
      ...[this.#prefix, id],
    ) as (Omit<LockRow, "unconfirmed"> & { unconfirmed: number }) | undefined;
    return row && { ...row, unconfirmed: row.unconfirmed === 1 };
  }

  waiters(id: string): WaiterRow[] {
    const rows = this.#sql.all(
      `SELECT ticket, asked_at AS "askedAt", lease_ms AS "leaseMs", fences, load, passed_over AS "passedOver"
       FROM waiters WHERE prefix = ? AND id = ? ORDER BY place`,
      ...[this.#prefix, id],
    ) as (Omit<WaiterRow, "load" | "passedOver"> & { load: number; passedOver: number })[];
    return rows.map((row) => ({ ...row, load: row.load === 1, passedOver: row.passedOver === 1 }));
  }

  receipt(sequence: number): ReceiptRow | undefined {
    const sql = "SELECT n, reply FROM receipts WHERE client = ? AND slot = ?";
    const row = this.#sql.get(sql, this.#clientId, sequence) as { n: number; reply: string } | undefined;
    return row && { n: row.n, reply: this.#recorded(row.reply) };
  }

  apply(changes: readonly Change[], now: number): void {
    for (const change of changes) this.#apply(change, now);
    this.#sweep.run(now);
  }

  #apply(change: Change, now: number): void {
    switch (change.kind) {
      case "stamp":
        return this.#sql.run("UPDATE stamps SET last = ?", change.last);
      case "state":
        return change.row === null ? this.#deleteState(change.id) : this.#setState(change.id, change.row);
      case "expiry":
        return this.#setExpiry(change.id, change.expiresAt);
      case "lock":
        return change.row === null ? this.#deleteLock(change.id) : this.#setLock(change.id, change.row);
      case "waiter":
        return change.row === null
          ? this.#deleteWaiter(change.id, change.ticket)
          : this.#setWaiter(change.id, change.row);
      case "receipt":
        return this.#setReceipt(change.receipt, change.reply, now);
    }
  }

  #setState(id: string, { revision, serializer, bytes, expiresAt }: StateRow): void {
    this.#sql.run(
      `INSERT INTO states (prefix, id, revision, serializer, expires_at, bytes) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (prefix, id) DO UPDATE SET revision = excluded.revision, serializer = excluded.serializer,
         expires_at = excluded.expires_at, bytes = excluded.bytes`,
      ...[this.#prefix, id, revision, serializer, expiresAt, bytes],
    );
    this.#sweep.wroteState(bytes.byteLength);
  }

  #setExpiry(id: string, expiresAt: number): void {
    const sql = "UPDATE states SET expires_at = ? WHERE prefix = ? AND id = ?";
    this.#sql.run(sql, expiresAt, this.#prefix, id);
  }

  #deleteState(id: string): void {
    this.#sql.run("DELETE FROM states WHERE prefix = ? AND id = ?", this.#prefix, id);
  }

  #setLock(id: string, { ticket, fence, fences, since, leaseMs, unconfirmed }: LockRow): void {
    this.#sql.run(
      `INSERT OR REPLACE INTO locks (prefix, id, ticket, fence, fences, since, lease_ms, unconfirmed)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[this.#prefix, id, ticket, fence, fences, since, leaseMs, unconfirmed ? 1 : 0],
    );
    this.#sweep.wrote("locks", this.#prefix, id);
  }

  #deleteLock(id: string): void {
    this.#sql.run("DELETE FROM locks WHERE prefix = ? AND id = ?", this.#prefix, id);
  }

  #setWaiter(id: string, { ticket, askedAt, leaseMs, fences, load, passedOver }: WaiterRow): void {
    const key = [this.#prefix, id] as const;
    this.#sql.run(
      `INSERT INTO waiters (prefix, id, ticket, place, asked_at, lease_ms, fences, load, passed_over)
       VALUES (?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM waiters WHERE prefix = ? AND id = ?), ?, ?, ?, ?, ?)
       ON CONFLICT (prefix, id, ticket) DO UPDATE SET asked_at = excluded.asked_at, lease_ms = excluded.lease_ms,
         fences = excluded.fences, load = excluded.load, passed_over = excluded.passed_over`,
      ...[...key, ticket, ...key, askedAt, leaseMs, fences, load ? 1 : 0, passedOver ? 1 : 0],
    );
    this.#sweep.wrote("waiters", ...key, ticket);
  }

  #deleteWaiter(id: string, ticket: Ticket): void {
    const sql = "DELETE FROM waiters WHERE prefix = ? AND id = ? AND ticket = ?";
    this.#sql.run(sql, this.#prefix, id, ticket);
  }

  #setReceipt({ sequence, n, keepMs }: Receipt, reply: Recorded, now: number): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO receipts (client, slot, n, keep_until, reply) VALUES (?, ?, ?, ?, ?)",
      ...[this.#clientId, sequence, n, now + keepMs, JSON.stringify(reply)],
    );
    this.#sweep.wrote("receipts", this.#clientId, sequence);
  }

  #recorded(text: string): Recorded {
    try {
      const reply = JSON.parse(text) as Partial<Recorded> | null;
      if (typeof reply?.status === "string") return reply as Recorded;
    } catch {
      // Refused below, like JSON that is not a reply.
    }
    throw this.#sql.notAsWritten();
  }
}
