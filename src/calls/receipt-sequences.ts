/**
 * Numbers for operations that must take effect once [S5]. An operation has the number that its sequence is at, and the
 * server keeps the last number of each sequence with its reply. A sequence runs one operation at a time.
 */

export class Sequence {
  readonly index: number;
  #n = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** The number of the current operation. */
  get n(): number {
    return this.#n;
  }

  /** Moves on to the next operation. */
  next(): void {
    this.#n += 1;
  }
}

/** The sequences of one opened store: as many as it has ever had operations and tickets at the same time. */
export class Sequences {
  readonly #free: Sequence[] = [];
  #made = 0;

  /** A free sequence, at the number of a new operation. */
  take(): Sequence {
    const sequence = this.#free.pop() ?? new Sequence(this.#made++);
    sequence.next();
    return sequence;
  }

  giveBack(sequence: Sequence): void {
    this.#free.push(sequence);
  }
}
