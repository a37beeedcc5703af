/**
 * Time as the global timers of the process tell it: those of Vitest, Jest or Sinon, while they are installed, moved by
 * their own function. Each global is looked up when it is called.
 */
import { InvalidArgumentError } from "../../errors.ts";
import { nodeTime } from "../../time/node-time.ts";
import type { Stoppable, TimeSource } from "../../time/time-source.ts";
import { CountedTurns, repeatable, type MovedTime } from "./virtual-time.ts";

/** Fake timers do not tell when the next one is due, so that a wait looks this often whether it is over. */
const stepMs = 50;

/** Turns of the event loop stay real: a test that moves the time lets the loop turn as well. */
export const globalTime: TimeSource = {
  now: () => globalThis.performance.now(),
  wallNow: () => globalThis.Date.now(),
  later,
  turn: nodeTime.turn,
  keepAlive: () => ({ ref: () => undefined, unref: () => undefined, close: () => undefined }),
};

function later(ms: number, fn: () => void): Stoppable {
  const { setTimeout, clearTimeout } = globalThis;
  const timer = setTimeout(fn, ms);
  return { stop: () => clearTimeout(timer) };
}

export class FakeTimersTime implements MovedTime {
  readonly source: TimeSource;
  readonly #turns = new CountedTurns();
  readonly #advanceTimers: (ms: number) => unknown;

  /** `advanceTimers`: the function that moves the fake timers, and awaits what they call. */
  constructor(advanceTimers: (ms: number) => unknown) {
    if (isNodes(globalThis, "setTimeout") || isNodes(globalThis.performance, "now"))
      throw new InvalidArgumentError(
        "advanceTimers moves fake timers, but setTimeout and performance are not both fake: install fake timers first " +
          "(vi.useFakeTimers(), jest.useFakeTimers()), or leave advanceTimers out.",
      );
    this.#advanceTimers = advanceTimers;
    this.source = { ...globalTime, turn: (fn) => this.#turns.turn(fn), random: repeatable() };
  }

  settle(): Promise<void> {
    return this.#turns.rest();
  }

  async advance(ms: number): Promise<void> {
    await this.settle();
    await this.#advanceTimers(ms);
    await this.settle();
  }

  async advanceUntil(isDone: () => boolean, withinMs: number): Promise<boolean> {
    await this.settle();
    for (let ms = 0; ms < withinMs && !isDone(); ms += stepMs)
      await this.advance(Math.min(stepMs, withinMs - ms));
    return isDone();
  }
}

/** Fake timers of all kinds are marked, or have names of their own. */
function isNodes(of: object, name: string): boolean {
  const fn: unknown = Reflect.get(of, name);
  return typeof fn === "function" && fn.name === name && !("clock" in fn) && !("_isMockFunction" in fn);
}
