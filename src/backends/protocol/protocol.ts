/**
 * The lock and state protocol, written once for the backends that keep their rows themselves: memory and SQLite.
 *
 * Every method is one step: it runs to its end without waiting, over rows that nobody else changes meanwhile (in
 * SQLite, inside one transaction). It knows no clients, no files and no promises; {@link Tables} is where the rows are.
 * Redis speaks the same protocol in Lua; test/oracle.test.ts compares the three.
 *
 * What time has ended is cleared by whoever looks next: nothing here needs a timer [L10].
 */
import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  Conflict,
  Forgotten,
  Granted,
  LoadedState,
  LockEntry,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  StateWrite,
  Ticket,
  Unreadable,
  Waiting,
  Wake,
  WriteReply,
} from "../backend.ts";
import type { LockRow, Recorded, StateHead, Tables, WaiterRow } from "./tables.ts";

/** What depends on how quickly waiters learn of things. */
export interface Limits {
  /** A waiter that has not asked for so long has given up, or died [L2]. */
  readonly askLimitMs: number;
  /** How long a waiter has to answer a hand-over [L9]. */
  readonly handOverMs: number;
}

export interface ProtocolOptions {
  readonly tables: Tables;
  /** The backend's clock, in milliseconds. */
  readonly now: () => number;
  readonly limits: Limits;
  /** Left out where nothing can push. */
  readonly wake?: ((wake: TicketWake) => void) | undefined;
}

export type TicketWake = Exclude<Wake, { kind: "again" }>;

export interface ReleaseStep {
  readonly request: ReleaseRequest;
  readonly receipt: Receipt;
  readonly failed?: "OUT_OF_MEMORY" | undefined;
}

type Written = Extract<WriteReply, { status: "saved" | "deleted" }> | Conflict | Unreadable;

const recordedStatuses: ReadonlySet<string> = new Set(["saved", "deleted", "released", "kept", "cancelled"]);
const forgotten: Forgotten = { status: "forgotten" };

export class Protocol {
  readonly #tables: Tables;
  readonly #clock: () => number;
  readonly #limits: Limits;
  readonly #wake: ((wake: TicketWake) => void) | undefined;
  /** The time of this step: read once, so that a step cannot disagree with itself. */
  #now = 0;

  constructor(options: ProtocolOptions) {
    this.#tables = options.tables;
    this.#clock = options.now;
    this.#limits = options.limits;
    this.#wake = options.wake;
  }

  load(id: string, options: { readonly expiry: boolean }): LoadedState {
    this.#now = this.#clock();
    return this.#load(id, options.expiry);
  }

  write(id: string, write: StateWrite, by: { ticket: Ticket | null; receipt: Receipt }): WriteReply {
    return this.#once(by.receipt, (): WriteReply => {
      const lock = this.#holder(id);
      if (by.ticket === null) {
        // [S8] a write without a ticket goes before nobody: not before the holder, not before who waits.
        if (lock !== undefined || this.#next(id) !== undefined) return { status: "held" };
      } else if (lock?.ticket !== by.ticket) {
        return { status: "lost" }; // [S4]
      }
      const written = this.#write(id, write);
      if (lock !== undefined && isRecorded(written)) this.#confirm(id, lock);
      return written;
    });
  }

  touch(id: string, ttlMs: number): { status: "touched" | "absent" } {
    this.#now = this.#clock();
    if (this.#head(id) === undefined) return { status: "absent" };
    this.#tables.setExpiry(id, this.#now + ttlMs);
    return { status: "touched" };
  }

  acquire(id: string, ticket: Ticket, ask: { request: AcquireRequest; receipt: Receipt }): AcquireReply {
    this.#now = this.#clock();
    const { request, receipt } = ask;
    const last = this.#tables.receipt(receipt.slot);
    if (last !== undefined && last.n >= receipt.n) return { status: "settled" };

    let holder = this.#holder(id);
    if (holder?.ticket === ticket) {
      return this.#granted(id, this.#renew(id, holder, request.leaseMs), request.load);
    }
    const queue = this.#queue(id);
    const place = queue.findIndex((waiter) => waiter.ticket === ticket);
    const joins = request.queue || place !== -1;
    if (holder === undefined) {
      // Free with a queue: the holder died. The first that lives is next, and the asker surely lives [L2] [L10].
      const next = queue.find((waiter) => !waiter.passedOver || waiter.ticket === ticket);
      if (next === undefined || next.ticket === ticket) {
        if (next !== undefined) this.#tables.deleteWaiter(id, ticket);
        return this.#granted(id, this.#grant(id, { ...request, ticket, unconfirmed: false }), request.load);
      }
      if (joins) this.#join(id, ticket, request); // first, since the wake says how many wait
      holder = this.#handTo(id, next);
    } else if (joins) {
      this.#join(id, ticket, request);
      if (queue[place]?.passedOver !== false) this.#wake?.({ kind: "wanted", id, ticket: holder.ticket });
    }
    if (!joins) return { status: "held", ...this.#told(holder, queue) };
    return { status: "waiting", ...this.#told(holder, place === -1 ? queue : queue.slice(0, place)) };
  }

  /** Reads only: what a waiting ticket would be told again; `undefined` when its ask must be a step of its own. */
  peek(id: string, ticket: Ticket): Waiting | undefined {
    this.#now = this.#clock();
    const lock = this.#tables.lock(id);
    if (lock === undefined || lock.ticket === ticket || this.#remaining(lock) <= 0) return undefined;
    const queue = this.#present(id);
    const place = queue.findIndex((waiter) => waiter.ticket === ticket);
    if (place === -1 || queue[place]?.passedOver !== false) return undefined;
    return { status: "waiting", ...this.#told(lock, queue.slice(0, place)) };
  }

  renew(id: string, ticket: Ticket, leaseMs: number): "renewed" | "lost" {
    this.#now = this.#clock();
    const lock = this.#holder(id);
    if (lock?.ticket !== ticket) return "lost";
    this.#renew(id, lock, leaseMs);
    return "renewed";
  }

  /** `failed`: write and keep were left out of the request since there was no room; the answer says so. */
  release(id: string, ticket: Ticket, by: ReleaseStep): ReleaseReply {
    return this.#once(by.receipt, (): ReleaseReply => {
      const { write, keep, forced } = by.request;
      const failed = by.failed === undefined ? {} : { failed: by.failed };
      const lock = this.#holder(id);
      if (lock?.ticket !== ticket || !isFenceOf(lock, forced?.ifFence)) return { status: "lost" }; // [S4] [L6]
      const written = write === undefined ? null : this.#write(id, write);
      if (written?.status === "conflict" || written?.status === "unreadable") return written;
      this.#confirm(id, lock);
      const revision = written?.status === "saved" ? written.revision : null;

      const next = this.#next(id);
      if (keep !== undefined && next === undefined) {
        const kept = this.#grant(id, { ...keep, ticket, unconfirmed: false });
        return { status: "kept", revision, fence: kept.fence, fences: kept.fences };
      }
      if (forced !== undefined) this.#wake?.({ kind: "forced", id, ticket });
      this.#passOn(id, next);
      return { status: "released", revision, ...failed };
    });
  }

  cancel(id: string, ticket: Ticket, receipt: Receipt): CancelReply {
    return this.#once(receipt, (): CancelReply => {
      const held = this.#holder(id)?.ticket === ticket;
      this.#tables.deleteWaiter(id, ticket); // [L7]
      if (!held) return { status: "cancelled" };
      this.#passOn(id, this.#next(id));
      return { status: "released" };
    });
  }

  /** Reads only. */
  inspect(id: string): LockEntry | null {
    this.#now = this.#clock();
    const lock = this.#tables.lock(id);
    if (lock === undefined || this.#remaining(lock) <= 0) return null;
    return {
      id,
      holder: { token: lock.ticket, foreign: false },
      fence: lock.fence,
      lastFence: lock.fence + lock.fences - 1,
      expiresInMs: this.#remaining(lock),
      waiters: this.#countWaiters(id, lock),
    };
  }

  /** Does what was not done before, and gives what was done before its first answer again [S5]. */
  #once<Reply extends { status: string }>(receipt: Receipt, step: () => Reply): Reply | Forgotten {
    this.#now = this.#clock();
    const { slot, n, proof } = receipt;
    const last = this.#tables.receipt(slot);
    // One client, one slot, one number: the recorded reply is of this very operation, hence of its kind.
    if (last?.n === n) return last.reply as unknown as Reply;
    if (last !== undefined && last.n > n) return forgotten;
    if (proof !== undefined) {
      const proven = this.#tables.receipt(proof.slot);
      if (proven === undefined || proven.n < proof.n) return forgotten;
    }
    const reply = step();
    if (isRecorded(reply)) this.#tables.setReceipt(receipt, reply);
    return reply;
  }

  #load(id: string, expiry: boolean): LoadedState {
    const row = this.#tables.state(id);
    if (row === undefined || this.#isOver(row)) return null;
    const { revision, serializer, bytes } = row;
    if (!expiry) return { revision, serializer, bytes };
    const expiresInMs = row.expiresAt === null ? null : Math.ceil(row.expiresAt - this.#now);
    return { revision, serializer, bytes, expiresInMs };
  }

  #head(id: string): StateHead | undefined {
    const head = this.#tables.stateHead(id);
    return head === undefined || this.#isOver(head) ? undefined : head;
  }

  #isOver(state: StateHead): boolean {
    return state.expiresAt !== null && state.expiresAt <= this.#now;
  }

  #write(id: string, write: StateWrite): Written {
    const head = this.#head(id);
    const revision = head?.revision ?? null;
    const wanted = write.ifRevision === "absent" ? null : write.ifRevision;
    if (wanted !== undefined && wanted !== revision) return { status: "conflict", revision };
    if (write.kind === "delete") {
      this.#tables.deleteState(id);
      return { status: "deleted" };
    }
    const { bytes, serializer, ttlMs } = write;
    if (head !== undefined && head.serializer !== serializer) {
      return { status: "unreadable", unreadable: `a state of the serializer "${head.serializer}"` }; // [S6]
    }
    const kept = head?.expiresAt ?? null;
    const expiresAt = ttlMs === "keep" ? kept : ttlMs === "none" ? null : this.#now + ttlMs; // [S7]
    const saved = this.#stamp(1);
    this.#tables.setState(id, { revision: saved, serializer, bytes, expiresAt });
    return { status: "saved", revision: saved };
  }

  /** Reserves rising numbers and answers the first: the clock in µs, unless that would not rise [S2] [L3]. */
  #stamp(count: number): number {
    const first = Math.max(Math.floor(this.#now * 1000), this.#tables.stamp + 1);
    this.#tables.stamp = first + count - 1;
    return first;
  }

  /** Who holds the lock now. */
  #holder(id: string): LockRow | undefined {
    const lock = this.#tables.lock(id);
    if (lock === undefined) return undefined;
    if (this.#remaining(lock) <= 0) {
      this.#tables.deleteLock(id);
      return undefined;
    }
    if (lock.since <= this.#now) return lock;
    // The clock was set back. From this look on, the lease lasts its length and no longer.
    const rebased = { ...lock, since: this.#now };
    this.#tables.setLock(id, rebased);
    return rebased;
  }

  /** Who waits, without those that have not asked for too long. */
  #queue(id: string): WaiterRow[] {
    const alive: WaiterRow[] = [];
    for (const waiter of this.#tables.waiters(id)) {
      if (this.#isGone(waiter)) {
        this.#tables.deleteWaiter(id, waiter.ticket);
      } else if (waiter.askedAt > this.#now) {
        const rebased = { ...waiter, askedAt: this.#now }; // as in #holder
        this.#tables.setWaiter(id, rebased);
        alive.push(rebased);
      } else {
        alive.push(waiter);
      }
    }
    return alive;
  }

  /** As {@link #queue}, for those that only read. */
  #present(id: string): WaiterRow[] {
    return this.#tables.waiters(id).filter((waiter) => !this.#isGone(waiter));
  }

  #isGone(waiter: WaiterRow): boolean {
    return waiter.askedAt + this.#limits.askLimitMs <= this.#now;
  }

  #join(id: string, ticket: Ticket, request: AcquireRequest): void {
    const { leaseMs, fences, load } = request;
    this.#tables.setWaiter(id, { ticket, askedAt: this.#now, leaseMs, fences, load, passedOver: false });
  }

  #told(holder: LockRow, before: readonly WaiterRow[]): Pick<Waiting, "holder" | "retryInMs" | "ahead"> {
    return {
      holder: { token: holder.ticket, foreign: false },
      retryInMs: this.#remaining(holder),
      ahead: countWaiting(before, holder.ticket),
    };
  }

  /** The first waiter that may have the lock. */
  #next(id: string): WaiterRow | undefined {
    return this.#queue(id).find((waiter) => !waiter.passedOver);
  }

  /** Ends the holder's grant: the next waiter has the lock, or nobody. */
  #passOn(id: string, next: WaiterRow | undefined): void {
    if (next === undefined) {
      this.#tables.deleteLock(id);
      return;
    }
    this.#handTo(id, next);
  }

  /** Gives a waiter the lock for a short while; its first own command makes it a full grant. */
  #handTo(id: string, next: WaiterRow): LockRow {
    this.#tables.setWaiter(id, { ...next, passedOver: true });
    const leaseMs = Math.min(this.#limits.handOverMs, next.leaseMs);
    const lock = this.#grant(id, { ticket: next.ticket, fences: next.fences, leaseMs, unconfirmed: true });
    if (this.#wake !== undefined) {
      const { status: _, ...granted } = this.#granted(id, lock, next.load);
      this.#wake({ kind: "granted", id, ticket: next.ticket, ...granted });
    }
    return lock;
  }

  #grant(id: string, wish: Pick<LockRow, "ticket" | "fences" | "leaseMs" | "unconfirmed">): LockRow {
    const { ticket, fences, leaseMs, unconfirmed } = wish;
    const lock = { ticket, fence: this.#stamp(fences), fences, since: this.#now, leaseMs, unconfirmed };
    this.#tables.setLock(id, lock);
    return lock;
  }

  #granted(id: string, lock: LockRow, load: boolean): Granted {
    const { fence, fences, leaseMs } = lock;
    const waiting = this.#countWaiters(id, lock);
    const granted: Granted = { status: "granted", fence, fences, leaseMs, waiting };
    return load ? { ...granted, state: this.#load(id, false) } : granted;
  }

  #renew(id: string, lock: LockRow, leaseMs: number): LockRow {
    if (lock.unconfirmed) this.#tables.deleteWaiter(id, lock.ticket);
    const renewed = { ...lock, since: this.#now, leaseMs, unconfirmed: false };
    this.#tables.setLock(id, renewed);
    return renewed;
  }

  /** The holder spoke: it no longer waits. */
  #confirm(id: string, lock: LockRow): void {
    if (!lock.unconfirmed) return;
    this.#tables.deleteWaiter(id, lock.ticket);
    this.#tables.setLock(id, { ...lock, unconfirmed: false });
  }

  /** Whole milliseconds, and never more than the lease is long, whatever the clock did. */
  #remaining(lock: LockRow): number {
    return Math.ceil(Math.min(lock.leaseMs, lock.since + lock.leaseMs - this.#now));
  }

  #countWaiters(id: string, lock: LockRow): number {
    return countWaiting(this.#present(id), lock.ticket);
  }
}

function isRecorded(reply: { status: string }): reply is Recorded {
  return recordedStatuses.has(reply.status);
}

function isFenceOf(lock: LockRow, fence: number | undefined): boolean {
  return fence === undefined || (fence >= lock.fence && fence < lock.fence + lock.fences);
}

/** Who was passed over holds nobody up until it asks again, and the holder waits no more. */
function countWaiting(waiters: readonly WaiterRow[], holder: Ticket): number {
  return waiters.filter((waiter) => !waiter.passedOver && waiter.ticket !== holder).length;
}
