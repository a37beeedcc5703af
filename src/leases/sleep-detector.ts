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
  /** The wall clock at the last comparison, and how far it was ahead of the monotonic one. */
  #wallAt = 0;
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
    this.#compare(wallNow());
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
    const wallAt = wallNow();
    // Awake and asleep together, less time has passed than is looked for: this is by far the usual case, and cheap.
    if (wallAt >= this.#wallAt && wallAt - this.#wallAt < sleptMs) return;
    if (this.#compare(wallAt) > sleptMs) this.#onSleep();
  }

  /** Returns by how much more than at the last comparison the wall clock is ahead. */
  #compare(wallAt: number): number {
    const before = this.#aheadMs;
    this.#wallAt = wallAt;
    this.#aheadMs = wallAt - now();
    return this.#aheadMs - before;
  }
}
