/**
 * The protocol's rows as SQL. Every method belongs inside a transaction of its connection.
 *
 * Keys are the store's prefix and the id, so that stores of different prefixes share a file without seeing each other.
 */
import type { Receipt, Ticket } from "../backend.ts";
import type {
  LockRow,
  ReceiptRow,
  Recorded,
  StateHead,
  StateRow,
  Tables,
  WaiterRow,
} from "../protocol/tables.ts";
import type { Connection } from "./connection.ts";

/** How many dead rows of each kind one clearing takes away. */
const clearedAtOnce = 100;

export interface SqlTablesOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly clientId: string;
  readonly now: () => number;
}

export class SqlTables implements Tables {
  readonly #sql: Connection;
  readonly #prefix: string;
  readonly #clientId: string;
  readonly #now: () => number;

  constructor(options: SqlTablesOptions) {
    this.#sql = options.connection;
    this.#prefix = options.prefix;
    this.#clientId = options.clientId;
    this.#now = options.now;
  }

  get stamp(): number {
    const row = this.#sql.get("SELECT last FROM stamps") as { last: number } | undefined;
    if (row === undefined) throw this.#sql.notAsWritten();
    return row.last;
  }

  set stamp(last: number) {
    this.#sql.run("UPDATE stamps SET last = ?", last);
  }

  stateHead(id: string): StateHead | undefined {
    const sql = 'SELECT revision, serializer, expires_at AS "expiresAt" FROM states WHERE key = ?';
    return this.#sql.get(sql, this.#prefix + id) as StateHead | undefined;
  }

  state(id: string): StateRow | undefined {
    const sql = 'SELECT revision, serializer, expires_at AS "expiresAt", bytes FROM states WHERE key = ?';
    return this.#sql.get(sql, this.#prefix + id) as StateRow | undefined;
  }

  setState(id: string, { revision, serializer, bytes, expiresAt }: StateRow): void {
    this.#sql.run(
      `INSERT INTO states (key, revision, serializer, expires_at, bytes) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, serializer = excluded.serializer,
         expires_at = excluded.expires_at, bytes = excluded.bytes`,
      ...[this.#prefix + id, revision, serializer, expiresAt, bytes],
    );
  }

  setExpiry(id: string, expiresAt: number): void {
    this.#sql.run("UPDATE states SET expires_at = ? WHERE key = ?", expiresAt, this.#prefix + id);
  }

  deleteState(id: string): void {
    this.#sql.run("DELETE FROM states WHERE key = ?", this.#prefix + id);
  }

  lock(id: string): LockRow | undefined {
    const row = this.#sql.get(
      'SELECT ticket, fence, fences, since, lease_ms AS "leaseMs", unconfirmed FROM locks WHERE key = ?',
      this.#prefix + id,
    ) as (Omit<LockRow, "unconfirmed"> & { unconfirmed: number }) | undefined;
    return row && { ...row, unconfirmed: row.unconfirmed === 1 };
  }

  setLock(id: string, { ticket, fence, fences, since, leaseMs, unconfirmed }: LockRow): void {
    this.#sql.run(
      `INSERT OR REPLACE INTO locks (key, ticket, fence, fences, since, lease_ms, unconfirmed)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[this.#prefix + id, ticket, fence, fences, since, leaseMs, unconfirmed ? 1 : 0],
    );
  }

  deleteLock(id: string): void {
    this.#sql.run("DELETE FROM locks WHERE key = ?", this.#prefix + id);
  }

  waiters(id: string): WaiterRow[] {
    const rows = this.#sql.all(
      `SELECT ticket, asked_at AS "askedAt", lease_ms AS "leaseMs", fences, load, passed_over AS "passedOver"
       FROM waiters WHERE key = ? ORDER BY place`,
      this.#prefix + id,
    ) as (Omit<WaiterRow, "load" | "passedOver"> & { load: number; passedOver: number })[];
    return rows.map((row) => ({ ...row, load: row.load === 1, passedOver: row.passedOver === 1 }));
  }

  setWaiter(id: string, { ticket, askedAt, leaseMs, fences, load, passedOver }: WaiterRow): void {
    const key = this.#prefix + id;
    this.#sql.run(
      `INSERT INTO waiters (key, ticket, place, asked_at, lease_ms, fences, load, passed_over)
       VALUES (?, ?, (SELECT coalesce(max(place), 0) + 1 FROM waiters WHERE key = ?), ?, ?, ?, ?, ?)
       ON CONFLICT (key, ticket) DO UPDATE SET asked_at = excluded.asked_at, lease_ms = excluded.lease_ms,
         fences = excluded.fences, load = excluded.load, passed_over = excluded.passed_over`,
      ...[key, ticket, key, askedAt, leaseMs, fences, load ? 1 : 0, passedOver ? 1 : 0],
    );
  }

  deleteWaiter(id: string, ticket: Ticket): void {
    this.#sql.run("DELETE FROM waiters WHERE key = ? AND ticket = ?", this.#prefix + id, ticket);
  }

  receipt(slot: number): ReceiptRow | undefined {
    const sql = "SELECT n, reply FROM receipts WHERE client = ? AND slot = ?";
    const row = this.#sql.get(sql, this.#clientId, slot) as { n: number; reply: string } | undefined;
    return row && { n: row.n, reply: this.#recorded(row.reply) };
  }

  #recorded(text: string): Recorded {
    try {
      const reply = JSON.parse(text) as Partial<Recorded> | null;
      if (typeof reply?.status === "string") return reply as Recorded;
    } catch {
      // Told below, as what is JSON but no reply.
    }
    throw this.#sql.notAsWritten();
  }

  setReceipt({ slot, n, keepMs }: Receipt, reply: Recorded): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO receipts (client, slot, n, keep_until, reply) VALUES (?, ?, ?, ?, ?)",
      ...[this.#clientId, slot, n, this.#now() + keepMs, JSON.stringify(reply)],
    );
  }

  /** Takes away some of what time has ended and nobody looks at any more, of every client and prefix. */
  clear(askLimitMs: number): void {
    const now = this.#now();
    const limit = clearedAtOnce;
    this.#sql.run(
      "DELETE FROM states WHERE rowid IN (SELECT rowid FROM states WHERE expires_at <= ? LIMIT ?)",
      ...[now, limit],
    );
    this.#sql.run(
      "DELETE FROM locks WHERE key IN (SELECT key FROM locks WHERE since + lease_ms < ? LIMIT ?)",
      ...[now, limit],
    );
    this.#sql.run(
      `DELETE FROM waiters WHERE (key, ticket) IN
         (SELECT key, ticket FROM waiters WHERE asked_at + ? <= ? LIMIT ?)`,
      ...[askLimitMs, now, limit],
    );
    this.#sql.run(
      `DELETE FROM receipts WHERE (client, slot) IN
         (SELECT client, slot FROM receipts WHERE keep_until <= ? LIMIT ?)`,
      ...[now, limit],
    );
  }
}
