/**
 * How an opened store talks with its backend: attempts, retries, deadlines and receipts, written once.
 *
 * A backend tries once and answers. Here a failed attempt is repeated until `operationMs` has passed [S5]; an
 * operation that changes something carries a receipt, so that its retry gets the answer of the first try. An error
 * says whether the operation may have been carried out. While a conversation runs the process stays alive [P1].
 * Nothing here knows what a lock or a state is.
 */
import type { Backend, Forgotten, Receipt } from "./backends/backend.ts";
import { CorruptStateError, HoldfastError, UnavailableError, type Outcome } from "./errors.ts";
import { Deadlines, KeepAlive, now, pause } from "./timers.ts";

/** The first pause between two attempts; it doubles up to the longest. */
const firstPauseMs = 1;
const longestPauseMs = 100;

/** One operation at a time per slot; `n` rises with each [S5]. */
export interface Slot {
  readonly index: number;
  n: number;
}

/** A receipt that the backend is known to have, and since when. */
interface Proof {
  readonly slot: number;
  readonly n: number;
  readonly at: number;
}

/** A reply that may or may not have left a record. */
interface Reply {
  readonly status: string;
}

/** Answers after which the backend has recorded the receipt: the operations that changed something. */
const recorded: ReadonlySet<string> = new Set([
  "saved",
  "deleted",
  "touched",
  "released",
  "kept",
  "cancelled",
]);

/** All conversations of one opened store. */
export class Conversations {
  readonly backend: Backend;
  readonly operationMs: number;
  readonly deadlines = new Deadlines();
  readonly keepAlive = new KeepAlive();
  readonly #keepMs: number;
  readonly #freeSlots: Slot[] = [];
  #slots = 0;
  #proof: Proof | undefined;
  #running = 0;
  readonly #onceOver: (() => void)[] = [];
  #closed = false;

  constructor(backend: Backend, operationMs: number) {
    this.backend = backend;
    this.operationMs = operationMs;
    // A retry comes at most `operationMs` after the first try, and its proof at most as long before; the rest is margin.
    this.#keepMs = Math.max(60_000, 4 * operationMs);
  }

  takeSlot(): Slot {
    return this.#freeSlots.pop() ?? { index: this.#slots++, n: 0 };
  }

  giveSlot(slot: Slot): void {
    this.#freeSlots.push(slot);
  }

  /** What `slot` stands at, for the first attempt of an operation. */
  receipt(slot: Slot): Receipt {
    return { slot: slot.index, n: slot.n, keepMs: this.#keepMs };
  }

  /** An operation that changes nothing: whatever fails, nothing was done. */
  async read<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    try {
      return await this.#converse(what, attempt);
    } catch (error) {
      throw error instanceof HoldfastError ? withOutcome(error, "none") : error;
    }
  }

  /** An operation that may be repeated freely: retried until it is answered. */
  ask<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return this.#converse(what, attempt);
  }

  /**
   * An operation that must take effect once [S5]: its retries carry the same receipt.
   * With a `slot` of the caller's, its present `n` is used; otherwise a free one is taken for this operation.
   */
  async tell<T extends Reply>(
    what: string,
    attempt: (receipt: Receipt) => Promise<T | Forgotten>,
    slot?: Slot,
  ): Promise<Exclude<T, Forgotten>> {
    const own = slot ?? this.takeSlot();
    if (slot === undefined) own.n += 1;
    const first = this.receipt(own);
    const proof = this.#freshProof();
    let attempts = 0;
    try {
      const reply = await this.#converse(what, () =>
        attempt(attempts++ === 0 ? first : { ...first, retry: true, proof }),
      );
      if (reply.status === "forgotten") throw forgotten(what, this.backend.name);
      if (recorded.has(reply.status)) this.#proof = { slot: first.slot, n: first.n, at: now() };
      return reply as Exclude<T, Forgotten>;
    } finally {
      if (slot === undefined) this.giveSlot(own);
    }
  }

  /** One attempt and no retry, given up after `withinMs`: for whoever has a rhythm of its own. */
  once<T>(attempt: () => Promise<T>, withinMs: number): Promise<T> {
    return this.#inTime(attempt(), { withinMs, from: now() });
  }

  /** Resolves when no conversation runs. */
  over(): Promise<void> {
    return this.#running === 0 ? Promise.resolve() : new Promise((resolve) => this.#onceOver.push(resolve));
  }

  /** Nothing is tried again from now on. Conversations that run keep their deadlines; the last one ends the timers. */
  close(): void {
    this.#closed = true;
    this.#endWhenOver();
  }

  #endWhenOver(): void {
    if (this.#running > 0) return;
    for (const resolve of this.#onceOver.splice(0)) resolve();
    if (!this.#closed) return;
    this.deadlines.clearAll();
    this.keepAlive.close();
  }

  /** A receipt may expire when a client has been idle; only one of the last moments is sure to be kept. */
  #freshProof(): Proof | undefined {
    return this.#proof !== undefined && now() - this.#proof.at < this.operationMs ? this.#proof : undefined;
  }

  async #converse<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const from = now();
    const endsAt = from + this.operationMs;
    let outcome: Outcome = "none";
    let cause: HoldfastError | undefined;
    this.keepAlive.hold();
    this.#running += 1;
    try {
      for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
        try {
          return await this.#inTime(attempt(), { withinMs: this.operationMs, from });
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          if (error.outcome === "unknown") outcome = "unknown";
          if (!isPassing(error) || this.#closed) throw withOutcome(error, outcome);
          // Of several failures the last that says more than "no answer" tells what is wrong.
          if (!(error instanceof NoAnswer)) cause = error;
          const wait = pauseMs * (0.5 + Math.random() / 2);
          if (now() + wait >= endsAt) throw this.#outOfTime({ what, outcome, cause: cause ?? error });
          await pause(wait);
        }
      }
    } finally {
      this.keepAlive.drop();
      this.#running -= 1;
      this.#endWhenOver();
    }
  }

  /** The attempt's answer, or an error once its time is over: a backend that hangs must not hang its callers. */
  #inTime<T>(attempt: Promise<T>, time: { withinMs: number; from: number }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const giveUp = (): void =>
        reject(new NoAnswer(`${this.backend.name} did not answer`, { outcome: "unknown" }));
      const deadline = this.deadlines.set(time.withinMs, giveUp, time.from);
      attempt.then(
        (reply) => {
          this.deadlines.clear(deadline);
          resolve(reply);
        },
        (error: unknown) => {
          this.deadlines.clear(deadline);
          reject(error);
        },
      );
    });
  }

  #outOfTime(failure: { what: string; outcome: Outcome; cause: HoldfastError }): UnavailableError {
    const { what, outcome, cause } = failure;
    const code = cause instanceof UnavailableError ? cause.code : "UNREACHABLE";
    const text = `${what} failed within operationMs (${this.operationMs} ms): ${cause.message}.`;
    return new UnavailableError(outcome === "unknown" ? `${text} ${loadFirst}` : text, {
      code,
      outcome,
      cause,
    });
  }
}

const loadFirst = "It may have been carried out: look before you repeat it.";

/** Nothing came back in time; what is wrong, nobody said. */
class NoAnswer extends UnavailableError {}

/** Failures that may pass by themselves: the server is away, busy, or a replica that becomes the primary. */
function isPassing(error: HoldfastError): boolean {
  return error.code === "UNREACHABLE" || error.code === "READ_ONLY";
}

/** An earlier attempt may have been carried out even when the last one certainly was not. */
function withOutcome(error: HoldfastError, outcome: Outcome): HoldfastError {
  if (error.outcome === outcome) return error;
  if (error instanceof UnavailableError) {
    const message = outcome === "none" ? error.message.replace(` ${loadFirst}`, "") : error.message;
    return new UnavailableError(message, { code: error.code, outcome, cause: error.cause ?? error });
  }
  return error instanceof CorruptStateError
    ? new CorruptStateError(error.message, { outcome, cause: error })
    : error;
}

function forgotten(what: string, backend: string): UnavailableError {
  return new UnavailableError(`${what}: ${backend} lost its memory between two tries. ${loadFirst}`, {
    outcome: "unknown",
  });
}
