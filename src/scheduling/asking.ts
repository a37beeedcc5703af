/**
 * Asks for one lock with one ticket, until the lock is granted, refused or no longer wanted. On whose behalf it asks,
 * and what becomes of a grant, is decided by its asker.
 */
import type {
  AcquireReply,
  AcquireRequest,
  Granted,
  Holder,
  Share,
  Ticket,
  Waiting,
} from "../backends/contract.ts";
import type { Acquisition } from "../leases/acquisition.ts";
import { HolderWatch } from "../leases/dead-holders/holder-watch.ts";
import type { Hold } from "../leases/hold.ts";
import type { TicketRegistry } from "../leases/ticket-registry.ts";
import { now } from "../timers.ts";
import { grantedTooLate, mismatch, settledTicket } from "./refused-asks.ts";

/** Every ticket ends with one call of `granted` or `left`. */
export interface Asker {
  /** Whether somebody wants what this ticket asks for. */
  wants(asking: Asking): boolean;
  /** What to ask for, except the lease and the share. */
  request(asking: Asking): Pick<AcquireRequest, "queue" | "load" | "fences">;
  /** Others have the lock. `isNew`: the ticket did not wait for them before. */
  isTaken(asking: Asking, isNew: boolean): void;
  /** The lock is held. `hasWaited`: the ticket had a place in the backend's queue. */
  granted(hold: Hold, asking: Asking, hasWaited: boolean): void;
  /** The lease had ended before the grant arrived [L7]. `left` follows. */
  grantedTooLate(error: Error, asking: Asking): void;
  /** An ask that was sent at `from` got no answer within its time limit, or was refused. `left` follows. */
  failed(error: unknown, from: number, asking: Asking): void;
  /** The ticket is settled, or is being cancelled. */
  left(asking: Asking): void;
}

export class Asking {
  readonly #id: string;
  readonly #tickets: TicketRegistry;
  readonly #asker: Asker;
  #acquisition: Acquisition | undefined;
  /** Made once a reply says that others have the lock. */
  #holders: HolderWatch | undefined;
  /** The asker does not know yet that its ticket waits. */
  #isUntold = false;

  constructor(id: string, tickets: TicketRegistry, asker: Asker) {
    this.#id = id;
    this.#tickets = tickets;
    this.#asker = asker;
  }

  /** Who holds the lock, as last reported to the ticket that asks now. */
  get holder(): Holder | undefined {
    return this.#acquisition?.holder;
  }

  /** The tickets before it in the backend's queue, as last reported. */
  get ahead(): number {
    return this.#acquisition?.ahead ?? 0;
  }

  /** Whether the ticket that asks now has a place in the backend's queue. */
  get isWaiting(): boolean {
    return this.#acquisition?.waitingSince !== undefined;
  }

  /** The ticket that asks now, if the backend has it in its queue. */
  get waitingTicket(): Ticket | undefined {
    const acquisition = this.#acquisition;
    return acquisition?.isWaiting === true ? acquisition.ticket : undefined;
  }

  get leaseMs(): number | undefined {
    return this.#acquisition?.leaseMs;
  }

  get renews(): boolean {
    return this.#acquisition?.renews ?? true;
  }

  get share(): Share | undefined {
    return this.#acquisition?.share;
  }

  /** Asks with a new ticket. */
  start(leaseMs: number, share: Share | undefined, renews = true): void {
    const acquisition = this.#tickets.start(this.#id, leaseMs, { share, renews });
    this.#acquisition = acquisition;
    this.#holders = undefined;
    this.#isUntold = false;
    this.#ask(acquisition);
  }

  /** What its asker wants has changed. */
  notify(): void {
    this.#acquisition?.notify();
  }

  /** Forgets its last ticket. */
  reset(): void {
    this.#acquisition = undefined;
  }

  /** Runs after each reply, and whenever something changes while the ticket waits. */
  #recheck(acquisition: Acquisition): void {
    if (!this.#asker.wants(this)) return this.#leave(acquisition);
    let hold: Hold | undefined;
    try {
      hold = this.#takeWake(acquisition);
    } catch (error) {
      return this.#failed(acquisition, error, now());
    }
    if (hold === undefined) this.#ask(acquisition);
    else this.#serve(hold);
  }

  #leave(acquisition: Acquisition): void {
    if (acquisition.isUnknownThere) this.#tickets.end(acquisition);
    else this.#tickets.abandon(acquisition);
    this.#asker.left(this);
  }

  #ask(acquisition: Acquisition): void {
    const { calls } = this.#tickets;
    const { queue, load, fences } = this.#asker.request(this);
    const { leaseMs, share } = acquisition;
    const request: AcquireRequest = { leaseMs, queue, load, fences, share };
    const sent = { first: 0, last: 0 };
    const begunAt = now();
    calls
      .idempotent(
        { doing: "Acquiring the lock", id: this.#id },
        (at) => {
          if (sent.first === 0) sent.first = at;
          sent.last = at;
          acquisition.asked();
          const receipt = calls.receipt(acquisition.sequence);
          return calls.backend.acquireLock(this.#id, acquisition.ticket, request, receipt);
        },
        begunAt,
      )
      .then(
        (reply) => this.#replied(acquisition, reply, sent),
        (error: unknown) => this.#failed(acquisition, error, begunAt), // the ask may never have been sent
      );
  }

  /** `sent`: the times of the ask's first and last attempts. */
  #replied(
    acquisition: Acquisition,
    reply: AcquireReply,
    sent: { readonly first: number; readonly last: number },
  ): void {
    let answer: Hold | Waiting | undefined;
    try {
      answer = this.#noteReply(acquisition, reply, sent.last);
    } catch (error) {
      return this.#failed(acquisition, error, sent.first); // a user's own backend may return an unreadable reply
    }
    if (answer === undefined) this.#ask(acquisition);
    else if ("status" in answer) this.#isTaken(acquisition, answer);
    else this.#granted(answer);
  }

  /**
   * Records the reply. Returns the hold if the lock was granted; `undefined` if the machine has slept since it was asked
   * for: by now, another client may have the lock.
   */
  #noteReply(acquisition: Acquisition, reply: AcquireReply, sentAt: number): Hold | Waiting | undefined {
    if (reply.status === "settled" || reply.status === "lost") throw settledTicket(acquisition.ticket);
    if (reply.status === "mismatch") throw mismatch(this.#id, acquisition.share, reply);
    if (reply.status === "granted") {
      if (this.#tickets.hasSleptSince(sentAt)) return undefined;
      acquisition.takeWake(); // it says the same
      return this.#tickets.granted(acquisition, reply, sentAt);
    }
    const { holder } = reply;
    this.#isUntold ||= !acquisition.isWaiting;
    acquisition.answered(reply, sentAt);
    if (!holder.foreign) this.#tickets.noteHolder(this.#id, holder.token);
    return reply;
  }

  /** [L10] If the holder's process is gone, the ticket asks again once the lock was passed on. */
  #isTaken(acquisition: Acquisition, reply: Waiting): void {
    const holders = (this.#holders ??= new HolderWatch(this.#id, this.#tickets));
    const passing = holders.passOver(reply, acquisition.hasAskedAgain);
    if (passing !== undefined) return void passing.then(() => this.#recheck(acquisition));
    this.#asker.isTaken(this, this.#isUntold);
    this.#isUntold = false;
    if (reply.status !== "waiting" || !this.#asker.wants(this)) this.#recheck(acquisition);
    else this.#wait(acquisition, this.#askAgainMs(reply.ahead === 0 ? reply.retryInMs : null));
  }

  /** [L8] The first ticket in the backend's queue asks again when the reported lease ends. */
  #askAgainMs(leaseEndsInMs: number | null): number {
    const { askAgainMs } = this.#tickets.calls.backend;
    return leaseEndsInMs === null ? askAgainMs : Math.min(askAgainMs, leaseEndsInMs + 1);
  }

  #granted(hold: Hold): void {
    if (hold.state === "held") this.#serve(hold);
    else this.#grantedTooLate(hold);
  }

  #serve(hold: Hold): void {
    const hasWaited = this.isWaiting;
    this.#acquisition = undefined; // the holder that was reported no longer holds the lock
    this.#asker.granted(hold, this, hasWaited);
  }

  /** [L5] The lease of a woken grant counts from when the last ask that got the reply "waiting" was sent. */
  #takeWake(acquisition: Acquisition): Hold | undefined {
    const wake = acquisition.takeWake();
    const { waitingSince } = acquisition;
    if (wake === undefined || waitingSince === undefined) return undefined;
    if (!acquisition.renews) return undefined; // its lease would stay that of the hand-over: it asks for the full one
    // After a second ask, the wake may be a late one, of a grant that has ended. Another ask decides [L1].
    if (acquisition.hasAskedAgain || this.#tickets.hasSleptSince(waitingSince)) return undefined;
    const left = waitingSince + wake.leaseMs - now();
    // Little of the hand-over lease is left: ask first, to get the full lease.
    if (left < wake.leaseMs / 2) return undefined;
    return this.#tickets.granted(acquisition, wake satisfies Omit<Granted, "status">, waitingSince);
  }

  #wait(acquisition: Acquisition, withinMs: number): void {
    const { deadlines } = this.#tickets.calls;
    const notify = (): void => acquisition.notify();
    const askWithinMs = Math.min(withinMs, this.#holders?.askWithinMs ?? Infinity);
    const deadline = deadlines.set(Math.ceil(askWithinMs), notify);
    const stopLooking = this.#holders?.whileWaiting(askWithinMs, notify);
    void acquisition.changed().then(() => {
      deadlines.clear(deadline);
      stopLooking?.();
      this.#recheck(acquisition);
    });
  }

  /** The lease had ended before the grant arrived, so it is not handed out [L7]. Requests with time left try again. */
  #grantedTooLate(hold: Hold): void {
    this.#asker.grantedTooLate(grantedTooLate(hold, this.#tickets.calls.backend.name), this);
    this.#tickets.abandon(hold);
    this.#asker.left(this);
  }

  #failed(acquisition: Acquisition, error: unknown, from: number): void {
    this.#asker.failed(error, from, this);
    this.#leave(acquisition);
  }
}
