/**
 * Notices that the machine has slept: a suspended laptop, a paused virtual machine. Then the monotonic clock, by which
 * leases and timers are counted, stops, while the wall clock and the server's leases go on. So when the wall clock has
 * run ahead, every held lock may have ended, and is renewed at once to find out. Until then nothing new begins under it.
 *
 * The core reads the wall clock only here. If the clock was merely set, the cost is one unnecessary renewal.
 */
import { now, wallNow, type Deadlines } from "../timers.ts";

/** How often the clocks are compared, besides at calls. A body that calls nothing learns of its loss up to this much later. */
const lookEveryMs = 1_000;
/** The clocks differ by this much only if one of them stopped, or was set. */
const sleptMs = 500;

export class SleepDetector {
  readonly #deadlines: Deadlines;
  readonly #onSleep: () => void;
  readonly #isNeeded: () => boolean;
  #isLooking = false;
  #aheadMs = 0;

  constructor(deadlines: Deadlines, on: { readonly isNeeded: () => boolean; readonly onSleep: () => void }) {
    this.#deadlines = deadlines;
    this.#isNeeded = on.isNeeded;
    this.#onSleep = on.onSleep;
  }

  /** Runs from now on, for as long as it is needed. */
  start(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#aheadMs = wallClockAheadMs();
    this.#lookLater();
  }

  #lookLater(): void {
    this.#deadlines.set(lookEveryMs, () => this.#look());
  }

  #look(): void {
    this.#isLooking = this.#isNeeded();
    if (!this.#isLooking) return;
    this.#lookLater();
    this.lookNow();
  }

  /** Before something is begun that relies on a lock. */
  lookNow(): void {
    if (!this.#isLooking) return;
    const aheadMs = wallClockAheadMs();
    const hasSlept = aheadMs - this.#aheadMs > sleptMs;
    this.#aheadMs = aheadMs;
    if (hasSlept) this.#onSleep();
  }
}

function wallClockAheadMs(): number {
  return wallNow() - now();
}
