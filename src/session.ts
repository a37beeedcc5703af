/**
 * An opened store, as its handles see it: its settings, its calls, its tickets, the queues of its callers, and its life
 * cycle: open, draining, closed [P2].
 */
import type { Backend, Durability } from "./backends/contract.ts";
import { BackendCalls } from "./calls/backend-calls.ts";
import { ClosedError } from "./errors.ts";
import type { StorePlace } from "./leases/grant-token.ts";
import { TicketRegistry } from "./leases/ticket-registry.ts";
import type { StoreOfTickets } from "./leases/ticket.ts";
import type { Parser } from "./options.ts";
import type { HeldGrant } from "./ownership/grant.ts";
import type { HeldSet } from "./ownership/grant-set.ts";
import { runOutside } from "./ownership/async-context.ts";
import { heldHere, insideBody } from "./ownership/held-grants.ts";
import { LockManager } from "./scheduling/lock-manager.ts";
import { now, type Deadline } from "./timers.ts";
import type { Serializer } from "./serializers/serializer.ts";

/** Parsed options of `open()`, complete. */
export interface Settings {
  readonly serializer: Serializer;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly operationMs: number;
  readonly maxStateBytes: number;
  readonly passOverDead: boolean;
  /** For tokens. Default: nothing is known of it. */
  readonly place?: StorePlace | undefined;
  /** The durability of calls that do not set one. */
  readonly durability: Durability | undefined;
  /** Parses the durability option of a handle or call. */
  readonly readDurability: Parser<Durability>;
}

/** After the drain, what is left is released within this time, and the connections are closed within the next. */
export const releaseMs = 1_500;
export const disconnectMs = 500;
/** How often a closing store looks for grants that have become idle. */
const lookEveryMs = 50;

export class Session {
  readonly settings: Settings;
  readonly calls: BackendCalls;
  readonly tickets: TicketRegistry;
  readonly locks: LockManager;
  /** Its session alone keeps it: see TicketRegistry. */
  readonly #ending = new AbortController();
  #life: "open" | "draining" | "closed" = "open";
  #closing: Promise<void> | undefined;

  constructor(backend: Backend, settings: Settings) {
    this.settings = settings;
    this.calls = new BackendCalls(backend, settings.operationMs);
    const { passOverDead: isMarked, place } = settings;
    this.tickets = new TicketRegistry(this.calls, { isMarked, closing: this.#ending, place });
    this.locks = new LockManager(this.tickets);
  }

  get backend(): Backend {
    return this.calls.backend;
  }

  /** Identifies this store in async contexts. */
  get store(): StoreOfTickets {
    return this.tickets.store;
  }

  /** Aborts with a ClosedError when the store begins to close: for calls that would go on for ever. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** [P2] While the store drains, only calls from functions that still run under a lock are admitted. */
  admit(grant?: HeldGrant): void {
    if (this.#life === "open") return;
    if (this.#life === "draining" && (grant?.isLive === true || insideBody(this.store))) return;
    throw new ClosedError("The store is closed: open a new one.");
  }

  /**
   * What a caller has acquired by hand: it is released when the store closes, unless it is in use. What a function of this
   * store has acquired is in use until that function ends.
   */
  heldByHand<Held extends HeldGrant | HeldSet>(held: Held): Held {
    const outer = heldHere();
    held.markByHand(outer && (() => insideBody(this.store, outer)));
    return held;
  }

  /** Every call returns the promise of the first. */
  close(drainMs: number): Promise<void> {
    return (this.#closing ??= this.#close(drainMs));
  }

  async #close(drainMs: number): Promise<void> {
    const { calls, tickets, locks } = this;
    const { keepAlive, operationMs } = calls;
    const drainedBy = now() + drainMs;
    this.#life = "draining";
    keepAlive.ref(); // a close in progress keeps the process alive
    locks.rejectWaiters();
    runOutside(() => tickets.beginToClose()); // in the context of none of the functions that are told
    await this.#drain(drainMs);
    this.#life = "closed";
    locks.rejectWaiters();
    tickets.abort();
    // Calls in progress get their replies. Without a reply, leases expire.
    const settleMs = Math.min(operationMs, Math.max(drainedBy - now(), 0) + releaseMs);
    await this.#within(settleMs, Promise.all([tickets.settled(), calls.over()]));
    calls.endRetries();
    await this.#within(Math.min(operationMs, disconnectMs), this.backend.close());
    keepAlive.unref();
    tickets.close();
    calls.close();
  }

  /** Lets running functions finish. What was acquired by hand is released as soon as no call is in progress under it. */
  async #drain(drainMs: number): Promise<void> {
    const { calls, tickets, locks } = this;
    const closed = new ClosedError("The store is closing: it has released what was acquired by hand.");
    let deadline: Deadline | undefined;
    const closeIdle = (): void => {
      tickets.closeIdle(closed);
      deadline = calls.deadlines.set(lookEveryMs, closeIdle);
    };
    closeIdle();
    await this.#within(drainMs, locks.served());
    calls.deadlines.clear(deadline);
  }

  async #within(ms: number, event: Promise<unknown>): Promise<void> {
    const { deadlines } = this.calls;
    await new Promise<void>((resolve) => {
      const deadline = deadlines.set(ms, resolve);
      const done = (): void => {
        deadlines.clear(deadline);
        resolve();
      };
      event.then(done, done); // closing continues even if a user's own backend fails
    });
  }
}
