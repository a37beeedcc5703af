/**
 * How scripts flow, so that the server runs one while this process works on the answers of another.
 *
 * What is sent at once is read, run and answered at once: the server would rest while this process works on all the
 * answers, and this process while the server runs all the operations. So what is under way is spread over three scripts,
 * and the answers of one third are worked on per turn of the event loop: what its callers ask next is on its way before
 * the next answers are opened. Nothing is held back for it: each operation is sent in the tick that brings it.
 */

/** One at the server, one on the way, one in this process. */
const parts = 3;
/** So few are not worth what each script costs by itself. */
const few = 3;

interface Answer {
  readonly operations: number;
  readonly open: () => void;
}

export class Flow {
  /** Operations, and scripts, whose answers have not been opened. */
  #operations = 0;
  #scripts = 0;
  readonly #answers: Answer[] = [];
  #isTaken = false;

  added(): void {
    this.#operations += 1;
  }

  sent(): void {
    this.#scripts += 1;
  }

  /** Over how many scripts to spread so many operations: each should have about a third of all that are under way. */
  scriptsFor(operations: number): number {
    if (this.#operations <= few) return 1;
    return Math.max(1, Math.round((operations * parts) / this.#operations));
  }

  /** The answers of a script are here: `open` settles its operations, now or in one of the next turns. */
  answered(operations: number, open: () => void): void {
    this.#answers.push({ operations, open });
    if (!this.#isTaken) this.#openSome();
  }

  readonly #openSome = (): void => {
    let room = this.#operations / parts;
    do room -= this.#open();
    while (this.#answers.length > 0 && room > 0 && (this.#answers[0]?.operations ?? 0) / 2 <= room);
    this.#isTaken = this.#scripts > 0;
    if (this.#isTaken) setImmediate(this.#goOn);
  };

  #open(): number {
    const answer = this.#answers.shift();
    if (answer === undefined) return 0;
    this.#scripts -= 1;
    this.#operations -= answer.operations;
    answer.open();
    return answer.operations;
  }

  /** What was asked in the last turn is written in this one; then the next answers are opened. */
  readonly #goOn = (): void => {
    setImmediate(this.#whenWritten);
  };

  readonly #whenWritten = (): void => {
    this.#isTaken = false;
    if (this.#answers.length > 0) this.#openSome();
  };
}
