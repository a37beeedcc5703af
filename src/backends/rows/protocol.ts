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
  Forgotten,
  Granted,
  LoadedState,
  LockEntry,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  StateWrite,
  Ticket,
  TouchReply,
  Waiting,
  Wake,
  WriteReply,
} from "../contract.ts";
import { recordedStatuses } from "../recorded.ts";
import { clearedWaiters, countWaiting, nextWaiter, noteAsk, presentWaiters } from "./queue.ts";
import { loadState, touchState, writeState } from "./states.ts";
import { reserveStamps, type Limits, type Step } from "./step.ts";
import type { LockRow, ReceiptRow, Recorded, Tables, WaiterRow } from "./tables.ts";

export interface ProtocolOptions {
  readonly tables: Tables;
  /** The backend's clock, in milliseconds. */
  readonly now: () => number;
  /** The grain of that clock: what it counts in. No lease may end early because the clock was about to tick. */
  readonly grainMs?: number | undefined;
  /** The same clock in microseconds, where it can be read more finely than `now` tells. */
  readonly micros?: (() => number) | undefined;
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

const forgotten: Forgotten = { status: "forgotten" };

export class Protocol {
  readonly #tables: Tables;
  readonly #clock: () => number;
  readonly #micros: (() => number) | undefined;
  readonly #grainMs: number;
  readonly #limits: Limits;
  readonly #wake: ((wake: TicketWake) => void) | undefined;
  #step: Step;

  constructor(options: ProtocolOptions) {
    this.#tables = options.tables;
    this.#clock = options.now;
    this.#micros = options.micros;
    this.#grainMs = options.grainMs ?? 0;
    this.#limits = options.limits;
    this.#wake = options.wake;
    this.#step = this.#begin();
  }

  load(id: string, options: { readonly expiry: boolean }): LoadedState {
    return loadState(this.#begin(), id, options.expiry);
  }

  write(id: string, write: StateWrite, by: { ticket: Ticket | null; receipt: Receipt }): WriteReply {
    return this.#once(by.receipt, (): WriteReply => {
      const lock = this.#holder(id);
      if (by.ticket === null) {
        // [S8] a write without a ticket goes before nobody: not before the holder, not before who waits.
        if (lock !== undefined || nextWaiter(this.#step, id) !== undefined) return { status: "held" };
      } else if (lock?.ticket !== by.ticket) {
        return { status: "lost" }; // [S4]
      }
      const written = writeState(this.#step, id, write);
      if (lock !== undefined && isEffect(written)) this.#confirm(id, lock);
      return written;
    });
  }

  touch(id: string, ttlMs: number, receipt: Receipt): TouchReply {
    return this.#once(receipt, () => touchState(this.#step, id, ttlMs));
  }

  acquire(id: string, ticket: Ticket, ask: { request: AcquireRequest; receipt: Receipt }): AcquireReply {
    this.#begin();
    const { request, receipt } = ask;
    const last = this.#tables.receipt(receipt.slot);
    if (last !== undefined && isSettled(last, receipt.n)) return { status: "settled" };

    let holder = this.#holder(id);
    if (holder?.ticket === ticket) {
      return this.#granted(id, this.#renew(id, holder, request.leaseMs), request.load);
    }
    const queue = clearedWaiters(this.#step, id);
    const place = queue.findIndex((waiter) => waiter.ticket === ticket);
    const before = place === -1 ? queue : queue.slice(0, place);
    const joins = request.queue || place !== -1;
    if (holder === undefined) {
      // Free with a queue: the holder died. The first that lives is next, and the asker surely lives [L2] [L10].
      const next = queue.find((waiter) => !waiter.passedOver || waiter.ticket === ticket);
      if (next === undefined || next.ticket === ticket) {
        if (next !== undefined) this.#tables.deleteWaiter(id, ticket);
        return this.#granted(id, this.#grant(id, { ...request, ticket, unconfirmed: false }), request.load);
      }
      if (joins) noteAsk(this.#step, id, { ...request, ticket }); // first, since the wake says how many wait
      holder = this.#handTo(id, next);
    } else if (joins) {
      noteAsk(this.#step, id, { ...request, ticket });
      // With others before it, the holder was told when the first of them came, or when it was granted.
      const isFirst = before.every((waiter) => waiter.passedOver);
      if (isFirst && queue[place]?.passedOver !== false)
        this.#wake?.({ kind: "wanted", id, ticket: holder.ticket });
    }
    if (!joins) return { status: "held", ...this.#told(holder, queue) };
    return { status: "waiting", ...this.#told(holder, before) };
  }

  /** Reads only: what a waiting ticket would be told again; `undefined` when its ask must be a step of its own. */
  peek(id: string, ticket: Ticket): Waiting | undefined {
    this.#begin();
    const lock = this.#tables.lock(id);
    if (lock === undefined || lock.ticket === ticket || this.#remaining(lock) <= 0) return undefined;
    const queue = presentWaiters(this.#step, id);
    const place = queue.findIndex((waiter) => waiter.ticket === ticket);
    if (place === -1 || queue[place]?.passedOver !== false) return undefined;
    return { status: "waiting", ...this.#told(lock, queue.slice(0, place)) };
  }

  renew(id: string, ticket: Ticket, leaseMs: number): "renewed" | "lost" {
    this.#begin();
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
      const written = write === undefined ? null : writeState(this.#step, id, write);
      if (written?.status === "conflict" || written?.status === "unreadable") return written;
      this.#confirm(id, lock);
      const revision = written?.status === "saved" ? written.revision : null;

      const next = nextWaiter(this.#step, id);
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
    const step = (): CancelReply => {
      const held = this.#holder(id)?.ticket === ticket;
      this.#tables.deleteWaiter(id, ticket); // [L7]
      if (!held) return { status: "cancelled" };
      this.#passOn(id, nextWaiter(this.#step, id));
      return { status: "released" };
    };
    return this.#once(receipt, step, isEffect); // a release that was refused has ended nothing
  }

  /** Reads only. */
  inspect(id: string): LockEntry | null {
    this.#begin();
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
  #once<Reply extends Recorded>(
    receipt: Receipt,
    step: () => Reply | Forgotten,
    answers: (recorded: Recorded) => boolean = () => true,
  ): Reply | Forgotten {
    this.#begin();
    const { slot, n, proof } = receipt;
    const last = this.#tables.receipt(slot);
    // One client, one slot, one number: the recorded reply is of this very operation, hence of its kind.
    if (last?.n === n && answers(last.reply)) return last.reply as unknown as Reply;
    if (last !== undefined && last.n > n) return forgotten;
    if (proof !== undefined) {
      const proven = this.#tables.receipt(proof.slot);
      if (proven === undefined || proven.n < proof.n) return forgotten;
    }
    const reply = step();
    if (reply.status === "forgotten") return reply;
    // What a retry was refused must not be carried out by its first copy, arriving late.
    if (isEffect(reply) || receipt.retry === true) this.#tables.setReceipt(receipt, reply);
    return reply;
  }

  /** Who holds the lock now. */
  #holder(id: string): LockRow | undefined {
    const lock = this.#tables.lock(id);
    if (lock === undefined) return undefined;
    if (this.#remaining(lock) <= 0) {
      this.#tables.deleteLock(id);
      return undefined;
    }
    if (lock.since <= this.#step.now) return lock;
    // The clock was set back. From this look on, the lease lasts its length and no longer.
    const rebased = { ...lock, since: this.#step.now };
    this.#tables.setLock(id, rebased);
    return rebased;
  }

  #told(holder: LockRow, before: readonly WaiterRow[]): Pick<Waiting, "holder" | "retryInMs" | "ahead"> {
    return {
      holder: { token: holder.ticket, foreign: false },
      retryInMs: this.#remaining(holder),
      ahead: countWaiting(before, holder.ticket),
    };
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
    const lock = {
      ticket,
      fence: reserveStamps(this.#step, fences),
      fences,
      since: this.#step.now,
      leaseMs,
      unconfirmed,
    };
    this.#tables.setLock(id, lock);
    return lock;
  }

  #granted(id: string, lock: LockRow, load: boolean): Granted {
    const { fence, fences, leaseMs } = lock;
    const waiting = this.#countWaiters(id, lock);
    const granted: Granted = { status: "granted", fence, fences, leaseMs, waiting };
    return load ? { ...granted, state: loadState(this.#step, id, false) } : granted;
  }

  #renew(id: string, lock: LockRow, leaseMs: number): LockRow {
    if (lock.unconfirmed) this.#tables.deleteWaiter(id, lock.ticket);
    const renewed = { ...lock, since: this.#step.now, leaseMs, unconfirmed: false };
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
    return Math.ceil(Math.min(lock.leaseMs, lock.since + lock.leaseMs + this.#grainMs - this.#step.now));
  }

  #countWaiters(id: string, lock: LockRow): number {
    return countWaiting(presentWaiters(this.#step, id), lock.ticket);
  }

  #begin(): Step {
    const now = this.#clock();
    const micros = this.#micros?.() ?? Math.floor(now * 1000);
    this.#step = { tables: this.#tables, limits: this.#limits, now, micros };
    return this.#step;
  }
}

/** A refusal that was recorded for a retry ended nothing. */
function isSettled(last: ReceiptRow, n: number): boolean {
  return last.n > n || (last.n === n && isEffect(last.reply));
}

function isEffect(reply: { status: string }): boolean {
  return recordedStatuses.has(reply.status);
}

function isFenceOf(lock: LockRow, fence: number | undefined): boolean {
  return fence === undefined || (fence >= lock.fence && fence < lock.fence + lock.fences);
}
