/**
 * Order: the callers of one process that want the same lock, who share one ticket at a time.
 *
 * The cohort keeps them in a line [L2], asks for the lock with a new ticket for every turn, and waits for it; what a
 * turn does with the lock is in `serving.ts`. It is gone only when nobody is left in it.
 * How leases are kept alive is the watchdog's business; what a value is, the state's.
 */
import type { AcquireReply, AcquireRequest, Granted, StateWrite } from "../backends/backend.ts";
import { UnavailableError } from "../errors.ts";
import { now } from "../timers.ts";
import { publishUpdate } from "./batch.ts";
import { StateJob, type Job } from "./job.ts";
import { Line } from "./line.ts";
import type { Room } from "./room.ts";
import { Serving } from "./serving.ts";
import { timeoutError } from "./timeout.ts";
import type { Turn } from "./turn.ts";

export class Cohort {
  readonly id: string;
  readonly #room: Room;
  readonly #line: Line;
  #running = false;
  #turn: Turn | undefined;

  constructor(id: string, room: Room) {
    this.id = id;
    this.#room = room;
    this.#line = new Line(room.conversations, {
      timeout: (job) => timeoutError(room, { id, waitMs: job.waitMs, holder: this.#turn?.holder }),
      onEmpty: () => this.#turn?.tell(),
    });
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
    void this.#run();
  }

  /** Those in line fail; whoever is being served goes on. */
  rejectAll(error: unknown): void {
    this.#line.rejectAll(error);
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // whoever comes in the same tick shares the first turn
    while (this.#line.size > 0) {
      this.#line.unblock();
      const job = this.#lonelyWrite;
      if (job !== undefined && (await this.#writeFreely(job, job.task.plain))) continue;
      const turn = await this.#enter();
      if (turn !== undefined) await this.#serve(turn);
      this.#turn = undefined;
    }
    this.#line.unblock(); // what this cohort knew of the lock is history for its next caller
    this.#running = false;
    this.#room.emptied();
  }

  async #serve(turn: Turn): Promise<void> {
    this.#room.serve();
    try {
      await new Serving(turn, this.#line, this.#room).run();
    } finally {
      this.#room.served();
    }
  }

  /** A save or delete that stands alone. */
  get #lonelyWrite(): (StateJob & { task: { plain: StateWrite } }) | undefined {
    const job = this.#line.head;
    return this.#line.size === 1 && job instanceof StateJob && isPlain(job) ? job : undefined;
  }

  /** [S8] It needs no turn where the lock is free; answers whether that was so. */
  async #writeFreely(job: StateJob, plain: StateWrite): Promise<boolean> {
    const { conversations } = this.#room;
    this.#line.engage(job);
    try {
      const what = { doing: "Writing the state", id: this.id };
      const reply = await conversations.tell(what, (receipt) =>
        conversations.backend.writeState(this.id, plain, null, receipt),
      );
      if (reply.status === "held") {
        this.#line.disengage();
        return false;
      }
      if (reply.status === "saved" || reply.status === "deleted") publishUpdate(this.id, 1, plain);
      if (this.#line.leave(job)) job.task.answer?.(reply);
    } catch (error) {
      if (this.#line.leave(job)) job.fail(error);
    }
    return true;
  }

  /** Asks for the lock until it is ours, nobody wants it any more, or nobody answers. */
  async #enter(): Promise<Turn | undefined> {
    const head = this.#line.head;
    if (head === undefined) return undefined;
    const turn = this.#room.startTurn(this.id, head.leaseMs);
    this.#turn = turn;
    let from = now();
    try {
      while (this.#line.head?.leaseMs === turn.leaseMs) {
        if (this.#takeWake(turn)) return turn;
        from = now();
        const askAgainMs = await this.#ask(turn);
        if (turn.live) return turn;
        if (turn.state === "lost") {
          this.#answeredTooLate(turn);
          break;
        }
        if (askAgainMs > 0 && this.#line.size > 0) await this.#news(turn, askAgainMs);
      }
    } catch (error) {
      this.#failed(error, from);
    }
    if (turn.traceless) this.#room.endTurn(turn);
    else this.#room.abandonTurn(turn);
    return undefined;
  }

  /** One ask; answers how long to wait before the next one. */
  async #ask(turn: Turn): Promise<number> {
    const { conversations } = this.#room;
    const request: AcquireRequest = {
      leaseMs: turn.leaseMs,
      queue: this.#line.patient,
      load: this.#line.head instanceof StateJob,
      fences: this.#line.fencesWanted,
    };
    let attempts = 0;
    let sentAt = 0;
    turn.traceless = false;
    const reply = await conversations.ask({ doing: "Acquiring the lock", id: this.id }, () => {
      attempts += 1;
      turn.asks += 1;
      sentAt = now();
      return conversations.backend.acquireLock(
        this.id,
        turn.ticket,
        request,
        conversations.receipt(turn.slot),
      );
    });
    turn.traceless = reply.status === "held" && attempts === 1;
    return this.#told(turn, reply, sentAt);
  }

  #told(turn: Turn, reply: AcquireReply, sentAt: number): number {
    if (reply.status === "settled")
      throw new Error(`HOLDFAST_SETTLED_TICKET: ${turn.ticket} asked after its end`);
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
    turn.wanted ||= grant.waiting > 0;
    if (turn.live) this.#room.watch(turn);
  }

  async #news(turn: Turn, withinMs: number): Promise<void> {
    const { deadlines } = this.#room.conversations;
    const deadline = deadlines.set(Math.ceil(withinMs), () => turn.tell());
    await turn.news();
    deadlines.clear(deadline);
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
  #failed(error: unknown, from: number): void {
    const passing = error instanceof UnavailableError && error.code === "UNREACHABLE";
    // Whoever came during that conversation has not had its own time yet.
    const overdue = (job: Job): boolean => job.impatient || job.arrivedAt <= from;
    this.#line.rejectAll(error, passing ? overdue : undefined);
  }
}

function isPlain(job: StateJob): job is StateJob & { task: { plain: StateWrite } } {
  return job.task.plain !== undefined;
}
