/**
 * Paces scripts and replies, so that the server runs one script while this process handles the replies to another.
 *
 * Without it, one side is always idle: all operations are sent, run and answered together. So the operations in flight
 * are spread over three scripts, and the replies of about a third are settled at a time. In between, the event loop
 * turns, so that the callers' next operations are sent before more replies are settled. No operation is delayed: each
 * is sent in the tick in which it is made.
 */
import { AsyncResource } from "node:async_hooks";
import { nextTurn, now } from "../../../timers.ts";

/** One on the server, one in transit, one in this process. */
const parts = 3;
/** With this few in flight, another script costs more than it gains. */
const few = 3;
/** How long a reply may wait to be settled if turns of the event loop are long. */
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
  /** Whether some were settled, and the operations that follow from them may not have been written yet. */
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

  /** The minimum number of scripts for new operations: each should have about a third of all operations in flight. */
  scriptsFor(coming: number): number {
    if (this.#areFew) return 1;
    return Math.max(1, Math.round((coming * parts) / this.#inFlight));
  }

  /**
   * A script has its reply, or has failed. `settle`, which settles its operations, is called now or in one of the next
   * turns.
   */
  replyReceived(operations: number, settle: () => void): void {
    if (this.#areFew && this.#replies.length === 0) return this.#settle(operations, settle);
    this.#replies.push({ operations, settle, at: this.#now() });
    if (!this.#isPausing || this.#areFew) this.#settleSome();
  }

  #settleSome(): void {
    let room = this.#isLate() ? Infinity : this.#inFlight / parts;
    // A script of which half fits is settled too, since thirds are never exact. If few are in flight, all are settled.
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
    this.#settle(reply.operations, reply.settle);
    return reply.operations;
  }

  #settle(operations: number, settle: () => void): void {
    this.#scriptsInFlight -= 1;
    this.#inFlight -= operations;
    settle();
  }

  /**
   * The client package writes in its own setImmediate, which may come after this one: hence the second one. Both are
   * bound, so that the async context of a caller is not carried from turn to turn.
   */
  readonly #pause = AsyncResource.bind((): void => {
    nextTurn(this.#resume);
  });

  readonly #resume = AsyncResource.bind((): void => {
    this.#isPausing = false;
    if (this.#replies.length > 0) this.#settleSome();
  });
}
