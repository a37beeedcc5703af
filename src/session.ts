/**
 * The inside of an opened store: its settings, its conversations, its cohorts, and its life: open, draining, closed [P2].
 *
 * States, locks and the store itself are thin handles on it.
 */
import type { Backend, Durability } from "./backends/contract.ts";
import { Conversations } from "./calls/backend-calls.ts";
import { ClosedError } from "./errors.ts";
import { Cohorts } from "./scheduling/lock-manager.ts";
import type { HeldGrant } from "./ownership/grant.ts";
import { insideBody } from "./ownership/owner-context.ts";
import type { Parser } from "./options.ts";
import type { Serializer } from "./serializers/serializer.ts";

/** Parsed options of `open()`, complete. */
export interface Settings {
  readonly serializer: Serializer;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly operationMs: number;
  readonly maxStateBytes: number;
  /** What calls ask for that say nothing of it. */
  readonly durability: Durability | undefined;
  /** Reads that option of a handle or a call. */
  readonly readDurability: Parser<Durability>;
}

export class Client {
  readonly settings: Settings;
  readonly conversations: Conversations;
  readonly cohorts: Cohorts;
  #life: "open" | "draining" | "closed" = "open";
  #closing: Promise<void> | undefined;

  constructor(backend: Backend, settings: Settings) {
    this.settings = settings;
    this.conversations = new Conversations(backend, settings.operationMs);
    this.cohorts = new Cohorts(this.conversations);
  }

  get backend(): Backend {
    return this.conversations.backend;
  }

  /** [P2] While the store drains, only calls of bodies that still run are let in. */
  admit(grant?: HeldGrant): void {
    if (this.#life === "open") return;
    if (this.#life === "draining" && (grant?.live === true || insideBody(this.cohorts.owner))) return;
    throw new ClosedError("The store is closed: open a new one.");
  }

  /** Every call has the answer of the first. */
  close(drainMs: number): Promise<void> {
    return (this.#closing ??= this.#close(drainMs));
  }

  async #close(drainMs: number): Promise<void> {
    const { conversations, cohorts } = this;
    const { keepAlive, operationMs } = conversations;
    this.#life = "draining";
    keepAlive.hold(); // a close that was called is waited for
    cohorts.rejectWaiters();
    await this.#within(drainMs, cohorts.bodiesOver());
    this.#life = "closed";
    cohorts.abort();
    // Calls that are under way get their answers. Nobody may answer: then leases end by themselves.
    await this.#within(operationMs, Promise.all([cohorts.settled(), conversations.over()]));
    await this.#within(operationMs, this.backend.close());
    keepAlive.drop();
    conversations.close();
  }

  async #within(ms: number, event: Promise<unknown>): Promise<void> {
    const { deadlines } = this.conversations;
    await new Promise<void>((resolve) => {
      const deadline = deadlines.set(ms, resolve);
      const done = (): void => {
        deadlines.clear(deadline);
        resolve();
      };
      event.then(done, done); // closing goes on, whatever a backend of the user's own does
    });
  }
}
