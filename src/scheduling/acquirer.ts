/**
 * Asks for one lock on behalf of the callers of this process that want it, with a new ticket for each hold, until the
 * lock is granted, refused or no longer wanted. The callers wait in a local queue [L2]. Once the lock is granted, the
 * dispatcher decides how it is used.
 */
import type { AcquireReply, AcquireRequest, Granted, Share, Ticket } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { UnavailableError } from "../errors.ts";
import type { InFlight } from "../calls/in-flight-counter.ts";
import type { Acquisition } from "../leases/acquisition.ts";
import type { Hold } from "../leases/hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { now, soon } from "../timers.ts";
import { PlainChange } from "../updates/change.ts";
import type { AwaitedLock, WaitGraph } from "./deadlocks/wait-graph.ts";
import { Dispatcher } from "./dispatcher.ts";
import { LocalQueue, maxFences, type QueueCallbacks } from "./local-queue.ts";
import { writePlain } from "./plain-write.ts";
import { grantedTooLate, mismatch, settledTicket } from "./refused-asks.ts";
import { ChangeRequest, type Request } from "./request.ts";
import { SharedDispatcher } from "./shared-dispatcher.ts";
import { timeoutError } from "./timeout-error.ts";

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

export class Acquirer implements QueueCallbacks, AwaitedLock {
  readonly id: string;
  readonly #tickets: TicketRegistry;
  readonly #onIdle: () => void;
  readonly queue: LocalQueue;
  readonly #share: Share | undefined;
  /** Not for permits, which close no cycle. */
  readonly #waits: WaitGraph | undefined;
  readonly #dispatcher: Dispatcher | SharedDispatcher;
  #isRunning = false;
  #acquisition: Acquisition | undefined;
  /** The reason why all waiting was ended while a plain write was in progress. */
  #rejection: { readonly error: unknown } | undefined;

  constructor(id: string, { tickets, serving, share, waits, onIdle }: AcquirerOptions) {
    this.id = id;
    this.#share = share;
    this.#waits = share?.kind === "permits" ? undefined : waits;
    this.#tickets = tickets;
    this.#onIdle = onIdle;
    this.queue = new LocalQueue(tickets.calls, this);
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
    if (this.#isRunning) return this.#dispatcher.arrived();
    this.#isRunning = true;
    soon(() => this.#startNext()); // requests made in the same tick share the first ticket
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
    const acquisition = this.#acquisition;
    return acquisition?.isWaiting === true ? acquisition.ticket : undefined;
  }

  get lentHold(): Hold | undefined {
    return this.#dispatcher instanceof Dispatcher ? this.#dispatcher.lentHold : undefined;
  }

  onJoined(request: Request): void {
    this.#waits?.joined(this, request);
  }

  onLeft(request: Request): void {
    this.#waits?.left(request);
  }

  get #calls(): BackendCalls {
    return this.#tickets.calls;
  }

  /** Called by the queue: the error for a request that waited too long. */
  timeoutError(request: Request): Error {
    return timeoutError(this.id, request, { holder: this.#acquisition?.holder, tickets: this.#tickets });
  }

  /** Called by the queue: the last request gave up. */
  onEmpty(): void {
    this.#acquisition?.notify();
  }

  /** Uses one ticket after another for as long as requests wait. */
  #startNext(): void {
    this.#acquisition = undefined;
    this.#waits?.changed(this);
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
    this.#onIdle();
  }

  /** [S8] If the lock is busy, the write is the first to wait. */
  async #writeAlone(request: ChangeRequest, change: PlainChange): Promise<void> {
    this.queue.remove(request); // [S5] its wait cannot be ended while its write is in progress
    this.#rejection = undefined;
    const result = await writePlain(this.#calls, this.id, change);
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
  #start({ leaseMs }: Request): void {
    const acquisition = this.#tickets.start(this.id, leaseMs, this.#share);
    this.#acquisition = acquisition;
    this.#ask(acquisition);
  }

  /** Runs after each reply, and whenever something changes while the ticket waits. */
  #recheck(acquisition: Acquisition): void {
    if (this.queue.head?.leaseMs !== acquisition.leaseMs) return this.#leave(acquisition);
    let hold: Hold | undefined;
    try {
      hold = this.#takeWake(acquisition);
    } catch (error) {
      return this.#askFailed(acquisition, error, now());
    }
    if (hold === undefined) this.#ask(acquisition);
    else this.#serve(hold);
  }

  #leave(acquisition: Acquisition): void {
    if (acquisition.isUnknownThere) this.#tickets.end(acquisition);
    else this.#tickets.abandon(acquisition);
    this.#startNext();
  }

  #ask(acquisition: Acquisition): void {
    const calls = this.#calls;
    const { head, hasPatience, fencesWanted } = this.queue;
    const request: AcquireRequest = {
      leaseMs: acquisition.leaseMs,
      queue: hasPatience,
      load: head?.loads ?? false,
      fences: this.#share?.kind === "shared" ? maxFences : fencesWanted, // those who come later join, too
      share: this.#share,
    };
    const sent = { first: 0, last: 0 };
    const begunAt = now();
    calls
      .idempotent(
        { doing: "Acquiring the lock", id: this.id },
        (at) => {
          if (sent.first === 0) sent.first = at;
          sent.last = at;
          acquisition.asked();
          const receipt = calls.receipt(acquisition.sequence);
          return calls.backend.acquireLock(this.id, acquisition.ticket, request, receipt);
        },
        begunAt,
      )
      .then(
        (reply) => this.#replied(acquisition, reply, sent),
        (error: unknown) => this.#askFailed(acquisition, error, begunAt), // the ask may never have been sent
      );
  }

  /** `sent`: the times of the ask's first and last attempts. */
  #replied(
    acquisition: Acquisition,
    reply: AcquireReply,
    sent: { readonly first: number; readonly last: number },
  ): void {
    let hold: Hold | undefined;
    try {
      hold = this.#noteReply(acquisition, reply, sent.last);
    } catch (error) {
      return this.#askFailed(acquisition, error, sent.first); // a user's own backend may return an unreadable reply
    }
    if (hold !== undefined) this.#granted(hold);
    else if (reply.status !== "waiting" || this.queue.size === 0) this.#recheck(acquisition);
    else this.#wait(acquisition, this.#askAgainMs(reply.ahead === 0 ? reply.retryInMs : null));
  }

  /** Records the reply. Returns the hold if the lock was granted. */
  #noteReply(acquisition: Acquisition, reply: AcquireReply, sentAt: number): Hold | undefined {
    if (reply.status === "settled") throw settledTicket(acquisition.ticket);
    if (reply.status === "mismatch") throw mismatch(this.id, this.#share, reply);
    if (reply.status === "granted") {
      acquisition.takeWake(); // it says the same
      this.queue.isContended &&= acquisition.waitingSince !== undefined;
      return this.#tickets.granted(acquisition, reply, sentAt);
    }
    const { status, holder } = reply;
    const isNew = !acquisition.isWaiting;
    acquisition.answered(status, holder, sentAt);
    if (isNew) this.#waits?.changed(this);
    if (!holder.foreign) this.#tickets.noteHolder(this.id, holder.token);
    this.queue.isContended = this.#share === undefined;
    this.queue.lockIs("taken");
    return undefined;
  }

  /** [L8] The first ticket in the backend's queue asks again when the reported lease ends. */
  #askAgainMs(leaseEndsInMs: number | null): number {
    const { askAgainMs } = this.#calls.backend;
    return leaseEndsInMs === null ? askAgainMs : Math.min(askAgainMs, leaseEndsInMs + 1);
  }

  #granted(hold: Hold): void {
    if (hold.state === "held") return this.#serve(hold);
    // The lease had ended before the grant arrived, so it is not handed out [L7]. Requests with time left try again.
    const error = grantedTooLate(hold, this.#calls.backend.name);
    this.queue.rejectAll(error, ({ isExpired }) => isExpired);
    this.#tickets.abandon(hold);
    this.#startNext();
  }

  #serve(hold: Hold): void {
    this.#acquisition = undefined; // the holder that was reported no longer holds the lock
    this.#dispatcher.begin(hold);
    this.#waits?.changed(this);
  }

  /** [L5] The lease of a woken grant counts from when the last ask that got the reply "waiting" was sent. */
  #takeWake(acquisition: Acquisition): Hold | undefined {
    const wake = acquisition.takeWake();
    const { waitingSince } = acquisition;
    if (wake === undefined || waitingSince === undefined) return undefined;
    // After a second ask, the wake may be a late one, of a grant that has ended. Another ask decides [L1].
    if (acquisition.hasAskedAgain) return undefined;
    const left = waitingSince + wake.leaseMs - now();
    // Little of the hand-over lease is left: ask first, to get the full lease.
    if (left < wake.leaseMs / 2) return undefined;
    return this.#tickets.granted(acquisition, wake satisfies Omit<Granted, "status">, waitingSince);
  }

  #wait(acquisition: Acquisition, withinMs: number): void {
    const { deadlines } = this.#calls;
    const deadline = deadlines.set(Math.ceil(withinMs), () => acquisition.notify());
    void acquisition.changed().then(() => {
      deadlines.clear(deadline);
      this.#recheck(acquisition);
    });
  }

  /** A call that began at `from` got no answer within its time limit, or was refused. */
  #askFailed(acquisition: Acquisition, error: unknown, from: number): void {
    const isPassing = error instanceof UnavailableError && error.code === "UNREACHABLE" && !error.lasting;
    // Requests that arrived during that call have not had their full time yet.
    const isOverdue = ({ isExpired, arrivedAt }: Request): boolean => isExpired || arrivedAt <= from;
    this.queue.rejectAll(error, isPassing ? isOverdue : undefined);
    this.#leave(acquisition);
  }
}
