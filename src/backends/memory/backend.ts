/**
 * States and locks in maps of this process: for tests and for single processes.
 *
 * Keeps the same promises as the other backends, and is the reference for them: what it answers is right by
 * definition (test/oracle.test.ts). The protocol itself is in protocol/; here is only where the rows are and how
 * wakes travel. Its clock is monotonic; it never forgets a receipt while its client is open; it survives nothing.
 */
import { randomBytes } from "node:crypto";

import { UnavailableError } from "../../errors.ts";
import { nextTurn, now } from "../../timers.ts";
import type {
  AcquireReply,
  Backend,
  CancelReply,
  ListRequest,
  LoadedState,
  LockEntry,
  Page,
  Receipt,
  ReleaseReply,
  RenewEntry,
  StateEntry,
  Ticket,
  TouchReply,
  Wake,
  WriteReply,
} from "../contract.ts";
import { Protocol, type TicketWake } from "../rows/protocol.ts";
import type { Limits } from "../rows/step.ts";
import type { LockRow, ReceiptRow, Recorded, StateRow, Tables, WaiterRow } from "../rows/tables.ts";
import { Turns } from "../rows/turns.ts";

/** As on Redis: wakes are pushed, so a waiter asks every 5 s, and two asks in a row may come late. */
const pushedLimits: Limits = { askLimitMs: 12_000, handOverMs: 10_000 };
/** What has ended is also removed by writes of other ids, which look at so many entries each: more than they add. */
const sweptPerWrite = 2;

/** What several clients can share: give the same one to each of them. */
export class Memory {
  stamp = 0;
  readonly states = new Map<string, StateRow>();
  readonly locks = new Map<string, LockRow>();
  /** By id, then by ticket. A Map keeps the order of first insertion, and so each ticket its place [L2]. */
  readonly queues = new Map<string, Map<Ticket, WaiterRow>>();
  readonly listeners = new Map<string, (wake: Wake) => void>();
}

export interface MemoryBackendOptions {
  readonly memory?: Memory | undefined;
  /** Fresh random bits unless given. */
  readonly clientId?: string | undefined;
  /** A clock in milliseconds that never goes back; tests steer it. */
  readonly now?: (() => number) | undefined;
  /** Those of another backend, to be compared with it. */
  readonly limits?: Limits | undefined;
}

export class MemoryBackend implements Backend {
  readonly name = "memory:";
  readonly clientId: string;
  readonly askAgainMs = 5_000;

  readonly #memory: Memory;
  readonly #now: () => number;
  readonly #protocol: Protocol;
  readonly #turns = new Turns();
  #closed = false;

  constructor(options: MemoryBackendOptions = {}) {
    this.#memory = options.memory ?? new Memory();
    this.clientId = options.clientId ?? randomBytes(12).toString("hex");
    this.#now = options.now ?? now;
    const limits = options.limits ?? pushedLimits;
    this.#protocol = new Protocol({
      tables: new MemoryTables(this.#memory, this.#now, limits),
      now: this.#now,
      limits,
      wake: (wake) => this.#send(wake),
    });
  }

  ready(): Promise<void> {
    return this.#run(() => undefined);
  }

  loadState(id: string, options: { readonly expiry: boolean }): Promise<LoadedState> {
    return this.#run((protocol) => protocol.load(id, options));
  }

  writeState(...args: Parameters<Backend["writeState"]>): Promise<WriteReply> {
    const [id, write, ticket, receipt] = args;
    return this.#run((protocol) => protocol.write(id, write, { ticket, receipt }));
  }

  touchState(id: string, ttlMs: number, receipt: Receipt): Promise<TouchReply> {
    return this.#run((protocol) => protocol.touch(id, ttlMs, receipt));
  }

  listStates(cursor: string | null, request: ListRequest): Promise<Page<StateEntry>> {
    return this.#run(() => {
      const time = this.#now();
      return page(this.#memory.states.keys(), { ...request, cursor }, (id) => this.#stateEntry(id, time));
    });
  }

  acquireLock(...args: Parameters<Backend["acquireLock"]>): Promise<AcquireReply> {
    const [id, ticket, request, receipt] = args;
    return this.#run((protocol) => protocol.acquire(id, ticket, { request, receipt }));
  }

  renewLocks(entries: readonly RenewEntry[]): Promise<("renewed" | "lost")[]> {
    return this.#run((protocol) =>
      entries.map(({ id, ticket, leaseMs }) => protocol.renew(id, ticket, leaseMs)),
    );
  }

  releaseLock(...args: Parameters<Backend["releaseLock"]>): Promise<ReleaseReply> {
    const [id, ticket, request, receipt] = args;
    return this.#run((protocol) => protocol.release(id, ticket, { request, receipt }));
  }

  cancelLock(id: string, ticket: Ticket, receipt: Receipt): Promise<CancelReply> {
    return this.#run((protocol) => protocol.cancel(id, ticket, receipt));
  }

  inspectLock(id: string): Promise<LockEntry | null> {
    return this.#run((protocol) => protocol.inspect(id));
  }

  listLocks(cursor: string | null, request: ListRequest): Promise<Page<LockEntry>> {
    return this.#run((protocol) =>
      page(this.#memory.locks.keys(), { ...request, cursor }, (id) => protocol.inspect(id)),
    );
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#memory.listeners.set(this.clientId, listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#memory.listeners.delete(this.clientId);
    return Promise.resolve();
  }

  /** What is called after the close is refused; what was called before it is carried out [P2]. */
  #run<T>(step: (protocol: Protocol) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new UnavailableError("This memory backend was closed."));
    return this.#turns.run(() => step(this.#protocol));
  }

  #stateEntry(id: string, time: number): StateEntry | null {
    const row = this.#memory.states.get(id);
    if (row === undefined || (row.expiresAt !== null && row.expiresAt <= time)) return null;
    const { revision, serializer, bytes, expiresAt } = row;
    const expiresInMs = expiresAt === null ? null : Math.ceil(expiresAt - time);
    return { id, revision, serializer, bytes: bytes.byteLength, expiresInMs };
  }

  /** In a later turn of the event loop: replies come first, and two clients that wake each other starve nobody. */
  #send(wake: TicketWake): void {
    const client = wake.ticket.split(":").at(-2) ?? "";
    nextTurn(() => this.#memory.listeners.get(client)?.(wake));
  }
}

/** The rows of one client: its receipts are its own, all else is shared. */
class MemoryTables implements Tables {
  readonly #memory: Memory;
  readonly #now: () => number;
  readonly #receipts = new Map<number, ReceiptRow>();
  readonly #states: Sweep<StateRow>;
  readonly #locks: Sweep<LockRow>;
  readonly #queues: Sweep<Map<Ticket, WaiterRow>>;

  constructor(memory: Memory, now: () => number, { askLimitMs }: Limits) {
    this.#memory = memory;
    this.#now = now;
    this.#states = new Sweep(memory.states, (row, time) => row.expiresAt !== null && row.expiresAt <= time);
    this.#locks = new Sweep(memory.locks, ({ since, leaseMs }, time) => since + leaseMs <= time);
    this.#queues = new Sweep(memory.queues, (queue, time) =>
      [...queue.values()].every(({ askedAt }) => askedAt + askLimitMs <= time),
    );
  }

  get stamp(): number {
    return this.#memory.stamp;
  }

  set stamp(last: number) {
    this.#memory.stamp = last;
  }

  stateHead(id: string): StateRow | undefined {
    return this.#memory.states.get(id);
  }

  state(id: string): StateRow | undefined {
    const row = this.#memory.states.get(id);
    return row && { ...row, bytes: copy(row.bytes) }; // a serializer may hand out its input
  }

  setState(id: string, row: StateRow): void {
    this.#states.run(this.#now());
    this.#memory.states.set(id, { ...row, bytes: copy(row.bytes) });
  }

  setExpiry(id: string, expiresAt: number): void {
    const row = this.#memory.states.get(id);
    if (row !== undefined) this.#memory.states.set(id, { ...row, expiresAt });
  }

  deleteState(id: string): void {
    this.#memory.states.delete(id);
  }

  lock(id: string): LockRow | undefined {
    return this.#memory.locks.get(id);
  }

  setLock(id: string, row: LockRow): void {
    this.#locks.run(this.#now());
    this.#memory.locks.set(id, row);
  }

  deleteLock(id: string): void {
    this.#memory.locks.delete(id);
  }

  waiters(id: string): readonly WaiterRow[] {
    const queue = this.#memory.queues.get(id);
    return queue === undefined ? [] : [...queue.values()];
  }

  setWaiter(id: string, row: WaiterRow): void {
    this.#queues.run(this.#now());
    const queue = this.#memory.queues.get(id) ?? new Map<Ticket, WaiterRow>();
    queue.set(row.ticket, row);
    this.#memory.queues.set(id, queue);
  }

  deleteWaiter(id: string, ticket: Ticket): void {
    const queue = this.#memory.queues.get(id);
    queue?.delete(ticket);
    if (queue?.size === 0) this.#memory.queues.delete(id);
  }

  receipt(slot: number): ReceiptRow | undefined {
    return this.#receipts.get(slot);
  }

  setReceipt(receipt: Receipt, reply: Recorded): void {
    this.#receipts.set(receipt.slot, { n: receipt.n, reply });
  }
}

/** Goes round a map, a few entries at each write, and removes those that have ended. */
class Sweep<Row> {
  readonly #rows: Map<string, Row>;
  readonly #isOver: (row: Row, time: number) => boolean;
  #rest: MapIterator<[string, Row]>;

  constructor(rows: Map<string, Row>, isOver: (row: Row, time: number) => boolean) {
    this.#rows = rows;
    this.#isOver = isOver;
    this.#rest = rows.entries();
  }

  run(time: number): void {
    for (let looked = 0; looked < sweptPerWrite; looked += 1) {
      const { done, value } = this.#rest.next();
      if (done === true) {
        this.#rest = this.#rows.entries();
        return;
      }
      if (this.#isOver(value[1], time)) this.#rows.delete(value[0]);
    }
  }
}

/** One page in the order of ids: the cursor is the last id, so what comes and goes meanwhile moves nothing else. */
function page<Entry>(
  ids: Iterable<string>,
  request: ListRequest & { readonly cursor: string | null },
  entryOf: (id: string) => Entry | null,
): Page<Entry> {
  const { cursor, idPrefix, limit } = request;
  const rest = [...ids].filter((id) => id.startsWith(idPrefix) && (cursor === null || id > cursor)).sort();
  const chosen = rest.slice(0, limit);
  const entries = chosen.map(entryOf).filter((entry) => entry !== null);
  return { entries, cursor: rest.length > limit ? (chosen.at(-1) ?? null) : null };
}

/** Not `bytes.slice()`: that of a Buffer is a view. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
