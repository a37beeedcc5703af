/**
 * The rows in maps of this process, and the removal of those that have ended.
 *
 * Bytes are copied on their way in and out, since a caller may change its own later.
 */
import type { Ticket, Wake } from "../contract.ts";
import type { RowStore } from "../rows/executor.ts";
import type {
  Change,
  HolderRow,
  Limits,
  LockRow,
  ReceiptRow,
  SemaphoreRow,
  SharesRow,
  StateRow,
  WaiterRow,
  WaitsRow,
} from "../rows/row-types.ts";
import { firstOf } from "../rows/share-rows.ts";
import { Sweep } from "./sweep.ts";

const none: readonly never[] = [];

/** What several clients can share: pass the same instance to each of them. Its tables are not for users. */
export class Memory {
  /** @hidden */
  stamp = 0;
  /** @hidden */
  readonly states = new Map<string, StateRow>();
  /** @hidden */
  readonly locks = new Map<string, LockRow | SharesRow>();
  /** Of the locks that are held in shares: by id, then by ticket. @hidden */
  readonly holders = new Map<string, Map<Ticket, HolderRow>>();
  /** @hidden */
  readonly semaphores = new Map<string, SemaphoreRow>();
  /** By id, then by ticket. A Map keeps the order of first insertion, and so each ticket keeps its place [L2]. @hidden */
  readonly queues = new Map<string, Map<Ticket, WaiterRow>>();
  /** @hidden */
  readonly listeners = new Map<string, (wake: Wake) => void>();
  /** By the id that they watch: the ids of clients [E2]. @hidden */
  readonly watchers = new Map<string, Set<string>>();
  /** By the id of each open client, then by sequence. @hidden */
  readonly receipts = new Map<string, Map<number, ReceiptRow>>();
  /** By the id of each open client. @hidden */
  readonly waits = new Map<string, WaitsRow>();
}

/** The rows of one client: its receipts are its own, everything else is shared. */
export class MemoryTables implements RowStore {
  readonly #memory: Memory;
  readonly #receipts: Map<number, ReceiptRow>;
  readonly #states: Sweep<StateRow>;
  readonly #locks: Sweep<LockRow | SharesRow>;
  readonly #semaphores: Sweep<SemaphoreRow>;
  readonly #queues: Sweep<Map<Ticket, WaiterRow>>;

  constructor(memory: Memory, clientId: string, { askLimitMs }: Limits) {
    this.#memory = memory;
    this.#receipts = new Map();
    memory.receipts.set(clientId, this.#receipts);
    this.#states = new Sweep(memory.states, (row, time) => row.expiresAt !== null && row.expiresAt <= time);
    this.#locks = new Sweep(
      memory.locks,
      ({ since, leaseMs }, time) => since + leaseMs <= time,
      (id) => memory.holders.delete(id),
    );
    this.#semaphores = new Sweep(memory.semaphores, ({ keepUntil }, time) => keepUntil <= time);
    this.#queues = new Sweep(memory.queues, (queue, time) =>
      [...queue.values()].every(({ askedAt }) => askedAt + askLimitMs <= time),
    );
  }

  stamp(): number {
    return this.#memory.stamp;
  }

  stateHead(id: string): StateRow | undefined {
    return this.#memory.states.get(id);
  }

  state(id: string): StateRow | undefined {
    const row = this.#memory.states.get(id);
    return row && withOwnBytes(row); // a serializer may return its input
  }

  lock(id: string): LockRow | SharesRow | undefined {
    return this.#memory.locks.get(id);
  }

  holders(id: string): readonly HolderRow[] {
    return [...(this.#memory.holders.get(id)?.values() ?? none)];
  }

  holder(id: string, ticket: Ticket): HolderRow | undefined {
    return this.#memory.holders.get(id)?.get(ticket);
  }

  firstHolder(id: string): HolderRow | undefined {
    return firstOf(this.#memory.holders.get(id)?.values() ?? none);
  }

  semaphore(id: string): SemaphoreRow | undefined {
    return this.#memory.semaphores.get(id);
  }

  waiters(id: string): readonly WaiterRow[] {
    const queue = this.#memory.queues.get(id);
    return queue === undefined ? none : [...queue.values()];
  }

  receipt(sequence: number): ReceiptRow | undefined {
    return this.#receipts.get(sequence);
  }

  waits(client: string): WaitsRow | undefined {
    return this.#memory.waits.get(client);
  }

  apply(changes: readonly Change[], now: number): void {
    for (const change of changes) this.#apply(change, now);
  }

  #apply(change: Change, now: number): void {
    switch (change.kind) {
      case "lock":
        return this.#setLock(change.id, change.row, now);
      case "holder":
        return this.#setHolder(change.id, change.ticket, change.row);
      case "semaphore":
        return this.#setSemaphore(change.id, change.row, now);
      case "stamp":
        this.#memory.stamp = change.last;
        return;
      case "receipt":
        this.#receipts.set(change.receipt.sequence, { n: change.receipt.n, reply: change.reply });
        return;
      case "waits":
        this.#memory.waits.set(change.client, change.row);
        return;
      case "state":
        return this.#setState(change.id, change.row, now);
      case "expiry":
        return this.#setExpiry(change.id, change.expiresAt);
      case "waiter":
        return change.row === null
          ? this.#deleteWaiter(change.id, change.ticket)
          : this.#setWaiter(change.id, change.row, now);
    }
  }

  #setLock(id: string, row: LockRow | SharesRow | null, now: number): void {
    if (row === null) {
      this.#memory.locks.delete(id);
      return;
    }
    this.#memory.locks.set(id, row);
    this.#locks.run(now); // then: it would remove the holders of an earlier row of this id
    if (row.ticket !== null || row.holders > 1) return;
    for (const { ticket, fence } of this.holders(id))
      if (fence < row.generation) this.#setHolder(id, ticket, null); // left by somebody who removed the lock's row
  }

  #setHolder(id: string, ticket: Ticket, row: HolderRow | null): void {
    const holders = this.#memory.holders.get(id) ?? new Map<Ticket, HolderRow>();
    if (row === null) holders.delete(ticket);
    else holders.set(ticket, row);
    if (holders.size === 0) this.#memory.holders.delete(id);
    else this.#memory.holders.set(id, holders);
  }

  #setSemaphore(id: string, row: SemaphoreRow | null, now: number): void {
    if (row === null) {
      this.#memory.semaphores.delete(id);
      return;
    }
    this.#semaphores.run(now);
    this.#memory.semaphores.set(id, row);
  }

  #setState(id: string, row: StateRow | null, now: number): void {
    if (row === null) {
      this.#memory.states.delete(id);
      return;
    }
    this.#states.run(now);
    this.#memory.states.set(id, withOwnBytes(row));
  }

  #setExpiry(id: string, expiresAt: number | null): void {
    const row = this.#memory.states.get(id);
    if (row !== undefined) this.#memory.states.set(id, { ...row, expiresAt });
  }

  #setWaiter(id: string, row: WaiterRow, now: number): void {
    this.#queues.run(now);
    const queue = this.#memory.queues.get(id) ?? new Map<Ticket, WaiterRow>();
    queue.set(row.ticket, row);
    this.#memory.queues.set(id, queue);
  }

  #deleteWaiter(id: string, ticket: Ticket): void {
    const queue = this.#memory.queues.get(id);
    queue?.delete(ticket);
    if (queue?.size === 0) this.#memory.queues.delete(id);
  }
}

function withOwnBytes({ revision, serializer, bytes, expiresAt }: StateRow): StateRow {
  return { revision, serializer, bytes: copy(bytes), expiresAt };
}

/** Not `bytes.slice()`, which returns a view for a Buffer. */
export function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
