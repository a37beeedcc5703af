/**
 * The locks that callers of one opened store want: an acquirer for each id, and how waiting and serving end on close.
 */
import type { Share, TakenFrom } from "../backends/contract.ts";
import { ClosedError, quoted } from "../errors.ts";
import { InFlight } from "../calls/in-flight-counter.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { warnIfOutlived } from "../ownership/outlived.ts";
import type { WaitOptions } from "../ownership/wait-options.ts";
import { Acquirer } from "./acquirer.ts";
import { adopt } from "./adopt.ts";
import { WaitGraph } from "./deadlocks/wait-graph.ts";
import { PermitQueue } from "./permits/permit-queue.ts";
import type { GrantRequest, Request } from "./request.ts";
import { WritesTogether } from "./writes-together.ts";

/** The number of acquirers without callers that are kept. */
const maxIdle = 1_000;

export class LockManager {
  readonly #tickets: TicketRegistry;
  readonly #serving = new InFlight();
  /** [L15] Who waits while holding other locks. */
  readonly #waits: WaitGraph;
  /** Writes that pass the queues by. */
  readonly together = new WritesTogether();
  #acquirers = new Map<string, Acquirer>();
  /** Those of shared locks, by id, as long as they have callers. */
  readonly #shared = new Map<string, Acquirer>();
  /** By id. */
  readonly #semaphores = new Map<string, PermitQueue>();
  /** The number of acquirers without callers. */
  #idle = 0;

  constructor(tickets: TicketRegistry) {
    this.#tickets = tickets;
    this.#waits = new WaitGraph(tickets);
  }

  /** Adds a request for the whole lock to the queue of its id. */
  add(id: string, request: Request): void {
    if (request.context !== undefined) warnIfOutlived(this.#tickets.store, id, request.context);
    if (this.#shared.size > 0) this.#shared.get(id)?.takeNoMore();
    let acquirer = this.#acquirers.get(id);
    if (acquirer === undefined) this.#acquirers.set(id, (acquirer = this.#create(id)));
    else if (acquirer.isIdle) this.#idle -= 1;
    acquirer.add(request);
  }

  /** Whether requests of this process for the whole lock wait or are served: a write must not overtake them [L2]. */
  isInUse(id: string): boolean {
    return this.#acquirers.get(id)?.isIdle === false;
  }

  /**
   * What a read of this state waits for, so that it sees the saves and deletes that this process has called before; see
   * Acquirer.
   */
  writesAhead(id: string): Promise<void> | undefined {
    const together = this.together.of(id);
    if (together !== undefined) return together.then(() => this.#acquirers.get(id)?.writesAhead());
    return this.#acquirers.get(id)?.writesAhead();
  }

  /**
   * Adds a request for a grant. Callers that share a lock share a ticket.
   */
  addGrant(id: string, request: GrantRequest): void {
    const { share } = request;
    if (share === undefined) return this.add(id, request);
    if (request.context !== undefined) warnIfOutlived(this.#tickets.store, id, request.context);
    if (share.kind === "permits") return this.#permitQueue(id).add(request);
    let acquirer = this.#shared.get(id);
    if (acquirer === undefined)
      this.#shared.set(id, (acquirer = this.#create(id, share, () => this.#shared.delete(id))));
    acquirer.add(request);
  }

  /** Takes the lock over from the holder that a token names. Nothing waits for that. */
  adopt(
    from: TakenFrom & { readonly id: string },
    how: Omit<WaitOptions, "waitMs" | "share">,
  ): Promise<HeldGrant> {
    return adopt({ tickets: this.#tickets, serving: this.#serving }, from, how);
  }

  /** The limit of this semaphore was changed: permits that were granted before are handed on no more. */
  resized(id: string): void {
    this.#semaphores.get(id)?.resized();
  }

  /** Fails all requests that wait. Requests that are being served go on [P2]. */
  rejectWaiters(): void {
    for (const queues of [this.#semaphores, this.#acquirers, this.#shared])
      for (const [id, queue] of queues) queue.rejectAll(closingError(id));
  }

  /** Resolves when no caller's function is running: no caller has a grant, and no change is being applied. */
  served(): Promise<void> {
    return this.#serving.none();
  }

  #create(id: string, share?: Share, onIdle = () => this.#sweep()): Acquirer {
    const [tickets, serving, waits] = [this.#tickets, this.#serving, this.#waits];
    return new Acquirer(id, { tickets, serving, share, waits, onIdle });
  }

  #permitQueue(id: string): PermitQueue {
    const known = this.#semaphores.get(id);
    if (known !== undefined) return known;
    const queue = new PermitQueue(id, {
      tickets: this.#tickets,
      serving: this.#serving,
      onIdle: () => {
        if (this.#semaphores.get(id) === queue) this.#semaphores.delete(id);
      },
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

/** For a call that waits for this lock while its store begins to close. */
export function closingError(id: string): ClosedError {
  const text = `The store is closing, so this call for the lock ${quoted(id)} was ended.`;
  return new ClosedError(`${text} Make it again on a store that is open.`);
}
