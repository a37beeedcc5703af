/**
 * The tables of the Python library statefulpy in a SQLite file, and our locks in a table of our own beside them.
 *
 * States are exchanged with Python. Locks are not: Python locks a file beside the database, which Node cannot do. Here, a
 * lock is a row with a lease, so it excludes other Node processes only. Each call is one statement, or a transaction.
 */
import type { PlainAnswer, PlainAsk, PlainEntry, PlainPage, PlainStore } from "../../contract-plain.ts";
import type { RenewEntry } from "../../contract-types.ts";
import { CorruptStateError, quoted, UnavailableError, type Outcome } from "../../../errors.ts";
import { wallNow } from "../../../timers.ts";
import { loadDriver, type SqlDriver } from "../driver.ts";
import { isFatal, toHoldfastError } from "../errors.ts";
import { replaced } from "../file-guard.ts";
import { PlainFile } from "./plain-file.ts";

const pageSize = 500;

export interface PlainSqliteOptions {
  /** An absolute path. */
  readonly path: string;
  /** For what only reads. */
  readonly isReadOnly?: boolean | undefined;
  /** Instead of the wall clock, in milliseconds. */
  readonly wallMs?: (() => number) | undefined;
}

/** Loads SQLite; opens the file with the first call. */
export async function openPlainSqlite(options: PlainSqliteOptions): Promise<PlainStore> {
  return new PlainSqlite(options, await loadDriver());
}

interface LockRow {
  readonly token: string;
  readonly since: number;
  readonly lease_ms: number;
}

const sql = {
  load: "SELECT state FROM stateful_state WHERE fn_id = ?",
  save:
    "INSERT INTO stateful_state (fn_id, state) VALUES (?, ?) " +
    "ON CONFLICT (fn_id) DO UPDATE SET state = excluded.state, updated_at = CURRENT_TIMESTAMP",
  remove: "DELETE FROM stateful_state WHERE fn_id = ?",
  list:
    "SELECT fn_id, updated_at FROM stateful_state WHERE fn_id > ? AND typeof(fn_id) = 'text' " +
    "AND substr(CAST(fn_id AS BLOB), 1, ?) = CAST(? AS BLOB) ORDER BY fn_id LIMIT ?",
  skipped:
    "SELECT substr(quote(fn_id), 1, 80) AS name FROM stateful_state WHERE typeof(fn_id) IS NOT 'text' OR fn_id = ''",
  holder: "SELECT token, since, lease_ms FROM holdfast_locks WHERE fn_id = ?",
  lock: "INSERT OR REPLACE INTO holdfast_locks (fn_id, token, since, lease_ms) VALUES (?, ?, ?, ?)",
  unlock: "DELETE FROM holdfast_locks WHERE fn_id = ?",
} as const;

class PlainSqlite implements PlainStore {
  readonly name: string;
  readonly #path: string;
  readonly #driver: SqlDriver;
  readonly #wallMs: () => number;
  readonly #isReadOnly: boolean | undefined;
  #open: PlainFile | undefined;
  #isClosed = false;
  /** The file was replaced or deleted: this store cannot use another one. */
  #isGone = false;

  constructor({ path, isReadOnly, wallMs = wallNow }: PlainSqliteOptions, driver: SqlDriver) {
    this.#isReadOnly = isReadOnly;
    this.name = `sqlite:${path}`;
    this.#path = path;
    this.#driver = driver;
    this.#wallMs = wallMs;
  }

  connect(): undefined {
    return undefined;
  }

  load(id: string): Promise<Uint8Array | null> {
    return this.#do((file) => {
      const row = file.get(sql.load, id) as { readonly state: unknown } | undefined;
      return row === undefined ? null : bytesOf(row.state, id, this.name);
    });
  }

  save(id: string, bytes: Uint8Array, token: string | undefined): Promise<"saved" | "lost"> {
    return this.#do((file) =>
      file.transact(() => {
        if (token !== undefined && this.#liveLock(file, id)?.token !== token) return "lost";
        file.run(sql.save, id, bytes);
        return "saved";
      }),
    );
  }

  remove(id: string): Promise<void> {
    return this.#do((file) => {
      file.run(sql.remove, id);
    });
  }

  /** Most asks of a waiter only read. */
  acquire(id: string, ask: PlainAsk): Promise<PlainAnswer> {
    return this.#do((file) => {
      const seen = file.get(sql.holder, id) as LockRow | undefined;
      if (
        seen !== undefined &&
        seen.token !== ask.token &&
        this.#leftMs(seen) > 0 &&
        !this.#isFromFuture(seen)
      )
        return busy(seen, this.#leftMs(seen));
      return file.transact(() => {
        const held = this.#liveLock(file, id);
        if (held !== undefined && held.token !== ask.token) return busy(held, this.#leftMs(held));
        file.run(sql.lock, id, ask.token, this.#wallMs(), ask.leaseMs);
        return { status: "granted" };
      });
    });
  }

  renewLocks(entries: readonly RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    return this.#do((file) =>
      file.transact(() =>
        entries.map(({ id, ticket, leaseMs }) => {
          if (this.#liveLock(file, id)?.token !== ticket) return "lost";
          file.run(sql.lock, id, ticket, this.#wallMs(), leaseMs);
          return "renewed";
        }),
      ),
    );
  }

  release(id: string, token: string): Promise<boolean> {
    return this.#do((file) =>
      file.transact(() => {
        if (this.#liveLock(file, id)?.token !== token) return false;
        file.run(sql.unlock, id);
        return true;
      }),
    );
  }

  holder(id: string): Promise<string | null> {
    return this.#do((file) => {
      const row = file.get(sql.holder, id) as LockRow | undefined;
      return row === undefined || this.#leftMs(row) <= 0 ? null : row.token;
    });
  }

  list(cursor: string | null, idPrefix: string): Promise<PlainPage> {
    return this.#do((file) => {
      const rows = file.all(sql.list, cursor ?? "", Buffer.byteLength(idPrefix), idPrefix, pageSize);
      const entries = (rows as { fn_id: string; updated_at: unknown }[]).map(
        ({ fn_id: id, updated_at: at }): PlainEntry => ({ id, updatedAt: dateOf(at) }),
      );
      const skipped = cursor === null && idPrefix === "" ? skippedRows(file) : [];
      return { entries, skipped, cursor: entries.length < pageSize ? null : (entries.at(-1)?.id ?? null) };
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#open?.close();
    this.#open = undefined;
    return Promise.resolve();
  }

  /** Runs at once; a failure is that of the promise. */
  async #do<T>(step: (file: PlainFile) => T): Promise<T> {
    const { name } = this;
    try {
      const file = (this.#open ??= this.#openFile());
      file.isCommitting = false;
      this.#requireInPlace(file, "none");
      const result = step(file);
      this.#requireInPlace(file, "unknown");
      return await Promise.resolve(result);
    } catch (error) {
      const committing = this.#open?.isCommitting === true;
      if (isFatal(error)) this.#leave();
      throw toHoldfastError(error, { name, committing });
    }
  }

  #openFile(): PlainFile {
    if (this.#isGone) throw replaced(this.name, "none");
    if (this.#isClosed) throw new UnavailableError(`${this.name} was closed.`);
    const [path, isReadOnly] = [this.#path, this.#isReadOnly];
    return new PlainFile({ path, isReadOnly, name: this.name, driver: this.#driver });
  }

  /** Otherwise what is written is lost, and locks exclude no process that opened the new file. */
  #requireInPlace(file: PlainFile, outcome: Outcome): void {
    if (file.isInPlace()) return;
    this.#isGone = true;
    this.#leave();
    throw replaced(this.name, outcome);
  }

  /** After a fatal error, the next call opens the file again. */
  #leave(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  /** The row of a lock whose lease has not ended. One from the future starts now: the clock was set back. */
  #liveLock(file: PlainFile, id: string): LockRow | undefined {
    const row = file.get(sql.holder, id) as LockRow | undefined;
    if (row === undefined || this.#leftMs(row) <= 0) return undefined;
    if (this.#isFromFuture(row)) file.run(sql.lock, id, row.token, this.#wallMs(), row.lease_ms);
    return row;
  }

  #isFromFuture({ since }: LockRow): boolean {
    return since > this.#wallMs();
  }

  /** At most the whole lease, even if the clock was set back. */
  #leftMs({ since, lease_ms: leaseMs }: LockRow): number {
    return Math.min(since + leaseMs - this.#wallMs(), leaseMs);
  }
}

function skippedRows(file: PlainFile): readonly string[] {
  return (file.all(sql.skipped) as { name: string }[]).map(({ name }) => `the row with the fn_id ${name}`);
}

function busy({ token }: LockRow, leftMs: number): PlainAnswer {
  return { status: "busy", holder: token, leftMs };
}

/** Python writes BLOBs. Text is what a person may have written with an editor. */
function bytesOf(state: unknown, id: string, name: string): Uint8Array {
  if (state instanceof Uint8Array) return state;
  if (typeof state === "string") return new TextEncoder().encode(state);
  throw new CorruptStateError(
    `${name}: the column "state" of ${quoted(id)} is neither bytes nor text. It was left as it is.`,
  );
}

/** CURRENT_TIMESTAMP is in UTC, without saying so. */
function dateOf(text: unknown): Date | undefined {
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(text)) return undefined;
  const date = new Date(`${text.replace(" ", "T")}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
