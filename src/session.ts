/**
 * An opened store, as its handles see it: its settings, its calls, its tickets, the queues of its callers, and its life
 * cycle: open, draining, closed [P2].
 */
import type { Backend, Durability } from "./backends/contract.ts";
import { BackendCalls } from "./calls/backend-calls.ts";
import { ClosedError } from "./errors.ts";
import { TicketRegistry } from "./leases/ticket-registry.ts";
import type { Parser } from "./options.ts";
import type { HeldGrant } from "./ownership/grant.ts";
import { insideBody } from "./ownership/held-grants.ts";
import { LockManager } from "./scheduling/lock-manager.ts";
import type { Serializer } from "./serializers/serializer.ts";

/** Parsed options of `open()`, complete. */
export interface Settings {
  readonly serializer: Serializer;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly operationMs: number;
  readonly maxStateBytes: number;
  /** The durability of calls that do not set one. */
  readonly durability: Durability | undefined;
  /** Parses the durability option of a handle or call. */
  readonly readDurability: Parser<Durability>;
}

export class Session {
  readonly settings: Settings;
  readonly calls: BackendCalls;
  readonly tickets: TicketRegistry;
  readonly locks: LockManager;
  #life: "open" | "draining" | "closed" = "open";
  readonly #ending = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(backend: Backend, settings: Settings) {
    this.settings = settings;
    this.calls = new BackendCalls(backend, settings.operationMs);
    this.tickets = new TicketRegistry(this.calls);
    this.locks = new LockManager(this.tickets);
  }

  get backend(): Backend {
    return this.calls.backend;
  }

  /** Identifies this store in async contexts. */
  get store(): object {
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

  /** Every call returns the promise of the first. */
  close(drainMs: number): Promise<void> {
    return (this.#closing ??= this.#close(drainMs));
  }

  async #close(drainMs: number): Promise<void> {
    const { calls, tickets, locks } = this;
    const { keepAlive, operationMs } = calls;
    this.#life = "draining";
    keepAlive.ref(); // a close in progress keeps the process alive
    locks.rejectWaiters();
    this.#ending.abort(new ClosedError("The store is closing."));
    await this.#within(drainMs, locks.served());
    this.#life = "closed";
    locks.rejectWaiters();
    tickets.abort();
    // Calls in progress get their replies. Without a reply, leases expire.
    await this.#within(operationMs, Promise.all([tickets.settled(), calls.over()]));
    await this.#within(operationMs, this.backend.close());
    keepAlive.unref();
    tickets.close();
    calls.close();
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
