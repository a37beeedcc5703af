/**
 * Lets the event loop turn while a program awaits one call after another.
 *
 * A step over rows in this process waits for nothing, and a program that only awaits such steps never leaves the
 * microtasks: no timer runs, no socket is read, and no lease is renewed [L5]. So steps run at once for a few
 * milliseconds. Then the next one waits for a turn of the loop, and later calls wait behind it, in order.
 */
import { loopClock, nextTurn } from "../timers.ts";

/** Far below any lease or deadline. A turn takes a few microseconds, so one in this time costs almost nothing. */
const longestRunMs = 5;

export class EventLoopYield {
  #turnedAt = -Infinity;
  #waiting: (() => void)[] = [];

  run<T>(step: () => T): Promise<T> {
    if (this.#waiting.length === 0 && this.#hasTime()) return attempt(step);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => void attempt(step).then(resolve, reject));
      if (this.#waiting.length === 1) nextTurn(this.#turn);
    });
  }

  /** Runs what waits for a turn now. */
  finish(): void {
    for (const step of this.#waiting.splice(0)) step();
  }

  readonly #turn = (): void => {
    this.#turnedAt = loopClock();
    const steps = this.#waiting;
    let done = 0;
    while (done < steps.length && this.#hasTime()) steps[done++]?.();
    this.#waiting = steps.slice(done);
    if (this.#waiting.length > 0) nextTurn(this.#turn);
  };

  #hasTime(): boolean {
    return loopClock() - this.#turnedAt < longestRunMs;
  }
}

function attempt<T>(step: () => T): Promise<T> {
  try {
    return Promise.resolve(step());
  } catch (error) {
    return Promise.reject(error);
  }
}
