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
  HolderRow,
  LockRow,
  ReceiptRow,
  Recorded,
  SemaphoreRow,
  SharesRow,
  StateHead,
  StateRow,
  WaiterRow,
  WaitsRow,
} from "../rows/row-types.ts";
import type { Connection } from "./connection.ts";
import { Sweep } from "./sweep.ts";
import { WaitsTable } from "./waits-table.ts";

export interface SqlTablesOptions {
  readonly connection: Connection;
  readonly prefix: string;
  readonly clientId: string;
}

/** In place of the ticket of a lock that is held in shares. Its fence is the generation. */
const inShares = "";
const holderColumns = `ticket, fence, fences, since, lease_ms AS "leaseMs", unconfirmed, weight`;

export class SqlTables implements RowStore {
  readonly #sql: Connection;
  readonly #prefix: string;
  /** Shards of one file have one client id; what they are answered is each one's own. A client id has a fixed length. */
  readonly #receiptsOf: string;
  readonly #sweep: Sweep;
  readonly #waits: WaitsTable;

  constructor(options: SqlTablesOptions) {
    this.#sql = options.connection;
    this.#prefix = options.prefix;
    this.#receiptsOf = options.prefix + options.clientId;
    this.#sweep = new Sweep(options.connection);
    this.#waits = new WaitsTable(options.connection, options.prefix, this.#sweep);
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

  lock(id: string): LockRow | SharesRow | undefined {
    const row = this.#sql.get(
      'SELECT ticket, fence, fences, since, lease_ms AS "leaseMs", unconfirmed FROM locks WHERE prefix = ? AND id = ?',
      ...[this.#prefix, id],
    ) as Flagged<LockRow> | undefined;
    return row?.ticket === inShares ? this.#shares(id) : row && withFlag(row);
  }

  holders(id: string): HolderRow[] {
    const sql = `SELECT ${holderColumns} FROM holders WHERE prefix = ? AND id = ?`;
    return (this.#sql.all(sql, this.#prefix, id) as Flagged<HolderRow>[]).map(withFlag);
  }

  holder(id: string, ticket: Ticket): HolderRow | undefined {
    const sql = `SELECT ${holderColumns} FROM holders WHERE prefix = ? AND id = ? AND ticket = ?`;
    const row = this.#sql.get(sql, this.#prefix, id, ticket) as Flagged<HolderRow> | undefined;
    return row && withFlag(row);
  }

  firstHolder(id: string): HolderRow | undefined {
    const sql = `SELECT ${holderColumns} FROM holders WHERE prefix = ? AND id = ? ORDER BY ends_at, fence LIMIT 1`;
    const row = this.#sql.get(sql, this.#prefix, id) as Flagged<HolderRow> | undefined;
    return row && withFlag(row);
  }

  semaphore(id: string): SemaphoreRow | undefined {
    const sql =
      'SELECT most AS "limit", created, keep_until AS "keepUntil" FROM semaphores WHERE prefix = ? AND id = ?';
    return this.#sql.get(sql, this.#prefix, id) as SemaphoreRow | undefined;
  }

  waiters(id: string): WaiterRow[] {
    const rows = this.#sql.all(
      `SELECT ticket, asked_at AS "askedAt", lease_ms AS "leaseMs", fences, load, passed_over AS "passedOver", weight
       FROM waiters WHERE prefix = ? AND id = ? ORDER BY place`,
      ...[this.#prefix, id],
    ) as (Omit<WaiterRow, "load" | "passedOver" | "weight"> & WaiterColumns)[];
    return rows.map((row) => ({
      ...row,
      load: row.load === 1,
      passedOver: row.passedOver === 1,
      weight: row.weight ?? undefined,
    }));
  }

  receipt(sequence: number): ReceiptRow | undefined {
    const sql = "SELECT n, reply FROM receipts WHERE client = ? AND slot = ?";
    const row = this.#sql.get(sql, this.#receiptsOf, sequence) as { n: number; reply: string } | undefined;
    return row && { n: row.n, reply: this.#recorded(row.reply) };
  }

  waits(client: string): WaitsRow | undefined {
    return this.#waits.read(client);
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
        return this.#changeLock(change.id, change.row);
      case "holder":
        return change.row === null
          ? this.#deleteHolder(change.id, change.ticket)
          : this.#setHolder(change.id, change.row);
      case "semaphore":
        return change.row === null
          ? this.#deleteSemaphore(change.id)
          : this.#setSemaphore(change.id, change.row);
      case "waiter":
        return change.row === null
          ? this.#deleteWaiter(change.id, change.ticket)
          : this.#setWaiter(change.id, change.row);
      case "receipt":
        return this.#setReceipt(change.receipt, change.reply, now);
      case "waits":
        return this.#waits.write(change.client, change.row);
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

  #setExpiry(id: string, expiresAt: number | null): void {
    const sql = "UPDATE states SET expires_at = ? WHERE prefix = ? AND id = ?";
    this.#sql.run(sql, expiresAt, this.#prefix, id);
  }

  #deleteState(id: string): void {
    this.#sql.run("DELETE FROM states WHERE prefix = ? AND id = ?", this.#prefix, id);
  }

  #changeLock(id: string, row: LockRow | SharesRow | null): void {
    if (row === null) this.#deleteLock(id);
    else if (row.ticket === null) this.#setShares(id, row);
    else this.#setLock(id, row);
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

  #setShares(id: string, { generation, holders, used, since, leaseMs, firstEndsAt }: SharesRow): void {
    this.#sql.run(
      `INSERT OR REPLACE INTO locks
         (prefix, id, ticket, fence, fences, since, lease_ms, unconfirmed, holders, used, first_ends_at)
       VALUES (?, ?, ?, ?, 0, ?, ?, 0, ?, ?, ?)`,
      ...[this.#prefix, id, inShares, generation, since, leaseMs, holders, used, firstEndsAt],
    );
    if (holders === 1) {
      // Those that are left by somebody who removed the lock's row.
      const sql = "DELETE FROM holders WHERE prefix = ? AND id = ? AND fence < ?";
      this.#sql.run(sql, this.#prefix, id, generation);
    }
    this.#sweep.wrote("locks", this.#prefix, id);
  }

  #shares(id: string): SharesRow {
    const sql = `SELECT fence AS generation, since, lease_ms AS "leaseMs", holders, used, first_ends_at AS "firstEndsAt"
       FROM locks WHERE prefix = ? AND id = ?`;
    return { ticket: null, ...(this.#sql.get(sql, this.#prefix, id) as Omit<SharesRow, "ticket">) };
  }

  #setHolder(id: string, { ticket, fence, fences, since, leaseMs, unconfirmed, weight }: HolderRow): void {
    this.#sql.run(
      `INSERT OR REPLACE INTO holders
         (prefix, id, ticket, fence, fences, since, lease_ms, ends_at, unconfirmed, weight)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[this.#prefix, id, ticket, fence, fences, since, leaseMs, since + leaseMs],
      ...[unconfirmed ? 1 : 0, weight],
    );
  }

  #deleteHolder(id: string, ticket: Ticket): void {
    const sql = "DELETE FROM holders WHERE prefix = ? AND id = ? AND ticket = ?";
    this.#sql.run(sql, this.#prefix, id, ticket);
  }

  #setSemaphore(id: string, { limit, created, keepUntil }: SemaphoreRow): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO semaphores (prefix, id, most, created, keep_until) VALUES (?, ?, ?, ?, ?)",
      ...[this.#prefix, id, limit, created, keepUntil],
    );
    this.#sweep.wrote("semaphores", this.#prefix, id);
  }

  #deleteSemaphore(id: string): void {
    this.#sql.run("DELETE FROM semaphores WHERE prefix = ? AND id = ?", this.#prefix, id);
  }

  #setWaiter(id: string, { ticket, askedAt, leaseMs, fences, load, passedOver, weight }: WaiterRow): void {
    const key = [this.#prefix, id] as const;
    this.#sql.run(
      `INSERT INTO waiters (prefix, id, ticket, place, asked_at, lease_ms, fences, load, passed_over, weight)
       VALUES (?, ?, ?, (SELECT coalesce(max(place), 0) + 1 FROM waiters WHERE prefix = ? AND id = ?), ?, ?, ?, ?, ?, ?)
       ON CONFLICT (prefix, id, ticket) DO UPDATE SET asked_at = excluded.asked_at, lease_ms = excluded.lease_ms,
         fences = excluded.fences, load = excluded.load, passed_over = excluded.passed_over, weight = excluded.weight`,
      ...[...key, ticket, ...key, askedAt, leaseMs, fences, load ? 1 : 0, passedOver ? 1 : 0, weight ?? null],
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
      ...[this.#receiptsOf, sequence, n, now + keepMs, JSON.stringify(reply)],
    );
    this.#sweep.wrote("receipts", this.#receiptsOf, sequence);
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

/** A row with its flag as SQLite stores it. */
type Flagged<Row extends LockRow> = Omit<Row, "unconfirmed"> & { readonly unconfirmed: number };

interface WaiterColumns {
  readonly load: number;
  readonly passedOver: number;
  readonly weight: number | null;
}

function withFlag<Row extends LockRow>(row: Flagged<Row>): Row {
  return { ...row, unconfirmed: row.unconfirmed === 1 } as Row;
}
