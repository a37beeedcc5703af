/**
 * Time, as the library uses it: the monotonic clock, deadlines that cost little, and what keeps a process alive.
 *
 * Timers here never keep the process alive; only a {@link KeepAlive} does [P1]. No wall clock is read here. Node's
 * timers are taken once, when this file is loaded: a test that replaces the global ones does not stop ours.
 */

import { LinkedList, ListNode } from "./linked-list.ts";

const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask, performance } =
  globalThis;
const readClock = performance.now.bind(performance);

/** The monotonic clock of this process, in milliseconds. */
export const now = (): number => readClock();

/** Calls `fn` after `ms`, unless it is stopped before. */
export function after(ms: number, fn: () => void): { stop(): void } {
  const timer = setTimeout(fn, ms).unref();
  return { stop: () => clearTimeout(timer) };
}

/** Calls `fn` once what runs now has returned, before anything else. */
export const soon: (fn: () => void) => void = queueMicrotask;

/** Calls `fn` in the next turn of the event loop, once the sockets have been read. Keeps the process alive until then. */
export function nextTurn(fn: () => void): void {
  setImmediate(fn);
}

/** Calls `fn` with Node's own setImmediate in the place of one that a test has put there: for code that looks it up. */
export function underNodesImmediate<T>(fn: () => T): T {
  const present = globalThis.setImmediate;
  if (present === setImmediate) return fn();
  globalThis.setImmediate = setImmediate;
  try {
    return fn();
  } finally {
    globalThis.setImmediate = present;
  }
}

/** A timer that fires so much after its time tells that the event loop was blocked: what has arrived is not read yet. */
const blockedMs = 5;
/** In this many turns of the event loop all that had arrived is read, and given to its waiter. */
const turnsToRead = 8;

/** Node's timers overflow beyond this and then fire at once; longer waits are chunked. */
const maxTimerMs = 2 ** 31 - 1;

/** A deadline that was set; give it back to {@link Deadlines.clear}. */
export class Deadline extends ListNode {
  readonly dueAt: number;
  readonly fire: () => void;

  constructor(dueAt: number, fire: () => void) {
    super();
    this.dueAt = dueAt;
    this.fire = fire;
  }
}

/** Deadlines of one length: in order by themselves, as long as each is due no earlier than the one before. */
class Queue extends LinkedList<Deadline> {
  #lastDueAt = -Infinity;

  /** Can it be appended without breaking the order? */
  takes(dueAt: number): boolean {
    return this.isEmpty || dueAt >= this.#lastDueAt;
  }

  override append(deadline: Deadline): void {
    super.append(deadline);
    this.#lastDueAt = deadline.dueAt;
  }
}

/**
 * Many deadlines, one timer. Those of equal length share a queue that is in order by itself, so that setting and
 * clearing one moves a few pointers, and an uncontended call never touches Node's timers. The few that are due
 * earlier than one set before them are strays, which are looked through one by one.
 *
 * A deadline judges what was not there in time. Timers run before the sockets are read, so that one that comes late, since
 * the event loop was blocked, first lets the loop read what has arrived meanwhile: an answer clears its deadline then.
 * `strict` ones do not wait: those of leases, which end even if an answer has arrived [L5].
 */
export class Deadlines {
  readonly #isStrict: boolean;
  readonly #queues = new Map<number, Queue>();
  readonly #strays = new LinkedList<Deadline>();
  #timer: NodeJS.Timeout | undefined;
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

  /** Forgets all of them. */
  clearAll(): void {
    clearTimeout(this.#timer);
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
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const from = now();
    // Rounded up: a timer that fires a fraction early would only be set again.
    const ms = Math.min(Math.max(Math.ceil(at - from), 0), maxTimerMs);
    this.#timer = setTimeout(() => this.#due(from + ms), ms).unref();
  }

  #due(at: number): void {
    this.#timerAt = Infinity;
    if (this.#isStrict || now() - at < blockedMs) this.#fire();
    else this.#fireAfter(turnsToRead);
  }

  #fireAfter(turns: number): void {
    if (turns === 0) this.#fire();
    else setImmediate(() => this.#fireAfter(turns - 1));
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

/** Keeps the process alive while something is pending: the only thing in the library that does [P1]. */
export class KeepAlive {
  #count = 0;
  readonly #timer = setInterval(() => undefined, maxTimerMs).unref();

  ref(): void {
    if (this.#count++ === 0) this.#timer.ref();
  }

  unref(): void {
    if (--this.#count === 0) this.#timer.unref();
  }

  /** Ends it for good. */
  close(): void {
    clearInterval(this.#timer);
  }
}

/** Resolves after `ms`; does not keep the process alive on its own. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
