/**
 * What one decision has changed so far. Its rules read through this, and so see their own changes.
 *
 * It is used for one decision and modifies nothing else. A lock or last stamp that is set several times becomes one
 * change.
 */
import type { Receipt, Ticket } from "../contract.ts";
import type { TicketWake } from "./request-types.ts";
import { ShareRows } from "./share-rows.ts";
import type {
  Change,
  LockRow,
  Moment,
  Recorded,
  Rows,
  Rules,
  SharesRow,
  StateHead,
  StateRow,
  WaiterRow,
} from "./row-types.ts";

export class PendingChanges {
  readonly rows: Rows;
  readonly now: number;
  /** The time of day, which states live until. */
  readonly wall: number;
  readonly rules: Rules;
  readonly wakes: TicketWake[] = [];
  readonly changes: Change[] = [];
  readonly #micros: number;
  #stamp: number | undefined;
  #item: Item | undefined;
  /** Only for requests that name several ids. */
  #others: Map<string, Item> | undefined;

  constructor(rows: Rows, moment: Moment) {
    this.rows = rows;
    this.now = moment.now;
    this.wall = moment.wall ?? moment.now;
    this.rules = moment.rules;
    this.#micros = moment.micros;
  }

  item(id: string): Item {
    this.#item ??= new Item(this, id);
    if (this.#item.id === id) return this.#item;
    this.#others ??= new Map();
    const known = this.#others.get(id);
    if (known !== undefined) return known;
    const item = new Item(this, id);
    this.#others.set(id, item);
    return item;
  }

  /**
   * Reserves rising numbers and returns the first: the clock in µs, unless that would not rise, or not be greater than
   * `above` [S2] [L3].
   */
  reserveStamps(count: number, above = 0): number {
    const first = Math.max(this.#micros, (this.#stamp ?? this.rows.stamp()) + 1, above + 1);
    this.#stamp = first + count - 1;
    return first;
  }

  /** Of a lease: in whole milliseconds, and never more than its length, even if the clock was changed. */
  remainingMs({ since, leaseMs }: { readonly since: number; readonly leaseMs: number }): number {
    return Math.ceil(Math.min(leaseMs, since + leaseMs + this.rules.grainMs - this.now));
  }

  /** Since a stamp was given, which is the time then, or a little more. */
  passedMs(stamp: number): number {
    return Math.max(0, Math.floor((this.#micros - stamp) / 1_000));
  }

  record(receipt: Receipt, reply: Recorded): void {
    this.changes.push({ kind: "receipt", receipt, reply });
  }

  /** All changes, in the order in which to apply them. Called once, at the end. */
  finish(): readonly Change[] {
    this.#item?.finish();
    if (this.#others !== undefined) for (const item of this.#others.values()) item.finish();
    if (this.#stamp !== undefined) this.changes.push({ kind: "stamp", last: this.#stamp });
    return this.changes;
  }
}

/** The state, the lock and the queue of one id. */
export class Item {
  readonly id: string;
  readonly pending: PendingChanges;
  /** `undefined`: not read. */
  #lock: LockRow | SharesRow | null | undefined;
  #lockChanged = false;
  /** `undefined`: not read. */
  #waiters: readonly WaiterRow[] | undefined;
  /** Tickets removed before the queue was read. */
  #removed: Ticket | undefined;
  /** What this decision has written. */
  #written: StateRow | null | undefined;
  /** The expiry that this decision has given a state that stays as it is. */
  #expiresAt: number | null | undefined;
  #shares: ShareRows | undefined;
  /** What is stored; `undefined`: not read. */
  #head: StateHead | null | undefined;

  constructor(pending: PendingChanges, id: string) {
    this.pending = pending;
    this.id = id;
  }

  /** As stored; it may have expired. */
  lock(): LockRow | SharesRow | null {
    if (this.#lock === undefined) this.#lock = this.pending.rows.lock(this.id) ?? null;
    return this.#lock;
  }

  setLock(row: LockRow | SharesRow | null): void {
    this.#lock = row;
    this.#lockChanged = true;
  }

  /** What only exists where a lock is held in shares. */
  get shares(): ShareRows {
    return (this.#shares ??= new ShareRows(this.pending.rows, this.id));
  }

  /** In the order of their first asks [L2], with those that are gone. */
  waiters(): readonly WaiterRow[] {
    this.#waiters ??= without(this.pending.rows.waiters(this.id), this.#removed);
    return this.#waiters;
  }

  setWaiter(row: WaiterRow): void {
    const waiters = this.waiters();
    const place = waiters.findIndex(({ ticket }) => ticket === row.ticket);
    this.#waiters = place === -1 ? [...waiters, row] : waiters.with(place, row);
    this.#changeWaiter(row.ticket, row);
  }

  /** Replaces each waiter with the result of `change`; `null` removes it. */
  changeWaiters(change: (waiter: WaiterRow) => WaiterRow | null): readonly WaiterRow[] {
    const waiters = this.waiters();
    if (waiters.length === 0) return waiters;
    const kept: WaiterRow[] = [];
    for (const waiter of waiters) {
      const row = change(waiter);
      if (row !== null) kept.push(row);
      if (row !== waiter) this.#changeWaiter(waiter.ticket, row);
    }
    this.#waiters = kept;
    return kept;
  }

  /** Does nothing if it is not there. */
  removeWaiter(ticket: Ticket): void {
    if (this.#waiters === undefined && this.#removed === undefined) this.#removed = ticket;
    else this.#waiters = without(this.waiters(), ticket);
    this.#changeWaiter(ticket, null);
  }

  stateHead(): StateHead | undefined {
    if (this.#written !== undefined) return this.#written ?? undefined;
    if (this.#head === undefined) this.#head = this.pending.rows.stateHead(this.id) ?? null;
    return this.#head ?? undefined;
  }

  state(): StateRow | undefined {
    if (this.#written !== undefined) return this.#written ?? undefined;
    const row = this.pending.rows.state(this.id);
    return row && this.#expiresAt !== undefined ? { ...row, expiresAt: this.#expiresAt } : row;
  }

  setState(row: StateRow | null): void {
    this.#written = row;
    this.pending.changes.push({ kind: "state", id: this.id, row });
  }

  setExpiry(expiresAt: number | null): void {
    this.#expiresAt = expiresAt;
    this.pending.changes.push({ kind: "expiry", id: this.id, expiresAt });
  }

  finish(): void {
    if (this.#shares !== undefined) this.pending.changes.push(...this.#shares.changes());
    if (!this.#lockChanged) return;
    this.pending.changes.push({ kind: "lock", id: this.id, row: this.#lock ?? null });
  }

  #changeWaiter(ticket: Ticket, row: WaiterRow | null): void {
    this.pending.changes.push({ kind: "waiter", id: this.id, ticket, row });
  }
}

function without(waiters: readonly WaiterRow[], removed: Ticket | undefined): readonly WaiterRow[] {
  if (removed === undefined || waiters.length === 0) return waiters;
  return waiters.filter(({ ticket }) => ticket !== removed);
}
