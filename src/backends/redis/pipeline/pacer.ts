/**
 * How scripts are paced, so that the server runs one while this process works on the answers of another.
 *
 * What is sent at once is read, run and answered at once: the server would rest while this process works on all the
 * answers, and this process while the server runs all the operations. So what is under way is spread over three scripts,
 * and the answers of one third are opened at a time, with a turn of the event loop between: what their callers ask next is
 * on its way before the next answers are opened. Nothing is held back for it: each operation is sent in the tick that
 * brings it.
 */
import { AsyncResource } from "node:async_hooks";
import { nextTurn, now } from "../../../timers.ts";

/** One at the server, one on the way, one in this process. */
const parts = 3;
/** With so few under way, each script costs more than it gains. */
const few = 3;
/** Where a turn of the event loop takes long, answers that are here wait no longer than this for the next. */
const longMs = 5;

interface Answer {
  readonly operations: number;
  readonly open: () => void;
  readonly at: number;
}

export class Pacer {
  /** Operations whose answers have not been opened. */
  #underWay = 0;
  /** Scripts whose answers have not been opened. */
  #scripts = 0;
  readonly #answers: Answer[] = [];
  /** Some have been opened, and what they bring may not be written yet. */
  #isResting = false;
  readonly #now: () => number;

  constructor(clock: () => number = now) {
    this.#now = clock;
  }

  get #areFew(): boolean {
    return this.#underWay <= few;
  }

  added(): void {
    this.#underWay += 1;
  }

  sent(): void {
    this.#scripts += 1;
  }

  /** Over how many scripts to spread so many operations, at least: each should have about a third of all under way. */
  scriptsFor(coming: number): number {
    if (this.#areFew) return 1;
    return Math.max(1, Math.round((coming * parts) / this.#underWay));
  }

  /** The answers of a script are here: `open` settles its operations, now or in one of the next turns. */
  answered(operations: number, open: () => void): void {
    this.#answers.push({ operations, open, at: this.#now() });
    if (!this.#isResting || this.#areFew) this.#openSome();
  }

  #openSome(): void {
    let room = this.#isLate() ? Infinity : this.#underWay / parts;
    // One that fits by half is opened, too: thirds are never exact. Of few, none is left.
    do room -= this.#openNext();
    while (this.#answers[0] !== undefined && (this.#areFew || this.#answers[0].operations / 2 <= room));
    if (this.#isResting || this.#scripts === 0 || this.#areFew) return;
    this.#isResting = true;
    nextTurn(this.#rest);
  }

  #isLate(): boolean {
    const oldest = this.#answers[0];
    return oldest !== undefined && this.#now() - oldest.at > longMs;
  }

  #openNext(): number {
    const answer = this.#answers.shift();
    if (answer === undefined) return 0;
    this.#scripts -= 1;
    this.#underWay -= answer.operations;
    answer.open();
    return answer.operations;
  }

  /**
   * The client package writes in a setImmediate of its own, which may come after this one: hence a second one of ours.
   * Both are bound, so that no caller's context is passed on from turn to turn.
   */
  readonly #rest = AsyncResource.bind((): void => {
    nextTurn(this.#goOn);
  });

  readonly #goOn = AsyncResource.bind((): void => {
    this.#isResting = false;
    if (this.#answers.length > 0) this.#openSome();
  });
}
