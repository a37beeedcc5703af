/**
 * The callers of one process that want permits of the same semaphore, first come, first served [L13].
 *
 * Each grant has a ticket of its own. Only so many tickets wait at the backend at a time, since each of them asks again
 * now and then; the other callers wait here, in order.
 */
import { LockTimeoutError, quoted, UnavailableError } from "../errors.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { now } from "../timers.ts";
import { LocalQueue } from "./local-queue.ts";
import { GrantRequest, type Request } from "./request.ts";
import { whatCallerHolds } from "./timeout-error.ts";

/** As many as one script serves. */
const maxAsking = 64;
/** Where wakes are not pushed, each ticket asks every few milliseconds. */
const maxPolling = 4;

export interface PermitQueueOptions {
  readonly tickets: TicketRegistry;
  /** Asks for the request with a ticket of its own. `onOver`: it has been granted, or has failed. */
  readonly ask: (request: GrantRequest, onOver: () => void) => void;
  /** There are no callers left that ask or wait. */
  readonly onIdle: () => void;
}

export class PermitQueue {
  readonly #options: PermitQueueOptions;
  readonly #waiting: LocalQueue;
  #asking = 0;

  constructor(id: string, options: PermitQueueOptions) {
    const { tickets, onIdle } = options;
    this.#options = options;
    this.#waiting = new LocalQueue(tickets.calls, {
      timeoutError: (request) => timeoutError(id, request, tickets.store),
      onEmpty: () => {
        if (this.#asking === 0) onIdle();
      },
    });
    this.#waiting.lockIs("taken"); // whoever waits here has others before it
  }

  /** Every request is settled in the end. */
  add(request: GrantRequest): void {
    // One that only tries asks once, so it is no burden; but it does not overtake.
    const isFirst = this.#waiting.size === 0;
    if (isFirst && (request.isExpired || this.#asking < this.#maxAsking)) return this.#ask(request);
    this.#waiting.add(request);
    this.#askMore();
  }

  /** Fails the requests that wait here. */
  rejectAll(error: unknown): void {
    this.#waiting.rejectAll(error);
  }

  /** May change at any time. */
  get #maxAsking(): number {
    return this.#options.tickets.calls.backend.pushes ? maxAsking : maxPolling;
  }

  #ask(request: GrantRequest): void {
    this.#asking += 1;
    const askedAt = now();
    this.#options.ask(request, () => this.#isOver(request, askedAt));
  }

  #isOver({ failure }: GrantRequest, askedAt: number): void {
    this.#asking -= 1;
    // Those that have waited as long need not find out for themselves.
    if (isUnreachable(failure)) this.#waiting.rejectAll(failure, ({ arrivedAt }) => arrivedAt <= askedAt);
    this.#askMore();
    if (this.#asking === 0 && this.#waiting.size === 0) this.#options.onIdle();
  }

  #askMore(): void {
    while (this.#asking < this.#maxAsking) {
      const request = this.#waiting.head;
      if (!(request instanceof GrantRequest) || !this.#waiting.remove(request)) return;
      this.#ask(request);
    }
  }
}

function isUnreachable(failure: unknown): boolean {
  return failure instanceof UnavailableError && failure.code === "UNREACHABLE";
}

function timeoutError(id: string, request: Request, store: object): LockTimeoutError {
  const { waitMs } = request;
  const waited = waitMs === 0 ? "" : ` within waitMs (${waitMs} ms)`;
  return new LockTimeoutError(
    `The lock ${quoted(id)} was not free${waited}: callers of this process that asked before still wait for it.` +
      whatCallerHolds(store, request),
  );
}
