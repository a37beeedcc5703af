/**
 * The line of one id in this process: its hold, if it has one, and its waiters in the order in which they came.
 *
 * Only one ask at a time goes to the server, for the first waiter, and none while this process holds the lock. Releases of
 * other clients wake nobody, so the line asks again and again, at most 100 ms apart, with jitter.
 *
 * A process whose callers take turns would hardly ever leave the lock free, and clients that ask every 100 ms, as Python
 * does, would not get it. So after a second of turns the line leaves the lock free for a little longer than that.
 */
import type { PlainAnswer } from "../../backends/contract-plain.ts";
import { InvalidArgumentError, quoted } from "../../errors.ts";
import { now, type Deadline, type Deadlines } from "../../timers.ts";
import type { PlainHold } from "./hold.ts";
import type { OwnerScope } from "./owner.ts";
import { Waiter, type Wait } from "./waiter.ts";

/** Between two asks: at least, and at most. Python asks every 100 ms. */
const askMs = { least: 40, most: 95 } as const;
/** After how long of its own turns a process leaves the lock free, and for how long. */
const turnsMs = 1_000;
const restMs = 110;
/** Turns follow each other as long as the lock is not free for longer. */
const gapMs = 100;

export interface Asking {
  readonly deadlines: Deadlines;
  /** Asks once. */
  readonly ask: (id: string) => Promise<Asked>;
  /** Makes the hold of a grant. */
  readonly hold: (asked: Asked, owner: OwnerScope) => PlainHold;
  /** Gives back a grant that no waiter wants any more; never throws. */
  readonly giveBack: (id: string, token: string) => void;
  readonly timeout: (wait: Wait, line: Line) => Error;
  /** Nothing is left in the line. */
  readonly onEmpty: (line: Line) => void;
}

export interface Asked {
  readonly id: string;
  readonly token: string;
  readonly sentAt: number;
  readonly answer: PlainAnswer;
}

type Busy = Extract<PlainAnswer, { status: "busy" }>;

export class Line {
  readonly id: string;
  readonly #asking: Asking;
  #waiters: readonly Waiter[] = [];
  #hold: PlainHold | undefined;
  #isAsking = false;
  /** Until the next ask, or until a gap has passed. */
  #pause: Deadline | undefined;
  #idle: Deadline | undefined;
  /** Since when this process has had the lock in turns. */
  #turnsSince: number | undefined;
  /** Who had it at the last ask; `undefined`: not known. */
  holder: string | undefined;

  constructor(id: string, asking: Asking) {
    this.id = id;
    this.#asking = asking;
  }

  /** What this process holds, or is releasing. */
  get hold(): PlainHold | undefined {
    return this.#hold;
  }

  /** Resolves once the wait's owner holds the lock. */
  join(wait: Wait): Promise<void> {
    const { deadlines } = this.#asking;
    const onOver = (waiter: Waiter): void => this.#leave(waiter);
    const waiter = new Waiter(wait, deadlines, { onTime: (late) => this.#timeIsUp(late), onOver });
    this.#waiters = [...this.#waiters, waiter];
    if (wait.waitMs === 0) this.#tryOnce(waiter);
    else this.#proceed();
    return waiter.promise;
  }

  /** With the ask that is under way, or with one that neither a pause nor a rest delays. */
  #tryOnce(waiter: Waiter): void {
    waiter.isLate = true;
    if (this.#hold !== undefined) return this.#timeIsUp(waiter);
    this.#asking.deadlines.clear(this.#pause);
    this.#pause = undefined;
    if (!this.#isAsking) void this.#ask();
  }

  /** The hold was released, is lost, or was given up: the next waiter's turn. */
  freed(hold: PlainHold): void {
    if (this.#hold !== hold) return;
    this.#hold = undefined;
    this.#idle = this.#asking.deadlines.set(gapMs, () => this.#becomeIdle());
    this.#proceed();
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#waiters) waiter.failed(error);
  }

  /** The function of their owner has ended. */
  rejectOf(owner: OwnerScope): void {
    for (const waiter of this.#waiters.filter(({ wait }) => wait.owner === owner))
      waiter.failed(
        new InvalidArgumentError(
          `The function of this owner() ended while its acquireLock(${quoted(this.id)}) still waited: await it.`,
        ),
      );
  }

  #leave(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((one) => one !== waiter);
    this.#endIfEmpty();
  }

  /** One that an ask is under way for gets its answer. */
  #timeIsUp(waiter: Waiter): void {
    if (this.#isAsking && (waiter.isLate || this.#waiters[0] === waiter)) waiter.isLate = true;
    else waiter.failed(this.#asking.timeout(waiter.wait, this));
  }

  #lateOnesFail(): void {
    for (const waiter of this.#waiters.filter(({ isLate }) => isLate)) this.#timeIsUp(waiter);
  }

  #proceed(): void {
    const [first] = this.#waiters;
    if (first === undefined || this.#hold !== undefined || this.#isAsking || this.#pause !== undefined)
      return;
    if (this.#mustRest(first)) {
      this.#turnsSince = undefined;
      this.#pauseFor(restMs + Math.random() * 20);
    } else void this.#ask();
  }

  #mustRest({ endsAt }: Waiter): boolean {
    const at = now();
    return this.#turnsSince !== undefined && at - this.#turnsSince >= turnsMs && endsAt - at > 2 * restMs;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const asked = await this.#asking.ask(this.id);
      this.#isAsking = false;
      if (asked.answer.status === "granted") this.#granted(asked);
      else this.#refused(asked.answer);
    } catch (error) {
      this.#isAsking = false;
      this.rejectAll(error); // the ask was made for all of them
    }
    this.#endIfEmpty();
  }

  /** To the first waiter that still wants it, and to others of the same owner, which re-enters. */
  #granted(asked: Asked): void {
    const [first, ...others] = this.#waiters;
    if (first === undefined || this.#hold !== undefined) return this.#asking.giveBack(this.id, asked.token);
    const { owner } = first.wait;
    const hold = this.#asking.hold(asked, owner);
    this.#hold = hold;
    this.#asking.deadlines.clear(this.#idle);
    this.#turnsSince ??= now();
    first.granted();
    for (const waiter of others.filter(({ wait }) => wait.owner === owner && !owner.isAnonymous)) {
      hold.enter();
      waiter.granted();
    }
    this.#lateOnesFail();
  }

  #refused({ holder, leftMs }: Busy): void {
    this.holder = holder;
    this.#turnsSince = undefined;
    this.#lateOnesFail();
    const ms = askMs.least + Math.random() * (askMs.most - askMs.least);
    // A lease that ends sooner is not waited for longer.
    this.#pauseFor(leftMs === null ? ms : Math.min(ms, leftMs + 1));
  }

  #pauseFor(ms: number): void {
    if (this.#waiters.length === 0) return;
    this.#pause = this.#asking.deadlines.set(ms, () => this.#resume());
  }

  #resume(): void {
    this.#asking.deadlines.clear(this.#pause);
    this.#pause = undefined;
    this.#proceed();
  }

  #becomeIdle(): void {
    this.#idle = undefined;
    if (this.#hold === undefined && !this.#isAsking && this.#pause === undefined)
      this.#turnsSince = undefined;
    this.#endIfEmpty();
  }

  #endIfEmpty(): void {
    if (this.#waiters.length > 0 || this.#hold !== undefined || this.#isAsking) return;
    this.#asking.deadlines.clear(this.#pause);
    this.#pause = undefined;
    if (this.#idle === undefined || !this.#idle.isLinked) this.#asking.onEmpty(this);
  }
}
