// Virtual time: one line of events for the whole world, and for each process an event loop like Node's.
//
// Nothing here waits: the clock jumps to the next event. Between two events all promises go on that can, so that a run is a
// function of its seed. A loop that is stopped runs nothing, and then all that has become due meanwhile, in Node's order:
// timers, what has arrived, immediates.

import { AsyncLocalStorage } from "node:async_hooks";

const { setImmediate: nextRealTurn } = globalThis;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap: the least first. */
class Heap<T> {
  readonly #items: T[] = [];
  readonly #isBefore: (a: T, b: T) => boolean;

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    for (let up = (at - 1) >> 1; at > 0 && this.#isBefore(item, items[up]!); up = (at - 1) >> 1) {
      items[at] = items[up]!;
      at = up;
    }
    items[at] = item;
  }

  take(): T | undefined {
    const items = this.#items;
    const [first, last] = [items[0], items.pop()];
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (let down = 1; down < items.length; down = 2 * at + 1) {
      if (down + 1 < items.length && this.#isBefore(items[down + 1]!, items[down]!)) down += 1;
      if (!this.#isBefore(items[down]!, last)) break;
      items[at] = items[down]!;
      at = down;
    }
    items[at] = last;
    return first;
  }
}

const isEarlier = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** The world's time, in milliseconds, and what is to happen when. */
export class Timeline {
  /** Told of what an event threw: in a process it would be an uncaught exception. */
  onError: (error: unknown) => void = () => undefined;
  #now = 0;
  #order = 0;
  #stopped = false;
  readonly #events = new Heap<Event>(isEarlier);

  get now(): number {
    return this.#now;
  }

  at(time: number, run: () => void): void {
    this.#events.add({ at: Math.max(time, this.#now), order: (this.#order += 1), run });
  }

  after(ms: number, run: () => void): void {
    this.at(this.#now + ms, run);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Until it is stopped, nothing is left to happen, or the time is over. */
  run(untilMs: number): Promise<void> {
    this.#stopped = false;
    return new Promise((resolve) => {
      const step = (): void => {
        const event = this.#stopped ? undefined : this.#events.first;
        if (event === undefined || event.at > untilMs) {
          if (!this.#stopped) this.#now = untilMs;
          return resolve();
        }
        this.#events.take();
        this.#now = event.at;
        try {
          event.run();
        } catch (error) {
          this.onError(error);
        }
        nextRealTurn(step); // all promises that can go on do so before
      };
      step();
    });
  }
}

/** What `setTimeout` gives: as much of Node's as the library uses. */
export class Timer {
  readonly dueAt: number;
  readonly order: number;
  readonly run: () => void;
  cleared = false;

  constructor(of: { dueAt: number; order: number; run: () => void }) {
    this.dueAt = of.dueAt;
    this.order = of.order;
    this.run = of.run;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

const isDueEarlier = (a: Timer, b: Timer): boolean =>
  a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);

export interface LoopOptions {
  readonly timeline: Timeline;
  /** What its clock shows at the beginning: the clocks of two processes have nothing in common. */
  readonly offsetMs?: number;
  /** How fast its clock runs. */
  readonly rate?: number;
  /** How late a timer is, at random. */
  readonly lateness?: () => number;
}

/** The event loop of one process, and its clock. */
export class Loop {
  readonly timeline: Timeline;
  readonly #offsetMs: number;
  readonly #rate: number;
  readonly #lateness: () => number;
  readonly #timers = new Heap<Timer>(isDueEarlier);
  readonly #arrived: (() => void)[] = [];
  readonly #immediates: (() => void)[] = [];
  /** Of the phase that is under way: so many tasks are left in it. */
  #left = 0;
  #phase: "timers" | "arrived" | "immediates" = "timers";
  #order = 0;
  #nextAt = Infinity;
  #stoppedUntil = 0;
  #stoppedAt = -1;
  #isDead = false;
  /** Told of each stop once it is over. */
  onContinue: (from: number) => void = () => undefined;

  constructor(options: LoopOptions) {
    this.timeline = options.timeline;
    this.#offsetMs = options.offsetMs ?? 0;
    this.#rate = options.rate ?? 1;
    this.#lateness = options.lateness ?? (() => 0);
  }

  /** Its own monotonic clock. */
  readonly now = (): number => this.#offsetMs + this.timeline.now * this.#rate;

  get isDead(): boolean {
    return this.#isDead;
  }

  get isStopped(): boolean {
    return this.#stoppedAt >= 0;
  }

  readonly setTimeout = (run: () => void, ms = 1): Timer => {
    const wait = ms >= 1 && ms < 2 ** 31 ? Math.trunc(ms) : 1; // as Node reads it
    const dueAt = this.timeline.now + wait / this.#rate + this.#lateness();
    const timer = new Timer({ dueAt, order: (this.#order += 1), run: inThisContext(run) });
    this.#timers.add(timer);
    this.#wake();
    return timer;
  };

  /** The library uses one, which does nothing and never comes due: it only keeps a process alive. */
  readonly setInterval = (): Timer => new Timer({ dueAt: Infinity, order: 0, run: () => undefined });

  readonly clearTimeout = (timer: Timer | undefined): void => {
    if (timer !== undefined) timer.cleared = true;
  };

  readonly setImmediate = (run: () => void): void => {
    this.#immediates.push(inThisContext(run));
    this.#wake();
  };

  /** Something has come in from outside. */
  post(run: () => void): void {
    this.#arrived.push(run);
    this.#wake();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimeout(resolve, ms));
  }

  /** Nothing runs for so long, as after SIGSTOP, or while a function does not return. */
  stop(ms: number): void {
    const { now } = this.timeline;
    this.#stoppedUntil = Math.max(this.#stoppedUntil, now + ms);
    if (this.#stoppedAt < 0) this.#stoppedAt = now;
    this.timeline.at(this.#stoppedUntil, () => this.#continue());
  }

  kill(): void {
    this.#isDead = true;
  }

  #continue(): void {
    if (this.#isDead || !this.isStopped || this.timeline.now < this.#stoppedUntil) return;
    const from = this.#stoppedAt;
    this.#stoppedAt = -1;
    this.onContinue(from);
    this.#nextAt = Infinity;
    this.#wake();
  }

  /** Sets the event at which it has something to do, unless an earlier one is set. */
  #wake(): void {
    if (this.#isDead || this.isStopped) return;
    const idle = this.#arrived.length === 0 && this.#immediates.length === 0;
    const at = idle ? (this.#firstTimer()?.dueAt ?? Infinity) : this.timeline.now;
    if (at >= this.#nextAt) return;
    this.#nextAt = at;
    this.timeline.at(at, () => this.#turn(at));
  }

  /** One task, as Node runs one at a time, with all promises in between. */
  #turn(at: number): void {
    if (this.#nextAt !== at || this.#isDead || this.isStopped) return;
    this.#nextAt = Infinity;
    const task = this.#task();
    try {
      task?.();
    } finally {
      this.#wake();
    }
  }

  #task(): (() => void) | undefined {
    for (let phases = 0; phases < 4; phases += 1) {
      if (this.#phase === "timers") {
        const timer = this.#firstTimer();
        if (timer !== undefined && timer.dueAt <= this.timeline.now) return this.#timers.take()?.run;
        this.#enter("arrived", this.#arrived.length);
      } else if (this.#phase === "arrived") {
        if (this.#left-- > 0) return this.#arrived.shift();
        this.#enter("immediates", this.#immediates.length);
      } else {
        if (this.#left-- > 0) return this.#immediates.shift();
        this.#enter("timers", 0);
      }
    }
    return undefined;
  }

  #enter(phase: "timers" | "arrived" | "immediates", left: number): void {
    this.#phase = phase;
    this.#left = left;
  }

  #firstTimer(): Timer | undefined {
    while (this.#timers.first?.cleared === true) this.#timers.take();
    return this.#timers.first;
  }
}

/** A callback runs in the async context in which it was set. */
function inThisContext(run: () => void): () => void {
  const context = AsyncLocalStorage.snapshot();
  return () => context(run);
}
