/**
 * Notices a connection on which nothing is answered any more though no error says so: a black hole in the network.
 * Answers come in order, so that it is enough to know when the last one came. Costs a counter per command.
 */
export class StallWatch {
  readonly #limitMs: number;
  readonly #onStall: () => void;
  #pending = 0;
  /** When the last answer came, or the first command after a rest was sent. */
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, onStall: () => void) {
    this.#limitMs = limitMs;
    this.#onStall = onStall;
  }

  sent(): void {
    this.#pending += 1;
    if (this.#pending > 1) return;
    this.#since = performance.now();
    if (this.#timer === undefined) this.#arm(this.#limitMs);
  }

  answered(): void {
    this.#pending -= 1;
    this.#since = performance.now();
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.ceil(ms)).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#pending === 0) return;
    const left = this.#since + this.#limitMs - performance.now();
    if (left > 0) this.#arm(left);
    else this.#onStall();
  }
}
