/**
 * Order: the callers of one process that want the same lock, who share one ticket at a time.
 *
 * The cohort keeps them in a line [L2], asks for the lock with a new ticket for every turn, and waits for it; what a
 * turn does with the lock is in `dispatcher.ts`. It is gone only when nobody is left in it, and stays for a while then.
 * How leases are kept alive is the watchdog's business; what a value is, the state's.
 */
import type { AcquireReply, AcquireRequest, Granted, StateWrite } from "../backends/contract.ts";
import { tellDurably } from "../calls/durability.ts";
import { CorruptStateError, UnavailableError } from "../errors.ts";
import { now, soon } from "../timers.ts";
import { publishUpdate } from "../updates/batch.ts";
import { StateJob, type Job } from "./request.ts";
import { Line, type LineOwner } from "./local-queue.ts";
import type { Room } from "../leases/room.ts";
import { Serving, type ServingOwner } from "./dispatcher.ts";
import { timeoutError } from "./timeout-error.ts";
import type { Turn } from "../leases/turn.ts";

export class Cohort implements LineOwner, ServingOwner {
  readonly id: string;
  readonly #room: Room;
  readonly #line: Line;
  readonly #serving: Serving;
  #running = false;
  #turn: Turn | undefined;

  constructor(id: string, room: Room) {
    this.id = id;
    this.#room = room;
    this.#line = new Line(room.conversations, this);
    this.#serving = new Serving(this.#line, room, this);
  }

  /** Without callers. */
  get isIdle(): boolean {
    return !this.#running;
  }

  /** Puts the job at the end of the line. It is settled in the end, whatever happens. */
  add(job: Job): void {
    this.#line.add(job);
    if (this.#running) return;
    this.#running = true;
    soon(() => this.#goOn()); // whoever comes in the same tick shares the first turn
  }

  /** Those in line fail; whoever is being served goes on. */
  rejectAll(error: unknown): void {
    this.#line.rejectAll(error);
  }

  timeout(job: Job): Error {
    return timeoutError(this.#room, { id: this.id, waitMs: job.waitMs, holder: this.#turn?.holder });
  }

  onEmpty(): void {
    this.#turn?.tell();
  }

  onServed(): void {
    this.#goOn();
  }

  /** One turn after the other, as long as anybody is in line. */
  #goOn(): void {
    this.#turn = undefined;
    this.#line.unblock(); // what was known of the lock is history
    const job = this.#lonelyWrite;
    if (this.#line.head === undefined) this.#rest();
    else if (job !== undefined) void this.#writeFreely(job, job.task.plain);
    else this.#enter(this.#line.head);
  }

  #rest(): void {
    this.#running = false;
    this.#room.emptied();
  }

  /** A save or delete that stands alone. */
  get #lonelyWrite(): (StateJob & { task: { plain: StateWrite } }) | undefined {
    const job = this.#line.head;
    return this.#line.size === 1 && job instanceof StateJob && isPlain(job) ? job : undefined;
  }

  /** [S8] It needs no turn where the lock is free. */
  async #writeFreely(job: StateJob, plain: StateWrite): Promise<void> {
    const { conversations } = this.#room;
    this.#line.engage(job);
    try {
      const what = { doing: "Writing the state", id: this.id, durability: job.durability };
      const reply = await tellDurably(conversations, what, (receipt) =>
        conversations.backend.writeState(this.id, plain, null, receipt),
      );
      if (reply.status === "held") {
        this.#line.disengage();
        if (this.#line.head !== undefined) {
          this.#enter(this.#line.head);
          return;
        }
      }
      if (reply.status === "saved" || reply.status === "deleted") publishUpdate(this.id, 1, plain);
      if (reply.status !== "held" && this.#line.leave(job)) job.answer(reply);
    } catch (error) {
      if (this.#line.leave(job)) job.fail(error);
    }
    this.#goOn();
  }

  /** Asks for the lock until it is ours, nobody wants it any more, or nobody answers. */
  #enter(head: Job): void {
    const turn = this.#room.startTurn(this.id, head.leaseMs);
    this.#turn = turn;
    this.#ask(turn);
  }

  /** After each answer, and at each news while the turn waits. */
  #again(turn: Turn): void {
    if (this.#line.head?.leaseMs !== turn.leaseMs) return this.#leave(turn);
    try {
      if (!this.#takeWake(turn)) return this.#ask(turn);
    } catch (error) {
      return this.#refused(turn, error, now());
    }
    this.#serving.begin(turn);
  }

  #leave(turn: Turn): void {
    if (turn.traceless || turn.asks === 0) this.#room.endTurn(turn);
    else this.#room.abandonTurn(turn);
    this.#goOn();
  }

  #ask(turn: Turn): void {
    const { conversations } = this.#room;
    const request: AcquireRequest = {
      leaseMs: turn.leaseMs,
      queue: this.#line.patient,
      load: this.#line.head instanceof StateJob,
      fences: this.#line.fencesWanted,
    };
    const sent = { first: 0, last: 0 };
    const begunAt = now();
    turn.traceless = false;
    conversations
      .ask({ doing: "Acquiring the lock", id: this.id }, (at) => {
        if (sent.first === 0) sent.first = at;
        sent.last = at;
        turn.asks += 1;
        const receipt = conversations.receipt(turn.slot);
        return conversations.backend.acquireLock(this.id, turn.ticket, request, receipt);
      })
      .then(
        (reply) => this.#answered(turn, reply, sent),
        (error: unknown) => this.#refused(turn, error, begunAt), // it may never have been sent
      );
  }

  /** `sent`: when the first and the last attempt of the ask were. */
  #answered(turn: Turn, reply: AcquireReply, sent: { readonly first: number; readonly last: number }): void {
    let askAgainMs: number;
    try {
      // Its only ask, and the only copy of it, was refused.
      turn.traceless = reply.status === "held" && turn.asks === 1;
      askAgainMs = this.#told(turn, reply, sent.last);
    } catch (error) {
      return this.#refused(turn, error, sent.first);
    }
    if (turn.state === "held") return this.#serving.begin(turn);
    if (turn.state === "lost") {
      this.#answeredTooLate(turn);
      return this.#leave(turn);
    }
    if (askAgainMs === 0 || this.#line.size === 0) return this.#again(turn);
    this.#news(turn, askAgainMs);
  }

  #told(turn: Turn, reply: AcquireReply, sentAt: number): number {
    if (reply.status === "settled") {
      // Nobody here asks for a ticket after its end: somebody else has written into our receipts.
      throw new CorruptStateError(
        `HOLDFAST_SETTLED_TICKET: the server says that ${turn.ticket}, which asks, has ended. ` +
          `Find out who else writes under this prefix.`,
      );
    }
    if (reply.status === "granted") {
      turn.takeWake(); // it said the same
      this.#hold(turn, reply, sentAt);
      return 0;
    }
    turn.holder = reply.holder;
    if (!reply.holder.foreign) this.#room.noticeHolder(this.id, reply.holder.token);
    if (reply.status === "waiting") turn.waits(sentAt);
    this.#line.block();
    if (reply.status === "held") return 0;
    const { askAgainMs } = this.#room.conversations.backend;
    // [L8] The first in the queue looks again when the lease that it was told of ends.
    return reply.ahead === 0 && reply.retryInMs !== null
      ? Math.min(askAgainMs, reply.retryInMs + 1)
      : askAgainMs;
  }

  /** [L5] A wake's grant counts from when the last ask that was answered "waiting" was sent. */
  #takeWake(turn: Turn): boolean {
    const wake = turn.takeWake();
    if (wake === undefined || turn.waitingSince === undefined) return false;
    // Once it has asked again, a wake may be a late one, of a grant that is over: another ask tells [L1].
    if (turn.asks > 1) return false;
    const left = turn.waitingSince + wake.leaseMs - now();
    // Little is left of the hand-over lease: ask first, which gives the full one.
    if (left < wake.leaseMs / 2) return false;
    this.#hold(turn, wake, turn.waitingSince);
    return true;
  }

  #hold(turn: Turn, grant: Omit<Granted, "status">, from: number): void {
    turn.hold(grant, from);
    turn.loaded = grant.state;
    turn.loadedAt = from;
    turn.wanted ||= grant.waiting > 0;
    if (turn.live) this.#room.watch(turn);
  }

  #news(turn: Turn, withinMs: number): void {
    const { deadlines } = this.#room.conversations;
    const deadline = deadlines.set(Math.ceil(withinMs), () => turn.tell());
    void turn.news().then(() => {
      deadlines.clear(deadline);
      this.#again(turn);
    });
  }

  /** Granted, but its lease was over when we heard of it: not handed out [L7]. Whoever has time left tries again. */
  #answeredTooLate({ leaseMs }: Turn): void {
    const { name } = this.#room.conversations.backend;
    const error = new UnavailableError(
      `The lock ${JSON.stringify(this.id)} was granted, but ${name} took longer to say so than its lease lasts ` +
        `(leaseMs: ${leaseMs}). Use a longer one.`,
    );
    this.#line.rejectAll(error, (job) => job.impatient);
  }

  /** Nobody answered a conversation that began at `from`, for as long as one may take; or the answer was a refusal. */
  #refused(turn: Turn, error: unknown, from: number): void {
    const passing = error instanceof UnavailableError && error.code === "UNREACHABLE" && !error.lasting;
    // Whoever came during that conversation has not had its own time yet.
    const overdue = (job: Job): boolean => job.impatient || job.arrivedAt <= from;
    this.#line.rejectAll(error, passing ? overdue : undefined);
    this.#leave(turn);
  }
}

function isPlain(job: StateJob): job is StateJob & { task: { plain: StateWrite } } {
  return job.task.plain !== undefined;
}
