/** The rows that say what the functions under each client's locks wait for [L15]. They are few and short. */
import type { QueuedAsk, Ticket } from "../contract.ts";
import type { WaitsRow } from "../rows/row-types.ts";
import type { Connection } from "./connection.ts";
import type { Sweep } from "./sweep.ts";

export class WaitsTable {
  readonly #sql: Connection;
  readonly #prefix: string;
  readonly #sweep: Sweep;

  constructor(sql: Connection, prefix: string, sweep: Sweep) {
    this.#sql = sql;
    this.#prefix = prefix;
    this.#sweep = sweep;
  }

  read(client: string): WaitsRow | undefined {
    const sql = 'SELECT n, keep_until AS "keepUntil", asks FROM waits WHERE prefix = ? AND client = ?';
    const row = this.#sql.get(sql, this.#prefix, client) as Stored | undefined;
    return row && { n: row.n, keepUntil: row.keepUntil, asks: this.#asks(row.asks) };
  }

  write(client: string, { n, keepUntil, asks }: WaitsRow): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO waits (prefix, client, n, keep_until, asks) VALUES (?, ?, ?, ?, ?)",
      ...[this.#prefix, client, n, keepUntil, JSON.stringify([...asks])],
    );
    this.#sweep.wrote("waits", this.#prefix, client);
  }

  #asks(text: string): WaitsRow["asks"] {
    try {
      return new Map(JSON.parse(text) as [Ticket, QueuedAsk[]][]);
    } catch {
      throw this.#sql.notAsWritten();
    }
  }
}

interface Stored {
  readonly n: number;
  readonly keepUntil: number;
  readonly asks: string;
}
