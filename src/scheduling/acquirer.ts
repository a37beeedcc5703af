/**
 * Asks for one lock on behalf of the callers of this process that want it, with a new ticket for each hold, until the
 * lock is granted, refused or no longer wanted. The callers wait in a local queue [L2]. Once the lock is granted, the
 * dispatcher decides how it is used.
 */
import type { AcquireRequest, Share, Ticket } from "../backends/contract.ts";
import type { InFlight } from "../calls/in-flight-counter.ts";
import type { Hold } from "../leases/hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { soon } from "../timers.ts";
import { PlainChange } from "../updates/change.ts";
import { Asking, type Asker } from "./asking.ts";
import type { AwaitedLock, WaitGraph } from "./deadlocks/wait-graph.ts";
import { Dispatcher } from "./dispatcher.ts";
import { LocalQueue, maxFences, type QueueCallbacks } from "./local-queue.ts";
import { writePlain } from "./plain-write.ts";
import { hadTheirTime, isPassing } from "./refused-asks.ts";
import { ChangeRequest, suits, type Request } from "./request.ts";
import { SharedDispatcher } from "./shared-dispatcher.ts";
import { LastLook } from "./timeouts/last-look.ts";

export interface AcquirerOptions {
  readonly tickets: TicketRegistry;
  /** Counts the locks that are in use. */
  readonly serving: InFlight;
  /** What its callers want of the lock; `undefined`: the whole of it. */
  readonly share: Share | undefined;
  /** Knows which callers wait while they hold other locks. */
  readonly waits: WaitGraph;
  /** There are no callers left. */
  readonly onIdle: () => void;
}

export class Acquirer implements QueueCallbacks, Asker, AwaitedLock {
  readonly id: string;
  readonly #tickets: TicketRegistry;
  readonly #onIdle: () => void;
  readonly queue: LocalQueue;
  readonly #share: Share | undefined;
  readonly #waits: WaitGraph;
  readonly #dispatcher: Dispatcher | SharedDispatcher;
  readonly #asking: Asking;
  #lastLook: LastLook | undefined;
  #isRunning = false;
  /** The last save or delete that has come and may not have been sent. */
  #lastWrite: PlainChange | undefined;
  /** The reason why all waiting was ended while a plain write was in progress. */
  #rejection: { readonly error: unknown } | undefined;

  constructor(id: string, { tickets, serving, share, waits, onIdle }: AcquirerOptions) {
    this.id = id;
    this.#share = share;
    this.#waits = waits;
    this.#tickets = tickets;
    this.#onIdle = onIdle;
    this.queue = new LocalQueue(tickets.calls, this);
    this.#asking = new Asking(id, tickets, this);
    const how = { tickets, serving, onServed: () => this.#startNext() };
    this.#dispatcher = new (share === undefined ? Dispatcher : SharedDispatcher)(this.queue, how);
  }

  /** Whether it has no callers. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Appends the request to the queue. Every request is settled in the end. */
  add(request: Request): void {
    this.queue.add(request);
    if (request instanceof ChangeRequest && request.change instanceof PlainChange)
      this.#lastWrite = request.change;
    if (this.#isRunning) return this.#dispatcher.arrived();
    this.#isRunning = true;
    soon(() => this.#startNext()); // requests made in the same tick share the first ticket
  }

  /**
   * Settles when the saves and deletes that have come are saved, or have to wait for others or for the function of a change;
   * `undefined`: there are none without a reply, or they have to wait now.
   */
  writesAhead(): Promise<void> | undefined {
    return this.#lastWrite && this.queue.settledOrDelayed(this.#lastWrite);
  }

  /** An exclusive request for the same id has come: those that come after it ask with a ticket of their own. */
  takeNoMore(): void {
    if (this.#dispatcher instanceof SharedDispatcher) this.#dispatcher.takeNoMore();
  }

  /** Fails the requests that wait. Requests that are being served go on. */
  rejectAll(error: unknown): void {
    this.#rejection = { error };
    this.queue.rejectAll(error);
  }

  get waitingTicket(): Ticket | undefined {
    return this.#asking.waitingTicket;
  }

  get lentHold(): Hold | undefined {
    return this.#dispatcher instanceof Dispatcher ? this.#dispatcher.lentHold : undefined;
  }

  /** Called by the queue. */
  onJoined(request: Request): void {
    this.#waits.joined(this, request);
  }

  /** Called by the queue. */
  onLeft(request: Request): void {
    this.#waits.left(request);
  }

  /** Called by the queue: the error for a request that waited too long. */
  timeoutError(request: Request): Error | Promise<Error> {
    const { holder, ahead, isWaiting } = this.#asking;
    const others = this.queue.size - 1;
    this.#lastLook ??= new LastLook(this.id, this.#tickets);
    return this.#lastLook.errorFor(request, { holder, ahead, ownTickets: isWaiting ? 1 : 0, others });
  }

  /** Called by the queue: a request gave up. */
  onFail(): void {
    if (this.queue.size === 0) this.#asking.notify();
  }

  /** Uses one ticket after another for as long as requests wait. */
  #startNext(): void {
    this.#asking.reset();
    this.#waits.changed(this);
    this.queue.lockIs("unknown");
    const request = this.queue.head;
    if (request === undefined) this.#becomeIdle();
    else if (
      this.queue.size === 1 &&
      request instanceof ChangeRequest &&
      request.change instanceof PlainChange
    )
      void this.#writeAlone(request, request.change);
    else this.#start(request);
  }

  #becomeIdle(): void {
    this.#isRunning = false;
    this.#lastWrite = undefined;
    this.#onIdle();
  }

  /** [S8] If the lock is busy, the write is the first to wait. */
  async #writeAlone(request: ChangeRequest, change: PlainChange): Promise<void> {
    this.queue.remove(request); // [S5] its wait cannot be ended while its write is in progress
    this.#rejection = undefined;
    const result = await writePlain(this.#tickets.calls, this.id, change);
    if (this.#lastWrite === change) this.#lastWrite = undefined;
    if (result === "busy") this.#waitAfterAll(request);
    else this.#startNext();
  }

  /** The lock is busy: the write goes back to the head of the queue. */
  #waitAfterAll(request: ChangeRequest): void {
    if (this.#rejection !== undefined) request.fail(this.#rejection.error);
    else this.queue.putBack(request);
    const { head } = this.queue;
    if (head === undefined) this.#startNext();
    else this.#start(head);
  }

  /** Asks for the lock until it is granted or no longer wanted, or the backend does not reply. */
  #start({ leaseMs, renews }: Request): void {
    this.#asking.start(leaseMs, this.#share, renews);
  }

  wants(asking: Asking): boolean {
    return suits(this.queue.head, asking);
  }

  request(): Pick<AcquireRequest, "queue" | "load" | "fences"> {
    const { head, hasPatience, fencesWanted } = this.queue;
    return {
      queue: hasPatience,
      load: head?.loads ?? false,
      fences: this.#share === undefined ? fencesWanted : maxFences, // those who come later join, too
    };
  }

  isTaken(_: Asking, isNew: boolean): void {
    if (isNew) this.#waits.changed(this);
    this.queue.isContended = this.#share === undefined;
    this.queue.lockIs("taken");
  }

  granted(hold: Hold, _: Asking, hasWaited: boolean): void {
    this.queue.isContended &&= hasWaited;
    this.#dispatcher.begin(hold);
    this.#waits.changed(this);
  }

  /** Requests with time left try again. */
  grantedTooLate(error: Error): void {
    this.queue.rejectAll(error, ({ isExpired }) => isExpired);
  }

  failed(error: unknown, from: number): void {
    this.queue.rejectAll(error, isPassing(error) ? hadTheirTime(from) : undefined);
  }

  left(): void {
    this.#startNext();
  }
}
