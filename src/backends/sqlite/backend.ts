/**
 * States and locks in one SQLite file, shared by the processes of one machine. Local file systems only.
 *
 * Keeps the same promises as Redis, except that nothing can push: no wakes. A waiter asks every few milliseconds, and
 * usually gets its reply without a transaction. Acknowledged changes survive `kill -9` and a power cut. The clock is
 * the machine's wall clock; if it is set back, a lease lasts at most its full length from the next access. Replies and
 * changes are decided in rows/. This file turns a call into a transaction.
 */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";

import { UnavailableError } from "../../errors.ts";
import type * as contract from "../contract.ts";
import { wallNow } from "../../timers.ts";
import { Proofs, type Attempt } from "../retry-proofs.ts";
import { Executor } from "../rows/executor.ts";
import { isEffect } from "../rows/receipts.ts";
import type { Kind, ReplyTo, RowRequest } from "../rows/request-types.ts";
import type { Limits } from "../rows/row-types.ts";
import { Connection } from "./connection.ts";
import { loadDriver, type SqlDriver } from "./driver.ts";
import { LastReplies, type Session } from "./last-replies.ts";
import { countStates, listLockIds, listStates } from "./listing.ts";
import { refuseShard } from "./refuse-shard.ts";
import { askLimitMs } from "./sweep.ts";
import { SqlTables } from "./tables.ts";
import { FileWatch } from "./watching/file-watch.ts";
import { warnOfOldVersion } from "./wal-reset-bug.ts";
import { wallMicros } from "./wall-micros.ts";

export interface SqliteOptions {
  readonly path: string;
  readonly prefix: string;
  /** Whether it is one shard of a store. If not, it refuses to work where there is one. Default: false. */
  readonly isShard?: boolean | undefined;
  /** Random unless given. */
  readonly clientId?: string | undefined;
  /** Instead of Node's own. */
  readonly driver?: SqlDriver | undefined;
  /** Instead of the wall clock, in milliseconds. */
  readonly now?: (() => number) | undefined;
}

export const sqliteLimits: Limits = { askLimitMs, handOverMs: 1_000 };

export function createSqliteBackend(options: SqliteOptions): SqliteBackend {
  return new SqliteBackend(options);
}

export class SqliteBackend implements contract.Backend {
  readonly name: string;
  readonly clientId: string;
  /** Measured with 4 processes on one lock: 3 ms give 390 holds/s, 5 ms 300, 1 ms 440; an ask takes about 5 µs. */
  readonly askAgainMs = 3;
  readonly pushes = false;

  readonly #path: string;
  readonly #prefix: string;
  readonly #isShard: boolean;
  readonly #now: () => number;
  readonly #grainMs: number;
  readonly #micros: (() => number) | undefined;
  #driver: SqlDriver | undefined;
  #session: Session | undefined;
  readonly #proofs = new Proofs();
  readonly #lastReplies = new LastReplies();
  readonly #fileWatch: FileWatch;
  #listener: ((wake: contract.Wake) => void) | undefined;
  #warned = false;
  #closed = false;

  constructor(options: SqliteOptions) {
    const clock = options.now ?? wallNow;
    this.#grainMs = options.now === undefined ? 1 : 0; // the wall clock counts whole milliseconds
    this.#micros = options.now === undefined ? wallMicros : undefined;
    this.#path = resolve(options.path);
    this.#prefix = options.prefix;
    this.#fileWatch = new FileWatch({
      prefix: options.prefix,
      connection: () =>
        this.#session?.connection.isUsable() === true ? this.#session.connection : undefined,
      onWake: (wake) => this.#listener?.(wake),
    });
    this.#isShard = options.isShard ?? false;
    this.clientId = options.clientId ?? randomBytes(12).toString("hex");
    this.#driver = options.driver;
    this.#now = () => Math.floor(clock());
    this.name = `sqlite:${this.#path}`;
  }

  async ready(): Promise<void> {
    await this.#open();
  }

  async loadState(id: string, options: { readonly expiry: boolean }): Promise<contract.LoadedState> {
    return this.#read(({ executor }) => executor.run({ kind: "load", id, expiry: options.expiry }));
  }

  async describeState(id: string): Promise<contract.StateDescription | null> {
    return this.#read(({ executor }) => executor.run({ kind: "describe", id }));
  }

  async writeState(...args: Parameters<contract.Backend["writeState"]>): Promise<contract.WriteReply> {
    const [id, write, ticket, receipt] = args;
    return this.#once(receipt, (attempt, session) =>
      commit(session, { kind: "write", id, write, ticket, receipt, attempt }),
    );
  }

  async loadStates(ids: readonly string[]): Promise<readonly contract.LoadedState[]> {
    return this.#read(({ executor }) => executor.run({ kind: "loadMany", ids }));
  }

  async writeStates(
    ...args: Parameters<contract.Backend["writeStates"]>
  ): Promise<contract.WriteStatesReply> {
    const [entries, receipt] = args;
    return this.#once(receipt, (attempt, { connection, executor }) =>
      connection.write(() => executor.run({ kind: "writeMany", entries, receipt, attempt }), entries.length),
    );
  }

  async touchState(...args: Parameters<contract.Backend["touchState"]>): Promise<contract.TouchReply> {
    const [id, touch, receipt] = args;
    return this.#once(receipt, (attempt, session) =>
      commit(session, { kind: "touch", id, touch, receipt, attempt }),
    );
  }

  async listStates(
    cursor: string | null,
    request: contract.ListRequest,
  ): Promise<contract.Page<contract.StateEntry>> {
    const range = { ...request, cursor, prefix: this.#prefix };
    return this.#read(({ connection }) => listStates(connection, range, this.#now()));
  }

  async countStates(idPrefix: string): Promise<contract.StateCount> {
    const range = { idPrefix, prefix: this.#prefix };
    return this.#read(({ connection }) => countStates(connection, range, this.#now()));
  }

  async acquireLock(...args: Parameters<contract.Backend["acquireLock"]>): Promise<contract.AcquireReply> {
    const [id, ticket, request, receipt] = args;
    const ask = { id, ticket, request, receipt };
    const session = await this.#open();
    const again = this.#lastReplies.again(session, ask, this.#now());
    if (again !== undefined) return again;
    const version = session.connection.version(); // before the step, so that no later change is missed
    const askedAt = this.#now();
    const reply = await commit(session, { kind: "acquire", id, ticket, ask: request, receipt });
    this.#lastReplies.note(ask, reply, { askedAt, version });
    return reply;
  }

  async renewLocks(entries: readonly contract.RenewEntry[]): Promise<readonly ("renewed" | "lost")[]> {
    return commit(await this.#open(), { kind: "renew", entries });
  }

  async releaseLock(...args: Parameters<contract.Backend["releaseLock"]>): Promise<contract.ReleaseReply> {
    const [id, ticket, release, receipt] = args;
    return this.#once(receipt, async (attempt, session) => {
      const asked = { kind: "release", id, ticket, receipt, attempt } as const;
      try {
        return await commit(session, { ...asked, release });
      } catch (error) {
        const isFull = error instanceof UnavailableError && error.code === "OUT_OF_MEMORY";
        if (!isFull || release.write === undefined) throw error;
        // There is no room for the value, but there may be enough to pass the lock on.
        return commit(await this.#open(), { ...asked, release: {}, failed: "OUT_OF_MEMORY" });
      }
    });
  }

  async commitStates(...args: Parameters<contract.Backend["commitStates"]>): Promise<contract.CommitReply> {
    const [entries, receipt] = args;
    return this.#once(receipt, (attempt, session) =>
      commit(session, { kind: "commit", entries, receipt, attempt }),
    );
  }

  async cancelLock(
    id: string,
    ticket: contract.Ticket,
    receipt: contract.Receipt,
  ): Promise<contract.CancelReply> {
    this.#lastReplies.forget(ticket);
    return this.#once(receipt, (attempt, session) =>
      commit(session, { kind: "cancel", id, ticket, receipt, attempt }),
    );
  }

  async inspectLock(id: string): Promise<contract.LockEntry | null> {
    return this.#read(({ executor }) => executor.run({ kind: "inspect", id }));
  }

  async noteWaits(
    ...args: Parameters<contract.Backend["noteWaits"]>
  ): Promise<readonly (contract.Deadlock | null)[]> {
    const [notes, { n, keepMs }] = args;
    return commit(await this.#open(), { kind: "noteWaits", client: this.clientId, notes, n, keepMs });
  }

  async listLocks(
    cursor: string | null,
    request: contract.ListRequest,
  ): Promise<contract.Page<contract.LockEntry>> {
    const range = { ...request, cursor, prefix: this.#prefix };
    return this.#read(({ connection, executor }) => {
      const page = listLockIds(connection, range);
      const inspected = page.entries.map((id) => executor.run({ kind: "inspect", id }));
      const entries = inspected.filter((entry) => entry !== null);
      return { entries, cursor: page.cursor };
    });
  }

  async changeSemaphore(
    ...args: Parameters<contract.Backend["changeSemaphore"]>
  ): Promise<contract.SemaphoreReply | contract.Forgotten> {
    const [id, change, receipt] = args;
    return this.#once(receipt, (attempt, session) =>
      commit(session, { kind: "semaphore", id, change, receipt, attempt }),
    );
  }

  async inspectSemaphore(id: string): Promise<contract.SemaphoreEntry | null> {
    return this.#read(({ executor }) => executor.run({ kind: "inspectSemaphore", id }));
  }

  async watch(id: string): Promise<void> {
    return this.#read(({ connection }) => this.#fileWatch.watch(id, connection));
  }

  unwatch(id: string): Promise<void> {
    this.#fileWatch.unwatch(id);
    return Promise.resolve();
  }

  /** Nothing can push here, so the listener is only told of changes that are seen in the file; see `pushes`. */
  onWake(listener: (wake: contract.Wake) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#fileWatch.close();
    this.#drop();
    return Promise.resolve();
  }

  async #read<T>(step: (session: Session) => T): Promise<T> {
    const session = await this.#open();
    return session.connection.read(() => step(session));
  }

  /** An attempt counts once the file is open: before that, nothing was done. */
  async #once<R extends { readonly status: string }>(
    receipt: contract.Receipt,
    carryOut: (attempt: Attempt, session: Session) => Promise<R>,
  ): Promise<R> {
    const session = await this.#open();
    const reply = await carryOut(this.#proofs.attempt(receipt), session);
    if (isEffect(reply)) this.#proofs.recorded(receipt);
    return reply;
  }

  async #open(): Promise<Session> {
    if (this.#closed) throw new UnavailableError(`${this.name} was closed.`);
    if (this.#session?.connection.isUsable() === true) return this.#session;
    this.#driver ??= await loadDriver();
    return this.#openWith(this.#driver);
  }

  #openWith(driver: SqlDriver): Session {
    if (this.#closed) throw new UnavailableError(`${this.name} was closed.`);
    if (this.#session?.connection.isUsable() === true) return this.#session;
    this.#drop();
    const connection = new Connection({ path: this.#path, name: this.name, driver });
    if (!this.#warned) this.#warned = warnOfOldVersion(connection, this.name);
    const clock = { now: this.#now, grainMs: this.#grainMs, micros: this.#micros };
    const store = new SqlTables({ connection, prefix: this.#prefix, clientId: this.clientId });
    const executor = new Executor({ store, ...clock, limits: sqliteLimits });
    if (!this.#isShard) refuseShard(connection, store, this.name);
    this.#session = { connection, executor };
    return this.#session;
  }

  #drop(): void {
    this.#session?.connection.close();
    this.#session = undefined;
    this.#lastReplies.clear();
  }
}

function commit<K extends Kind>(
  { connection, executor }: Session,
  request: RowRequest<K>,
): Promise<ReplyTo<K>> {
  return connection.write(() => executor.run(request));
}
