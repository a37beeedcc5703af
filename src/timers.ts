/**
 * Time for the library: the monotonic clock, cheap deadlines, and what keeps a process alive.
 *
 * Timers here never keep the process alive; only a {@link KeepAlive} does [P1]. All come from one source: Node's own
 * (time/node-time.ts), even in a test that has replaced the global ones, or one that a test has set on purpose.
 */

import { LinkedList, ListNode } from "./linked-list.ts";
import { globalImmediate, nodeNow, nodeTime } from "./time/node-time.ts";
import type { KeepsAlive, Stoppable, TimeSource } from "./time/time-source.ts";

export { nextTick, soon } from "./time/node-time.ts";
export type { Stoppable } from "./time/time-source.ts";

let source: TimeSource = nodeTime;

/** Takes the time from elsewhere from now on, for tests. Returns the source that was in use. */
export function useTimeSource(next: TimeSource): TimeSource {
  const previous = source;
  source = next;
  return previous;
}

/** The monotonic clock of this process, in milliseconds. */
export const now = (): number => (source === nodeTime ? nodeNow() : source.now());

/** The time of day, in milliseconds since 1970; it may be set at any time. */
export const wallNow = (): number => source.wallNow();

/** A clock that goes on even while a test holds the time: for how long code has kept the event loop. */
export const loopClock: () => number = nodeNow;

/** Calls `fn` after `ms`, unless it is stopped before. */
export const after = (ms: number, fn: () => void): Stoppable => source.later(ms, fn);

/**
 * Calls `fn` in the next turn of the event loop, after the sockets have been read. Keeps the process alive until then.
 */
export function nextTurn(fn: () => void): void {
  source.turn(fn);
}

/** Calls `fn` with Node's own setImmediate, even if a test has replaced the global one: for code that looks it up. */
export function underNodesImmediate<T>(fn: () => T): T {
  const present = globalThis.setImmediate;
  if (present === globalImmediate || globalImmediate === undefined) return fn();
  globalThis.setImmediate = globalImmediate;
  try {
    return fn();
  } finally {
    globalThis.setImmediate = present;
  }
}

/** A timer that fires this late shows that the event loop was blocked: what has arrived has not been read yet. */
const blockedMs = 5;
/** Within this many turns of the event loop, everything that had arrived is read and handed to its waiter. */
const turnsToRead = 8;

/** Node's timers overflow beyond this and fire at once; longer waits are split. */
const maxTimerMs = 2 ** 31 - 1;

/** A deadline that was set; pass it to {@link Deadlines.clear}. */
export class Deadline extends ListNode {
  readonly dueAt: number;
  readonly fire: () => void;

  constructor(dueAt: number, fire: () => void) {
    super();
    this.dueAt = dueAt;
    this.fire = fire;
  }
}

/** Deadlines of one length. They stay in order as long as each is due no earlier than the one before. */
class Queue extends LinkedList<Deadline> {
  #lastDueAt = -Infinity;

  /** Whether it can be appended without breaking the order. */
  takes(dueAt: number): boolean {
    return this.isEmpty || dueAt >= this.#lastDueAt;
  }

  override append(deadline: Deadline): void {
    super.append(deadline);
    this.#lastDueAt = deadline.dueAt;
  }
}

/**
 * Many deadlines, one timer. Those of equal length share a queue that stays in order, so that setting and clearing one
 * moves a few references, and an uncontended call never touches Node's timers. The few that are due earlier than one
 * set before them are strays, which are searched one by one.
 *
 * A deadline ends what has not arrived in time. Timers run before the sockets are read. So a timer that fires late,
 * because the event loop was blocked, first lets the loop read what has arrived: a reply then clears its deadline.
 * `strict` deadlines do not wait: those of leases, which end even if a reply has arrived [L5].
 */
export class Deadlines {
  readonly #isStrict: boolean;
  readonly #queues = new Map<number, Queue>();
  readonly #strays = new LinkedList<Deadline>();
  readonly #source = source;
  #timer: Stoppable | undefined;
  #timerAt = Infinity;

  constructor(how: { readonly strict?: boolean } = {}) {
    this.#isStrict = how.strict === true;
  }

  /** Calls `fire` once, `lengthMs` after `from` (default: now). An infinite length never fires. */
  set(lengthMs: number, fire: () => void, from: number = now()): Deadline {
    const dueAt = from + lengthMs;
    const deadline = new Deadline(dueAt, fire);
    if (dueAt === Infinity) return deadline;
    this.#listFor(lengthMs, dueAt).append(deadline);
    if (dueAt < this.#timerAt) this.#arm(dueAt);
    return deadline;
  }

  clear(deadline: Deadline | undefined): void {
    deadline?.unlink();
  }

  /** Clears all deadlines. */
  clearAll(): void {
    this.#timer?.stop();
    this.#queues.clear();
    for (let stray = this.#strays.first; stray !== undefined; stray = this.#strays.first) stray.unlink();
    this.#timerAt = Infinity;
  }

  #listFor(lengthMs: number, dueAt: number): LinkedList<Deadline> {
    let queue = this.#queues.get(lengthMs);
    if (queue === undefined) this.#queues.set(lengthMs, (queue = new Queue()));
    return queue.takes(dueAt) ? queue : this.#strays;
  }

  #arm(at: number): void {
    this.#timer?.stop();
    this.#timerAt = at;
    const from = now();
    // Rounded up: a timer that fires a fraction early would have to be set again.
    const ms = Math.min(Math.max(Math.ceil(at - from), 0), maxTimerMs);
    this.#timer = this.#source.later(ms, () => this.#due(from + ms));
  }

  #due(at: number): void {
    this.#timerAt = Infinity;
    if (this.#isStrict || now() - at < blockedMs) this.#fire();
    else this.#fireAfter(turnsToRead);
  }

  #fireAfter(turns: number): void {
    if (turns === 0) this.#fire();
    else this.#source.turn(() => this.#fireAfter(turns - 1));
  }

  #fire(): void {
    let next = Infinity;
    for (const [lengthMs, queue] of this.#queues) {
      let first = queue.first;
      for (; first !== undefined && first.dueAt <= now(); first = queue.first) end(first);
      if (first === undefined) this.#queues.delete(lengthMs);
      else next = Math.min(next, first.dueAt);
    }
    const due: Deadline[] = [];
    for (let stray = this.#strays.first; stray !== undefined; stray = this.#strays.next(stray)) {
      if (stray.dueAt <= now()) due.push(stray);
      else next = Math.min(next, stray.dueAt);
    }
    for (const stray of due) if (stray.isLinked) end(stray); // one that fires may clear another
    if (next < this.#timerAt) this.#arm(next);
  }
}

function end(deadline: Deadline): void {
  deadline.unlink();
  deadline.fire();
}

/** Keeps the process alive while something is pending. Nothing else in the library does [P1]. */
export class KeepAlive {
  #count = 0;
  readonly #handle: KeepsAlive = source.keepAlive();

  ref(): void {
    if (this.#count++ === 0) this.#handle.ref();
  }

  unref(): void {
    if (--this.#count === 0) this.#handle.unref();
  }

  /** Stops it permanently. */
  close(): void {
    this.#handle.close();
  }
}

/** A number from 0 to 1, by which pauses of several processes differ. */
export const spread = (): number => source.random?.() ?? Math.random();

/** Resolves after `ms`; does not keep the process alive on its own. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => source.later(ms, resolve));
}
