/**
 * Asks for one lock on behalf of the callers of this process who want it, with a new ticket for each hold, until it is
 * granted, refused or no longer wanted. They wait in a local queue [L2]; what is done with the lock once it is ours is
 * the dispatcher's business.
 */
import type { AcquireReply, AcquireRequest, Granted, WriteReply } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { CorruptStateError, UnavailableError } from "../errors.ts";
import type { InFlight } from "../in-flight.ts";
import type { Acquisition } from "../leases/acquisition.ts";
import type { Hold } from "../leases/hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { now, soon } from "../timers.ts";
import { publishUpdate } from "../updates/batch.ts";
import { PlainChange } from "../updates/change.ts";
import { Dispatcher } from "./dispatcher.ts";
import { LocalQueue, type QueueCallbacks } from "./local-queue.ts";
import { ChangeRequest, type Request } from "./request.ts";
import { timeoutError } from "./timeout-error.ts";

export interface AcquirerOptions {
  readonly tickets: TicketRegistry;
  /** Counts the locks that are being served. */
  readonly serving: InFlight;
  /** No caller is left. */
  readonly onIdle: () => void;
}

export class Acquirer implements QueueCallbacks {
  readonly id: string;
  readonly #tickets: TicketRegistry;
  readonly #onIdle: () => void;
  readonly #queue: LocalQueue;
  readonly #dispatcher: Dispatcher;
  #isRunning = false;
  #acquisition: Acquisition | undefined;
  /** Waiting was ended for all while a plain write was under way. */
  #rejection: { readonly error: unknown } | undefined;

  constructor(id: string, { tickets, serving, onIdle }: AcquirerOptions) {
    this.id = id;
    this.#tickets = tickets;
    this.#onIdle = onIdle;
    this.#queue = new LocalQueue(tickets.calls, this);
    const onServed = (): void => this.#startNext();
    this.#dispatcher = new Dispatcher(this.#queue, { tickets, serving, onServed });
  }

  /** Without callers. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Puts the request at the end of the queue. It is always settled. */
  add(request: Request): void {
    this.#queue.add(request);
    if (this.#isRunning) return;
    this.#isRunning = true;
    soon(() => this.#startNext()); // those who come in the same tick share the first ticket
  }

  /** Those that wait fail; those that are being served go on. */
  rejectAll(error: unknown): void {
    this.#rejection = { error };
    this.#queue.rejectAll(error);
  }

  get #calls(): BackendCalls {
    return this.#tickets.calls;
  }

  /** For the queue: the error for a request that waited too long. */
  timeoutError({ waitMs }: Request): Error {
    const { clientId } = this.#calls.backend;
    return timeoutError({ id: this.id, waitMs, holder: this.#acquisition?.holder, clientId });
  }

  /** For the queue: the last request gave up. */
  onEmpty(): void {
    this.#acquisition?.notify();
  }

  /** Asks with one ticket after the other, as long as any request waits. */
  #startNext(): void {
    this.#acquisition = undefined;
    this.#queue.lockIs("unknown");
    const request = this.#queue.head;
    if (request === undefined) this.#becomeIdle();
    else if (
      this.#queue.size === 1 &&
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

  /** [S8] A save or delete that stands alone needs no ticket where the lock is free; else it is the first to wait for it. */
  async #writeAlone(request: ChangeRequest, change: PlainChange): Promise<void> {
    const { backend } = this.#calls;
    this.#queue.remove(request); // [S5] its waiting cannot be ended while its write is under way
    this.#rejection = undefined;
    try {
      const operation = { doing: "Writing the state", id: this.id, durability: change.durability };
      const { reply, shortage } = await this.#calls.exactlyOnce<WriteReply>(operation, (receipt) =>
        backend.writeState(this.id, change.plain, null, receipt),
      );
      if (shortage !== undefined) throw shortage;
      if (reply.status === "busy") {
        this.#waitAfterAll(request);
        return;
      }
      if (reply.status === "lost") throw new Error(`HOLDFAST_PLAIN_WRITE_LOST: ${this.id}`); // it has no ticket
      if (reply.status === "saved" || reply.status === "deleted") publishUpdate(this.id, 1, change.plain);
      change.answer(reply);
    } catch (error) {
      change.fail(error);
    }
    this.#startNext();
  }

  /** Others have the lock: the write goes back to the head of the queue. */
  #waitAfterAll(request: ChangeRequest): void {
    if (this.#rejection !== undefined) request.fail(this.#rejection.error);
    else this.#queue.putBack(request);
    const { head } = this.#queue;
    if (head === undefined) this.#startNext();
    else this.#start(head);
  }

  /** Asks for the lock until it is ours, no longer wanted, or there is no answer. */
  #start({ leaseMs }: Request): void {
    const acquisition = this.#tickets.start(this.id, leaseMs);
    this.#acquisition = acquisition;
    this.#ask(acquisition);
  }

  /** After each answer, and whenever something changed while the ticket waits. */
  #recheck(acquisition: Acquisition): void {
    if (this.#queue.head?.leaseMs !== acquisition.leaseMs) return this.#leave(acquisition);
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
    const { head, hasPatience, fencesWanted } = this.#queue;
    const request: AcquireRequest = {
      leaseMs: acquisition.leaseMs,
      queue: hasPatience,
      load: head instanceof ChangeRequest,
      fences: fencesWanted,
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
        (error: unknown) => this.#askFailed(acquisition, error, begunAt), // it may never have been sent
      );
  }

  /** `sent`: when the first and the last attempt of the ask were. */
  #replied(
    acquisition: Acquisition,
    reply: AcquireReply,
    sent: { readonly first: number; readonly last: number },
  ): void {
    let hold: Hold | undefined;
    try {
      hold = this.#noteReply(acquisition, reply, sent.last);
    } catch (error) {
      return this.#askFailed(acquisition, error, sent.first); // a backend of the user's own may answer what cannot be read
    }
    if (hold !== undefined) this.#granted(hold);
    else if (reply.status !== "waiting" || this.#queue.size === 0) this.#recheck(acquisition);
    else this.#wait(acquisition, this.#askAgainMs(reply.ahead === 0 ? reply.retryInMs : null));
  }

  /** Notes what the answer says; the hold where the lock was granted. */
  #noteReply(acquisition: Acquisition, reply: AcquireReply, sentAt: number): Hold | undefined {
    if (reply.status === "settled") throw settledTicket(acquisition.ticket);
    if (reply.status === "granted") {
      acquisition.takeWake(); // it said the same
      return this.#tickets.granted(acquisition, reply, sentAt);
    }
    const { status, holder } = reply;
    acquisition.answered(status, holder, sentAt);
    if (!holder.foreign) this.#tickets.noteHolder(this.id, holder.token);
    this.#queue.lockIs("taken");
    return undefined;
  }

  /** [L8] The first in the backend's queue looks again when the lease that it was told of ends. */
  #askAgainMs(leaseEndsInMs: number | null): number {
    const { askAgainMs } = this.#calls.backend;
    return leaseEndsInMs === null ? askAgainMs : Math.min(askAgainMs, leaseEndsInMs + 1);
  }

  #granted(hold: Hold): void {
    if (hold.state === "held") this.#serve(hold);
    else this.#grantedTooLate(hold);
  }

  #serve(hold: Hold): void {
    this.#acquisition = undefined; // the holder that it was told of no longer holds the lock
    this.#dispatcher.begin(hold);
  }

  /** [L5] The grant of a wake counts from when the last ask that was answered "waiting" was sent. */
  #takeWake(acquisition: Acquisition): Hold | undefined {
    const wake = acquisition.takeWake();
    const { waitingSince } = acquisition;
    if (wake === undefined || waitingSince === undefined) return undefined;
    // Once it has asked again, a wake may be a late one, of a grant that is over: another ask tells [L1].
    if (acquisition.hasAskedAgain) return undefined;
    const left = waitingSince + wake.leaseMs - now();
    // Little is left of the hand-over lease: ask first, which gives the full one.
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

  /** Its lease was over when we heard of it: not handed out [L7]. Those that have time left try again. */
  #grantedTooLate(hold: Hold): void {
    const { name } = this.#calls.backend;
    const error = new UnavailableError(
      `The lock ${JSON.stringify(this.id)} was granted, but the reply from ${name} arrived after the lease had ended ` +
        `(leaseMs: ${hold.leaseMs}). Use a longer leaseMs.`,
    );
    this.#queue.rejectAll(error, ({ isExpired }) => isExpired);
    this.#tickets.abandon(hold);
    this.#startNext();
  }

  /** There was no answer to a call that began at `from`, for as long as one may take; or the answer was a refusal. */
  #askFailed(acquisition: Acquisition, error: unknown, from: number): void {
    const isPassing = error instanceof UnavailableError && error.code === "UNREACHABLE" && !error.lasting;
    // Those that came during that call have not had their own time yet.
    const isOverdue = ({ isExpired, arrivedAt }: Request): boolean => isExpired || arrivedAt <= from;
    this.#queue.rejectAll(error, isPassing ? isOverdue : undefined);
    this.#leave(acquisition);
  }
}

/** This client never asks for a ticket after its end. */
function settledTicket(ticket: string): CorruptStateError {
  return new CorruptStateError(
    `HOLDFAST_SETTLED_TICKET: the server says that ticket ${ticket}, which is still asking for the lock, has ` +
      `already ended. Find out what else writes keys with this prefix.`,
  );
}
