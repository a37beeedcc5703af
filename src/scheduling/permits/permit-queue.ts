/**
 * The callers of one process that want permits of the same semaphore, first come, first served [L13].
 *
 * Its tickets ask on behalf of the first callers: one ticket for each, of the same weight and with the same terms, but
 * no more than could be granted together. So a process is in the backend's queue once for each permit at most. Permits
 * that a caller gives back go to the first caller at once if they suit it, for a bounded time (permit-loan.ts); its
 * ticket then asks on behalf of the next one like it, or leaves.
 */
import type { AcquireRequest, Holder, Share } from "../../backends/contract.ts";
import type { InFlight } from "../../calls/in-flight-counter.ts";
import type { Hold } from "../../leases/hold.ts";
import type { TicketRegistry } from "../../leases/ticket-registry.ts";
import { soon } from "../../timers.ts";
import { Asking, type Asker } from "../asking.ts";
import { LocalQueue, maxFences, type QueueCallbacks } from "../local-queue.ts";
import { PermitLoan, type LoanHost } from "./permit-loan.ts";
import { hadTheirTime, isPassing } from "../refused-asks.ts";
import { GrantRequest, isLike, type Request } from "../request.ts";
import { LastLook } from "../timeouts/last-look.ts";

/** As many as one script serves. */
const maxAsking = 64;
/** Where wakes are not pushed, each ticket asks every few milliseconds. */
const maxPolling = 4;

/** A ticket that asks for what one of the first requests wants, or that has been granted it and waits for replicas. */
interface Coming {
  readonly leaseMs: number | undefined;
  readonly share: Share | undefined;
  readonly isWaiting: boolean;
  readonly holder?: Holder | undefined;
  readonly ahead?: number;
  notify(): void;
}

export interface PermitQueueOptions {
  readonly tickets: TicketRegistry;
  /** Counts the permits that are in use. */
  readonly serving: InFlight;
  /** No caller waits for permits or has some. */
  readonly onIdle: () => void;
}

export class PermitQueue implements Asker, LoanHost, QueueCallbacks {
  readonly id: string;
  readonly tickets: TicketRegistry;
  readonly serving: InFlight;
  readonly queue: LocalQueue;
  readonly #onIdle: () => void;
  #lastLook: LastLook | undefined;
  /** In the order of the requests that they are for. */
  readonly #coming: Coming[] = [];
  #loans = 0;
  #resizes = 0;
  #willReview = false;
  #isIdle = false;

  constructor(id: string, { tickets, serving, onIdle }: PermitQueueOptions) {
    this.id = id;
    this.tickets = tickets;
    this.serving = serving;
    this.#onIdle = onIdle;
    this.queue = new LocalQueue(tickets.calls, this);
  }

  /** Every request is settled in the end. */
  add(request: GrantRequest): void {
    this.#isIdle = false;
    this.queue.add(request);
    this.#reviewSoon(); // requests made in the same tick ask together
  }

  /** Fails the requests that wait. */
  rejectAll(error: unknown): void {
    this.queue.rejectAll(error);
  }

  /** How often this process has changed the limit since the first caller. */
  get resizes(): number {
    return this.#resizes;
  }

  resized(): void {
    this.#resizes += 1;
  }

  /** Called by the queue: the error for a request that waited too long. */
  timeoutError(request: Request): Error | Promise<Error> {
    const { holder, ahead = 0 } = this.#coming.find((one) => one.holder !== undefined) ?? {
      holder: undefined,
    };
    const ownTickets = this.#coming.filter(({ isWaiting }) => isWaiting).length;
    this.#lastLook ??= new LastLook(this.id, this.tickets);
    return this.#lastLook.errorFor(request, { holder, ahead, ownTickets, others: this.queue.size - 1 });
  }

  /** Called by the queue: a request gave up. */
  onFail(): void {
    this.#reviewSoon();
  }

  #reviewSoon(): void {
    if (this.#willReview) return;
    this.#willReview = true;
    soon(() => {
      this.#willReview = false;
      this.#review();
    });
  }

  /** Has a ticket ask for each of the first requests, and no others. */
  #review(): void {
    let request = this.queue.head;
    for (let index = 0; index < this.#coming.length;) {
      const one = this.#coming[index];
      if (request !== undefined && one !== undefined && isLike(request, one)) {
        request = this.queue.next(request);
        index += 1;
      } else {
        this.#coming.splice(index, 1);
        one?.notify(); // no caller wants what it asks for
      }
    }
    for (; request instanceof GrantRequest && this.#mayAsk(request); request = this.queue.next(request))
      this.#ask(request);
    this.#noteTaken();
    if (this.#isIdle || this.#coming.length > 0 || this.#loans > 0 || this.queue.size > 0) return;
    this.#isIdle = true;
    this.#onIdle();
  }

  /** Whether it may be granted together with all that asks before it. */
  #mayAsk({ share }: GrantRequest): boolean {
    const asks = this.#coming.length;
    if (asks === 0) return true;
    if (asks >= (this.tickets.calls.backend.pushes ? maxAsking : maxPolling)) return false;
    const limit = share?.kind === "permits" ? share.limit : null;
    if (limit === null) return !this.#isTaken;
    // Unless the limit was raised, one that is heavier is refused, and its caller should learn that soon.
    if (weightOf(share) > limit) return this.#coming.every((one) => weightOf(one.share) <= limit);
    return this.#coming.reduce((sum, one) => sum + weightOf(one.share), weightOf(share)) <= limit;
  }

  #ask({ leaseMs, share }: GrantRequest): void {
    const asking = new Asking(this.id, this.tickets, this);
    this.#coming.push(asking);
    asking.start(leaseMs, share);
  }

  get #isTaken(): boolean {
    return this.#coming.some((asking) => asking.isWaiting);
  }

  /** A ticket of this process waits: requests after it that only try fail. */
  #noteTaken(): void {
    this.queue.lockIs(this.#isTaken ? "taken" : "unknown");
  }

  wants(asking: Asking): boolean {
    if (this.#willReview) this.#review();
    return this.#coming.includes(asking);
  }

  request(asking: Asking): Pick<AcquireRequest, "queue" | "load" | "fences"> {
    const request = this.#requestAt(this.#coming.indexOf(asking));
    // Those who come later may get the permits after it.
    const fences = this.queue.size === 1 && this.#loans === 0 ? 1 : maxFences;
    return { queue: request?.isExpired === false, load: false, fences };
  }

  #requestAt(index: number): Request | undefined {
    let request = this.queue.head;
    for (let at = 0; at < index && request !== undefined; at += 1) request = this.queue.next(request);
    return request;
  }

  /** Requests that only try fail: all of them if the ticket waits, otherwise those that want the same. */
  isTaken(asking: Asking): void {
    if (!asking.isWaiting) this.queue.timeOut((request) => isLike(request, asking));
    this.#noteTaken();
  }

  granted(hold: Hold, asking: Asking): void {
    this.#remove(asking);
    this.#loans += 1;
    new PermitLoan(hold, this).begin();
  }

  /** Requests with time left try again. */
  grantedTooLate(error: Error): void {
    this.queue.rejectAll(error, ({ isExpired }) => isExpired);
  }

  /** A refusal concerns all that would be refused as well. */
  failed(error: unknown, from: number, asking: Asking): void {
    const hadTime = hadTheirTime(from);
    const isRefused = (request: Request): boolean => isLike(request, asking) && hadTime(request);
    this.queue.rejectAll(error, isPassing(error) ? hadTime : isRefused);
  }

  left(asking: Asking): void {
    this.#remove(asking);
    this.#review();
  }

  #remove(one: Coming): void {
    const index = this.#coming.indexOf(one);
    if (index >= 0) this.#coming.splice(index, 1);
  }

  confirming(loan: PermitLoan): void {
    this.#remove(loan); // it may wait for replicas again, for a request that wants more of them
    this.#coming.unshift(loan);
    this.#noteTaken();
  }

  lent(loan: PermitLoan): void {
    this.#remove(loan);
    this.#review();
  }

  gaveBack(loan: PermitLoan): void {
    this.#remove(loan);
    this.#loans -= 1;
    this.#review();
  }
}

function weightOf(share: Share | undefined): number {
  return share?.kind === "permits" ? share.weight : 0;
}
