/**
 * The callers of one process that want permits of the same semaphore, first come, first served [L13].
 *
 * Each grant has a ticket of its own. Only so many tickets wait at the backend at a time, since each of them asks again
 * now and then; the other callers wait here, in order.
 */
import type { BackendCalls } from "../calls/backend-calls.ts";
import { LocalQueue } from "./local-queue.ts";
import { GrantRequest } from "./request.ts";
import { timeoutError } from "./timeout-error.ts";

/** As many as one script serves. */
const maxAsking = 64;
/** Where wakes are not pushed, each ticket asks every few milliseconds. */
const maxPolling = 4;

export interface PermitQueueOptions {
  readonly calls: BackendCalls;
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
    const { calls, onIdle } = options;
    const { clientId } = calls.backend;
    this.#options = options;
    this.#waiting = new LocalQueue(calls, {
      timeoutError: ({ waitMs }) => timeoutError({ id, waitMs, holder: undefined, clientId }),
      onEmpty: () => {
        if (this.#asking === 0) onIdle();
      },
    });
    this.#waiting.lockIs("taken"); // whoever waits here has others before it
  }

  /** Every request is settled in the end. */
  add(request: GrantRequest): void {
    if (this.#asking < this.#maxAsking) this.#ask(request);
    else this.#waiting.add(request);
  }

  /** Fails the requests that wait here. */
  rejectAll(error: unknown): void {
    this.#waiting.rejectAll(error);
  }

  get #maxAsking(): number {
    return this.#options.calls.backend.pushes ? maxAsking : maxPolling;
  }

  #ask(request: GrantRequest): void {
    this.#asking += 1;
    this.#options.ask(request, () => this.#next());
  }

  #next(): void {
    this.#asking -= 1;
    const request = this.#waiting.head;
    if (request instanceof GrantRequest && this.#waiting.remove(request)) this.#ask(request);
    else if (this.#asking === 0) this.#options.onIdle();
  }
}
