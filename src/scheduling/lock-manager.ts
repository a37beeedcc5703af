/**
 * The locks that callers of one opened store want: an acquirer for each id, and how waiting and serving end on close.
 */
import type { Share } from "../backends/contract.ts";
import { ClosedError } from "../errors.ts";
import { InFlight } from "../calls/in-flight-counter.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { Acquirer } from "./acquirer.ts";
import { WaitGraph } from "./deadlocks/wait-graph.ts";
import { PermitQueue } from "./permit-queue.ts";
import type { GrantRequest, Request } from "./request.ts";

/** The number of acquirers without callers that are kept. */
const maxIdle = 1_000;

export class LockManager {
  readonly #tickets: TicketRegistry;
  readonly #serving = new InFlight();
  /** [L15] Who waits while holding other locks. */
  readonly #waits: WaitGraph;
  #acquirers = new Map<string, Acquirer>();
  /** Those of shared locks, by id. */
  readonly #shared = new Map<string, Acquirer>();
  /** By id. */
  readonly #semaphores = new Map<string, PermitQueue>();
  /** All that ask for a share, as long as they have callers. */
  readonly #sharing = new Set<Acquirer>();
  /** The number of acquirers without callers. */
  #idle = 0;

  constructor(tickets: TicketRegistry) {
    this.#tickets = tickets;
    this.#waits = new WaitGraph(tickets);
  }

  /** Adds a request for the whole lock to the queue of its id. */
  add(id: string, request: Request): void {
    if (this.#shared.size > 0) this.#shared.get(id)?.takeNoMore();
    let acquirer = this.#acquirers.get(id);
    if (acquirer === undefined) this.#acquirers.set(id, (acquirer = this.#create(id)));
    else if (acquirer.isIdle) this.#idle -= 1;
    acquirer.add(request);
  }

  /**
   * Adds a request for a grant. Callers that share a lock share a ticket; a grant of a semaphore has one of its own.
   */
  addGrant(id: string, request: GrantRequest): void {
    const { share } = request;
    if (share === undefined) return this.add(id, request);
    if (share.kind === "permits") return this.#permitQueue(id).add(request);
    let acquirer = this.#shared.get(id);
    if (acquirer === undefined) {
      acquirer = this.#createShared(id, share, () => this.#shared.delete(id));
      this.#shared.set(id, acquirer);
    }
    acquirer.add(request);
  }

  /** Fails all requests that wait. Requests that are being served go on [P2]. */
  rejectWaiters(): void {
    for (const queues of [this.#semaphores.values(), this.#acquirers.values(), this.#sharing])
      for (const queue of queues) queue.rejectAll(new ClosedError("The store is closing."));
  }

  /** Resolves when no caller's function is running: no caller has a grant, and no change is being applied. */
  served(): Promise<void> {
    return this.#serving.none();
  }

  #create(id: string): Acquirer {
    return new Acquirer(id, {
      tickets: this.#tickets,
      serving: this.#serving,
      share: undefined,
      waits: this.#waits,
      onIdle: () => this.#sweep(),
    });
  }

  #createShared(id: string, share: Share, onOver: () => void): Acquirer {
    const onIdle = (): void => {
      this.#sharing.delete(acquirer);
      onOver();
    };
    const [tickets, serving, waits] = [this.#tickets, this.#serving, this.#waits];
    const acquirer = new Acquirer(id, { tickets, serving, share, waits, onIdle });
    this.#sharing.add(acquirer);
    return acquirer;
  }

  #permitQueue(id: string): PermitQueue {
    let queue = this.#semaphores.get(id);
    if (queue !== undefined) return queue;
    queue = new PermitQueue(id, {
      tickets: this.#tickets,
      ask: (request, onOver) => {
        if (request.share !== undefined) this.#createShared(id, request.share, onOver).add(request);
      },
      onIdle: () => this.#semaphores.delete(id),
    });
    this.#semaphores.set(id, queue);
    return queue;
  }

  /** An acquirer without callers is kept for a while, since the next call for its id may come soon. */
  #sweep(): void {
    this.#idle += 1;
    if (this.#idle < maxIdle || this.#idle * 2 < this.#acquirers.size) return;
    this.#acquirers = new Map([...this.#acquirers].filter(([, acquirer]) => !acquirer.isIdle));
    this.#idle = 0;
  }
}
