/**
 * Time, as the core uses it: the monotonic clock, deadlines that cost little, and what keeps a process alive.
 *
 * Timers here never keep the process alive; only a {@link KeepAlive} does [P1]. No wall clock is read anywhere.
 */

/** The monotonic clock of this process, in milliseconds. */
export const now = (): number => performance.now();

/** Node's timers overflow beyond this and then fire at once; longer waits are chunked. */
const maxTimerMs = 2 ** 31 - 1;

/** A deadline that was set; give it back to {@link Deadlines.clear}. */
export interface Deadline {
  readonly dueAt: number;
  readonly fire: () => void;
  readonly queue: Set<Deadline>;
}

/** Deadlines of one length: in order by themselves, as long as each is due no earlier than the one before. */
interface Queue {
  readonly deadlines: Set<Deadline>;
  lastDueAt: number;
}

/**
 * Many deadlines, one timer. Those of equal length share a queue that is in order by itself, so that setting and
 * clearing one is a set operation, and an uncontended call never touches Node's timers. The few that are due
 * earlier than one set before them are strays, which are looked through one by one.
 */
export class Deadlines {
  readonly #queues = new Map<number, Queue>();
  readonly #strays = new Set<Deadline>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  /** Calls `fire` once, `lengthMs` after `from` (default: now). An infinite length never fires. */
  set(lengthMs: number, fire: () => void, from: number = now()): Deadline {
    const dueAt = from + lengthMs;
    const deadline = { dueAt, fire, queue: this.#queueFor(lengthMs, dueAt) };
    if (dueAt === Infinity) return deadline;
    deadline.queue.add(deadline);
    if (dueAt < this.#timerAt) this.#arm(dueAt);
    return deadline;
  }

  clear(deadline: Deadline | undefined): void {
    deadline?.queue.delete(deadline);
  }

  /** Forgets all of them. */
  clearAll(): void {
    clearTimeout(this.#timer);
    this.#queues.clear();
    this.#strays.clear();
    this.#timerAt = Infinity;
  }

  #queueFor(lengthMs: number, dueAt: number): Set<Deadline> {
    let queue = this.#queues.get(lengthMs);
    if (queue === undefined) this.#queues.set(lengthMs, (queue = { deadlines: new Set(), lastDueAt: dueAt }));
    if (dueAt < queue.lastDueAt && queue.deadlines.size > 0) return this.#strays;
    queue.lastDueAt = dueAt;
    return queue.deadlines;
  }

  #arm(at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    // Rounded up: a timer that fires a fraction early would only be set again.
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(Math.ceil(at - now()), 0), maxTimerMs));
    this.#timer.unref();
  }

  #fire(): void {
    this.#timerAt = Infinity;
    let next = Infinity;
    for (const [lengthMs, { deadlines }] of this.#queues) {
      for (const deadline of deadlines) {
        if (deadline.dueAt > now()) break;
        this.#end(deadline);
      }
      const [first] = deadlines;
      if (first === undefined) this.#queues.delete(lengthMs);
      else next = Math.min(next, first.dueAt);
    }
    for (const stray of this.#strays) {
      if (stray.dueAt <= now()) this.#end(stray);
      else next = Math.min(next, stray.dueAt);
    }
    if (next < this.#timerAt) this.#arm(next);
  }

  #end(deadline: Deadline): void {
    deadline.queue.delete(deadline);
    deadline.fire();
  }
}

/** Keeps the process alive while something is pending: the only thing in the library that does [P1]. */
export class KeepAlive {
  #held = 0;
  readonly #timer = setInterval(() => undefined, maxTimerMs).unref();

  hold(): void {
    if (this.#held++ === 0) this.#timer.ref();
  }

  drop(): void {
    if (--this.#held === 0) this.#timer.unref();
  }

  /** Ends it for good. */
  close(): void {
    clearInterval(this.#timer);
  }
}

/** Resolves after `ms`; does not keep the process alive by itself. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
