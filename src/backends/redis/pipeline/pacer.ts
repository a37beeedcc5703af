/**
 * Paces scripts and replies, so that the server runs one script while this process handles the replies of another.
 *
 * Without it, one side is always idle: all operations are sent at once, run at once and answered at once. So operations
 * in flight are spread over three scripts, and the replies of a third are settled at a time, with a turn of the event
 * loop between: the next operations of their callers are sent before more replies are settled. No operation is
 * delayed: each is sent in the tick that brings it.
 */
import { AsyncResource } from "node:async_hooks";
import { nextTurn, now } from "../../../timers.ts";

/** One at the server, one in transit, one in this process. */
const parts = 3;
/** With so few in flight, a further script costs more than it gains. */
const few = 3;
/** How long a reply may wait to be settled when turns of the event loop are long. */
const maxHoldMs = 5;

interface ReceivedReply {
  readonly operations: number;
  readonly settle: () => void;
  readonly at: number;
}

export class Pacer {
  /** Operations that have not been settled. */
  #inFlight = 0;
  /** Scripts whose operations have not been settled. */
  #scriptsInFlight = 0;
  readonly #replies: ReceivedReply[] = [];
  /** Some were settled, and the operations that follow from them may not be written yet. */
  #isPausing = false;
  readonly #now: () => number;

  constructor(clock: () => number = now) {
    this.#now = clock;
  }

  get #areFew(): boolean {
    return this.#inFlight <= few;
  }

  operationAdded(): void {
    this.#inFlight += 1;
  }

  scriptSent(): void {
    this.#scriptsInFlight += 1;
  }

  /** Over how many scripts to spread new operations, at least: each should have about a third of all in flight. */
  scriptsFor(coming: number): number {
    if (this.#areFew) return 1;
    return Math.max(1, Math.round((coming * parts) / this.#inFlight));
  }

  /** A script has its reply, or has failed: `settle` is called now or in one of the next turns, and settles its operations. */
  replyReceived(operations: number, settle: () => void): void {
    this.#replies.push({ operations, settle, at: this.#now() });
    if (!this.#isPausing || this.#areFew) this.#settleSome();
  }

  #settleSome(): void {
    let room = this.#isLate() ? Infinity : this.#inFlight / parts;
    // One of which half fits is settled, too: thirds are never exact. If few are in flight, all are settled.
    do room -= this.#settleNext();
    while (this.#replies[0] !== undefined && (this.#areFew || this.#replies[0].operations / 2 <= room));
    if (this.#isPausing || this.#scriptsInFlight === 0 || this.#areFew) return;
    this.#isPausing = true;
    nextTurn(this.#pause);
  }

  #isLate(): boolean {
    const oldest = this.#replies[0];
    return oldest !== undefined && this.#now() - oldest.at > maxHoldMs;
  }

  #settleNext(): number {
    const reply = this.#replies.shift();
    if (reply === undefined) return 0;
    this.#scriptsInFlight -= 1;
    this.#inFlight -= reply.operations;
    reply.settle();
    return reply.operations;
  }

  /**
   * The client package writes in a setImmediate of its own, which may come after this one: hence a second one of ours.
   * Both are bound, so that the async context of a caller is not carried from turn to turn.
   */
  readonly #pause = AsyncResource.bind((): void => {
    nextTurn(this.#resume);
  });

  readonly #resume = AsyncResource.bind((): void => {
    this.#isPausing = false;
    if (this.#replies.length > 0) this.#settleSome();
  });
}
