/**
 * Numbers for operations that must take effect once [S5]: an operation has the number of its sequence, and the server keeps
 * the last number of each with its answer. One operation at a time per sequence.
 */

export class Sequence {
  readonly index: number;
  #n = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** The number of the present operation. */
  get n(): number {
    return this.#n;
  }

  /** What follows is another operation. */
  next(): void {
    this.#n += 1;
  }
}

/** The sequences of one opened store: as many as it ever had operations and tickets at the same time. */
export class Sequences {
  readonly #free: Sequence[] = [];
  #made = 0;

  /** One that is not in use, at the number of a new operation. */
  take(): Sequence {
    const sequence = this.#free.pop() ?? new Sequence(this.#made++);
    sequence.next();
    return sequence;
  }

  giveBack(sequence: Sequence): void {
    this.#free.push(sequence);
  }
}
