/**
 * Notices a connection that goes silent without an error: a black hole in the network.
 *
 * It follows bytes, not replies, since a large reply on a slow line arrives in pieces. Sent bytes cannot be followed, since
 * they are buffered on their way; so a large command gets as much time as it takes on a slow line. Time in which the
 * event loop was blocked does not count, since nothing could be read. It costs a few additions per command.
 */
import { after, now, type Stoppable } from "../../../timers.ts";

/** The slowest line that a large command gets enough time for. */
const slowestBytesPerMs = 64;
/** How often within the limit the bytes read are checked. */
const checksPerLimit = 4;

export interface StallDetectorOptions {
  /** How long a reply may be pending without any bytes read. */
  readonly limitMs: number;
  /** The limit for the largest commands, and where bytes read are unknown. */
  readonly longestMs: number;
  /** How many bytes were read so far; `undefined` where that is unknown. */
  readonly bytesRead: () => number | undefined;
  readonly onStall: (quietMs: number) => void;
}

export class StallDetector {
  readonly #options: StallDetectorOptions;
  readonly #stepMs: number;
  #pending = 0;
  #pendingBytes = 0;
  /** When the last reply came, or bytes were last seen to be read, or the first command after an idle time was sent. */
  #quietSince = 0;
  #lastBytesRead: number | undefined;
  #scheduled: Stoppable | undefined;
  #isOver = false;

  constructor(options: StallDetectorOptions) {
    this.#options = options;
    this.#stepMs = options.limitMs / checksPerLimit;
  }

  sent(bytes: number): void {
    this.#pending += 1;
    this.#pendingBytes += bytes;
    if (this.#pending > 1) return;
    this.#quietSince = now();
    this.#lastBytesRead = this.#options.bytesRead();
    if (this.#scheduled === undefined) this.#schedule();
  }

  answered(bytes: number): void {
    this.#pending -= 1;
    this.#pendingBytes -= bytes;
    this.#quietSince = now();
    if (this.#isOver) this.end();
  }

  /** The connection is being ended: it is not followed any more, once nothing is pending. */
  end(): void {
    this.#isOver = true;
    if (this.isIdle) this.#scheduled?.stop();
  }

  get isIdle(): boolean {
    return this.#pending === 0;
  }

  #schedule(): void {
    const dueAt = now() + this.#stepMs;
    this.#scheduled = after(this.#stepMs, () => this.#check(now() - dueAt));
  }

  #check(lateMs: number): void {
    this.#scheduled = undefined;
    if (this.#pending === 0) return;
    if (lateMs > this.#stepMs / 2) this.#quietSince += lateMs;
    const read = this.#options.bytesRead();
    if (read !== this.#lastBytesRead) this.#quietSince = now();
    this.#lastBytesRead = read;
    const quietMs = now() - this.#quietSince;
    if (quietMs < this.#limitMs()) this.#schedule();
    else this.#options.onStall(quietMs);
  }

  #limitMs(): number {
    const { limitMs, longestMs } = this.#options;
    if (this.#lastBytesRead === undefined) return longestMs;
    return Math.min(longestMs, limitMs + this.#pendingBytes / slowestBytesPerMs);
  }
}
