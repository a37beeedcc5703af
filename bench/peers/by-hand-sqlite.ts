/**
 * What people write on node:sqlite without a library: a row per lock, and `BEGIN IMMEDIATE` around reading and writing a
 * value. WAL and `synchronous=FULL`, as Holdfast has it. Calls block the event loop, up to the busy timeout; nothing is
 * renewed, fenced or queued. A lock that others hold is asked for again each 5 ms, as often as Holdfast asks.
 */
import type * as Sqlite from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { load, makeValue, waitMs, type OpenPeer, type Peer, type Value } from "./peer.ts";

interface Held {
  readonly id: string;
  readonly token: string;
}

export const openSqliteByHand: OpenPeer = async (url) => {
  const { DatabaseSync } = await load<typeof Sqlite>("node:sqlite");
  const database = new DatabaseSync(url.replace(/^sqlite:/, ""));
  database.exec(`PRAGMA busy_timeout = ${waitMs}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS locks (id TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS states (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`);
  return new SqliteByHand(database);
};

class SqliteByHand implements Peer<Held> {
  readonly #database: Sqlite.DatabaseSync;
  readonly #statements;
  #tokens = 0;

  constructor(database: Sqlite.DatabaseSync) {
    this.#database = database;
    this.#statements = {
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      take: database.prepare("INSERT OR IGNORE INTO locks VALUES (?, ?)"),
      drop: database.prepare("DELETE FROM locks WHERE id = ? AND token = ?"),
      read: database.prepare("SELECT value FROM states WHERE id = ?"),
      write: database.prepare("INSERT OR REPLACE INTO states VALUES (?, ?)"),
    };
  }

  async acquire(id: string): Promise<Held> {
    const held = { id, token: `${process.pid}-${this.#tokens++}` };
    const until = performance.now() + waitMs;
    while (this.#statements.take.run(id, held.token).changes === 0) {
      if (performance.now() > until) throw new Error(`the lock was held by others for ${waitMs} ms`);
      await sleep(5);
    }
    return held;
  }

  async release({ id, token }: Held): Promise<void> {
    const { changes } = this.#statements.drop.run(id, token);
    if (changes === 0) throw new Error("the lock was lost before its release");
    return Promise.resolve();
  }

  async withLock<R>(id: string, body: () => Promise<R>): Promise<R> {
    const held = await this.acquire(id);
    try {
      return await body();
    } finally {
      await this.release(held);
    }
  }

  update(id: string, bytes: number, change: (value: Value) => void): Promise<void> {
    this.#statements.begin.run();
    try {
      const value = this.#read(id) ?? makeValue(bytes);
      change(value);
      this.#statements.write.run(id, JSON.stringify(value));
      this.#statements.commit.run();
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
    return Promise.resolve();
  }

  load(id: string): Promise<Value | null> {
    return Promise.resolve(this.#read(id));
  }

  save(id: string, value: Value): Promise<unknown> {
    return Promise.resolve(this.#statements.write.run(id, JSON.stringify(value)));
  }

  close(): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }

  #read(id: string): Value | null {
    const row = this.#statements.read.get(id);
    return row === undefined ? null : (JSON.parse(String(row["value"])) as Value);
  }
}
