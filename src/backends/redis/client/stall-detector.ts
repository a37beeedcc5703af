/**
 * Notices a connection on which nothing moves any more though no error says so: a black hole in the network.
 *
 * What moves are bytes: a large answer on a narrow line comes in pieces, and each piece counts. What is sent cannot be
 * followed like that, since it is buffered on its way; so a large command is given as much time as it takes on a slow
 * line. Time in which the event loop was blocked does not count: nothing could have been read in it.
 * Costs a few additions per command, and a look now and then while answers are awaited.
 */
import { after, now } from "../../../timers.ts";

/** The line that a large command is given time for; slower ones are given up while it is under way. */
const slowestBytesPerMs = 64;
/** So often within the limit it is looked whether something was read. */
const looks = 4;

export interface StallDetectorOptions {
  /** How long nothing may be read while an answer is awaited. */
  readonly limitMs: number;
  /** However large a command is, and where reading cannot be followed. */
  readonly longestMs: number;
  /** How many bytes were read so far; `undefined` where that cannot be told. */
  readonly bytesRead: () => number | undefined;
  readonly onStall: (quietMs: number) => void;
}

export class StallDetector {
  readonly #options: StallDetectorOptions;
  readonly #stepMs: number;
  #pending = 0;
  #pendingBytes = 0;
  /** When the last answer came, or something was last seen to be read, or the first command after a rest was sent. */
  #since = 0;
  #read: number | undefined;
  #isLooking = false;

  constructor(options: StallDetectorOptions) {
    this.#options = options;
    this.#stepMs = options.limitMs / looks;
  }

  sent(bytes: number): void {
    this.#pending += 1;
    this.#pendingBytes += bytes;
    if (this.#pending > 1) return;
    this.#since = now();
    this.#read = this.#options.bytesRead();
    if (!this.#isLooking) this.#lookLater();
  }

  answered(bytes: number): void {
    this.#pending -= 1;
    this.#pendingBytes -= bytes;
    this.#since = now();
  }

  get isIdle(): boolean {
    return this.#pending === 0;
  }

  #lookLater(): void {
    this.#isLooking = true;
    const dueAt = now() + this.#stepMs;
    after(this.#stepMs, () => this.#look(now() - dueAt));
  }

  #look(lateMs: number): void {
    this.#isLooking = false;
    if (this.#pending === 0) return;
    if (lateMs > this.#stepMs / 2) this.#since += lateMs;
    const read = this.#options.bytesRead();
    if (read !== this.#read) this.#since = now();
    this.#read = read;
    const quietMs = now() - this.#since;
    if (quietMs < this.#limitMs()) this.#lookLater();
    else this.#options.onStall(quietMs);
  }

  #limitMs(): number {
    const { limitMs, longestMs } = this.#options;
    if (this.#read === undefined) return longestMs;
    return Math.min(longestMs, limitMs + this.#pendingBytes / slowestBytesPerMs);
  }
}
