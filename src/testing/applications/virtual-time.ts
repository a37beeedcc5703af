/**
 * Time that a test moves. Nothing waits: the clock jumps to the next timer. Between two timers everything goes on that
 * needs no time, in turns of the real event loop, so that the order of events does not depend on how fast the machine is.
 */
import { strict as assert } from "node:assert";
import { AsyncResource } from "node:async_hooks";

import { nodeTime } from "../../time/node-time.ts";
import type { Stoppable, TimeSource } from "../../time/time-source.ts";

/** Everything has come to rest when so many turns of the event loop, one after the other, had nothing to do. */
const quietTurns = 3;
/** After so many turns, a few seconds, something goes round and round without a pause. */
const mostTurns = 10_000;

/** How a test moves the time. */
export interface MovedTime {
  readonly source: TimeSource;
  /** Lets everything go on that needs no time. */
  settle(): Promise<void>;
  /** Moves the time by `ms`, timer by timer. */
  advance(ms: number): Promise<void>;
  /** Moves the time until `isDone()`, by `withinMs` at most. Returns whether it is done. */
  advanceUntil(isDone: () => boolean, withinMs: number): Promise<boolean>;
}

interface Timer {
  readonly dueAt: number;
  readonly fire: () => void;
}

export class VirtualTime implements MovedTime {
  readonly source: TimeSource;
  readonly #aheadMs: number;
  readonly #turns = new CountedTurns();
  /** By when they are due, and then by when they were set. */
  readonly #timers: Timer[] = [];
  #now: number;

  constructor() {
    this.#now = Math.ceil(nodeTime.now()); // whole, as timers are, so that sums are exact and runs repeat
    this.#aheadMs = nodeTime.wallNow() - this.#now;
    this.source = {
      now: () => this.#now,
      wallNow: () => Math.floor(this.#now + this.#aheadMs),
      later: (ms, fn) => this.#later(ms, fn),
      turn: (fn) => this.#turns.turn(fn),
      keepAlive: () => ({ ref: () => undefined, unref: () => undefined, close: () => undefined }),
      random: repeatable(),
    };
  }

  settle(): Promise<void> {
    return this.#turns.rest();
  }

  async advance(ms: number): Promise<void> {
    await this.advanceUntil(() => false, ms);
  }

  async advanceUntil(isDone: () => boolean, withinMs: number): Promise<boolean> {
    const endsAt = this.#now + withinMs;
    for (;;) {
      await this.settle();
      if (isDone()) return true;
      const [next] = this.#timers;
      if (next === undefined || next.dueAt > endsAt) break;
      this.#timers.shift();
      this.#now = Math.max(this.#now, next.dueAt);
      next.fire();
    }
    this.#now = Math.max(this.#now, endsAt);
    return false;
  }

  #later(ms: number, fn: () => void): Stoppable {
    const timer: Timer = { dueAt: this.#now + Math.max(Math.ceil(ms), 0), fire: AsyncResource.bind(fn) };
    const after = this.#timers.findIndex(({ dueAt }) => dueAt > timer.dueAt);
    this.#timers.splice(after === -1 ? this.#timers.length : after, 0, timer);
    return {
      stop: () => {
        const at = this.#timers.indexOf(timer);
        if (at !== -1) this.#timers.splice(at, 1);
      },
    };
  }
}

/** Numbers from 0 to 1 that are spread evenly, and are the same in each world. */
export function repeatable(): () => number {
  const step = (Math.sqrt(5) - 1) / 2;
  let last = 0;
  return () => (last = (last + step) % 1);
}

/** Turns of the real event loop that something waits for. */
export class CountedTurns {
  #awaited = 0;

  turn(fn: () => void): void {
    this.#awaited += 1;
    nodeTime.turn(() => {
      this.#awaited -= 1;
      fn();
    });
  }

  /** Resolves when nothing has waited for a turn for a while. */
  async rest(): Promise<void> {
    let quiet = 0;
    for (let turns = 0; quiet < quietTurns; turns += 1) {
      if (turns === mostTurns)
        assert.fail("The stores do not come to rest: something calls them again and again without a pause.");
      await new Promise<void>((resolve) => nodeTime.turn(resolve));
      quiet = this.#awaited === 0 ? quiet + 1 : 0;
    }
  }
}
