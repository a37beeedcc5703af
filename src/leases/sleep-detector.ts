/**
 * Notices that the machine has slept: a suspended laptop, a paused virtual machine. There the monotonic clock, by which
 * leases and timers are counted, stands still while the wall clock and the server's leases go on. So when the wall clock has
 * run ahead of it, every lock that is held may have ended, and is asked for immediately.
 *
 * The only place where the wall clock is read. A clock that was merely set costs one renewal too many.
 */
import { now, type Deadlines } from "../timers.ts";

/** How often to compare the clocks; a body that goes on after a sleep learns of its loss about so late. */
const lookEveryMs = 1_000;
/** The clocks differ by so much only if one of them stood still, or was set. */
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

  /** From now on, for as long as it is needed. */
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
    const aheadMs = wallClockAheadMs();
    const hasSlept = aheadMs - this.#aheadMs > sleptMs;
    this.#aheadMs = aheadMs;
    this.#lookLater();
    if (hasSlept) this.#onSleep();
  }
}

function wallClockAheadMs(): number {
  return Date.now() - now();
}
