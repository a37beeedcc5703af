/**
 * How an opened store talks with its backend: attempts, retries, deadlines and receipts, written once.
 *
 * A backend tries once and answers. Here a failed attempt is repeated until `operationMs` has passed [S5]; an
 * operation that changes something carries a receipt, so that its retry gets the answer of the first try. While a
 * conversation runs the process stays alive [P1]. Nothing here knows what a lock or a state is.
 *
 * Each attempt has two phases: connecting, and sent. What an error says of the outcome follows from them: whatever ends
 * while it connects was not carried out, and is not sent any more once its caller has been told so.
 */
import type { Backend, Forgotten, Receipt } from "../backends/contract.ts";
import { recordedStatuses } from "../backends/recorded.ts";
import { CorruptStateError, HoldfastError, UnavailableError, type Outcome } from "../errors.ts";
import { Deadlines, KeepAlive, now, pause, type Deadline } from "../timers.ts";

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

/** What a conversation is about, for the error of one that failed. */
export type What = string | { readonly doing: string; readonly id: string };

/** Who hears of its end. */
interface Listener<T> {
  readonly resolve: (reply: T) => void;
  readonly reject: (error: unknown) => void;
}

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
  read<T>(what: What, attempt: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const failed = (error: unknown): void =>
        reject(error instanceof HoldfastError ? withOutcome(error, "none") : (error as Error));
      this.#begin(what, attempt, { resolve, reject: failed });
    });
  }

  /** An operation that may be repeated freely: retried until it is answered. */
  ask<T>(what: What, attempt: (sentAt: number) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => this.#begin(what, attempt, { resolve, reject }));
  }

  /**
   * An operation that must take effect once [S5]: its retries carry the same receipt. `sentAt` is when the first try was
   * sent: the answer to a later one may be what that one was answered.
   * With a `slot` of the caller's, its present `n` is used; otherwise a free one is taken for this operation.
   */
  tell<T extends Reply>(
    what: What,
    attempt: (receipt: Receipt, sentAt: number) => Promise<T | Forgotten>,
    slot?: Slot,
  ): Promise<Exclude<T, Forgotten>> {
    const own = slot ?? this.takeSlot();
    if (slot === undefined) own.n += 1;
    const first = this.receipt(own);
    const known = this.#proof;
    let from: number | undefined;
    const again = (sentAt: number): Promise<T | Forgotten> => {
      if (from === undefined) {
        from = sentAt;
        return attempt(first, sentAt);
      }
      // A receipt may expire when a client has been idle; only one of the last moments is sure to be kept.
      const proof = known !== undefined && from - known.at < this.operationMs ? known : undefined;
      return attempt({ ...first, retry: true, proof }, from);
    };
    return new Promise((resolve, reject) => {
      this.#begin(what, again, {
        resolve: (reply) => {
          const { status } = reply;
          if (slot === undefined) this.giveSlot(own);
          if (recordedStatuses.has(status))
            this.#proof = { slot: first.slot, n: first.n, at: from ?? -Infinity };
          if (status === "forgotten") reject(forgotten(what, this.backend.name));
          else resolve(reply as Exclude<T, Forgotten>);
        },
        reject: (error) => {
          if (slot === undefined) this.giveSlot(own);
          reject(error);
        },
      });
    });
  }

  get isClosed(): boolean {
    return this.#closed;
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

  #begin<T>(what: What, attempt: (sentAt: number) => Promise<T>, listener: Listener<T>): void {
    this.keepAlive.hold();
    this.#running += 1;
    new Conversation({ conversations: this, what, attempt, listener, over: this.#over }).begin();
  }

  readonly #over = (): void => {
    this.keepAlive.drop();
    this.#running -= 1;
    if (this.#running === 0) this.#endWhenOver();
  };
}

/** One of them: attempts until one is answered, all within one deadline. */
class Conversation<T> {
  readonly #all: Conversations;
  readonly #what: What;
  readonly #attempt: (sentAt: number) => Promise<T>;
  readonly #listener: Listener<T>;
  readonly #onOver: () => void;
  #deadline: Deadline | undefined;
  #endsAt = 0;
  #pauseMs = firstPauseMs;
  /** An attempt has been sent, and not been answered. */
  #isSent = false;
  #isOver = false;
  #outcome: Outcome = "none";
  #cause: HoldfastError | undefined;

  constructor(of: {
    conversations: Conversations;
    what: What;
    attempt: (sentAt: number) => Promise<T>;
    listener: Listener<T>;
    over: () => void;
  }) {
    this.#all = of.conversations;
    this.#what = of.what;
    this.#attempt = of.attempt;
    this.#listener = of.listener;
    this.#onOver = of.over;
  }

  begin(): void {
    const from = now();
    this.#limit(from);
    this.#try(from);
  }

  #try(at: number): void {
    const connecting = this.#connecting();
    if (connecting === undefined) this.#send(at);
    else connecting.then(this.#onConnected, this.#onNotConnected);
  }

  readonly #onConnected = (): void => {
    if (!this.#isOver) this.#send(now());
  };

  /** Whatever it says of its outcome: nothing of this conversation was sent. */
  readonly #onNotConnected = (error: unknown): void => this.#failed(error, "none");

  /** A backend of the user's own may throw at once, or answer no promise. */
  #connecting(): Promise<void> | undefined {
    try {
      const connecting = this.#all.backend.connect?.();
      return connecting === undefined ? undefined : Promise.resolve(connecting);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #send(sentAt: number): void {
    this.#isSent = true;
    this.#attempted(sentAt).then(
      (reply) => {
        if (this.#isOver) return; // its callers have been told that nobody answered
        this.#end();
        this.#tell(reply);
      },
      (error: unknown) => this.#failed(error, error instanceof HoldfastError ? error.outcome : "unknown"),
    );
  }

  /** A backend that hangs must not hang its callers. */
  #limit(from: number): void {
    const { operationMs, deadlines } = this.#all;
    this.#endsAt = from + operationMs;
    this.#deadline = deadlines.set(operationMs, () => this.#late(), from);
  }

  #attempted(sentAt: number): Promise<T> {
    try {
      return Promise.resolve(this.#attempt(sentAt));
    } catch (error) {
      return Promise.reject(error); // a backend of the user's own
    }
  }

  #failed(error: unknown, outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isSent = false;
    if (!(error instanceof HoldfastError)) return this.#giveUp(error);
    if (outcome === "unknown") this.#outcome = "unknown";
    if (!isPassing(error) || this.#all.isClosed) return this.#giveUp(withOutcome(error, this.#outcome));
    this.#cause = error;
    const waitMs = this.#pauseMs * (0.5 + Math.random() / 2);
    if (now() + waitMs >= this.#endsAt) return this.#giveUp(this.#outOfTime());
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    void pause(waitMs).then(() => {
      if (this.#isOver) return;
      if (this.#all.isClosed) this.#giveUp(withOutcome(error, this.#outcome));
      else this.#try(now());
    });
  }

  /** Of several failures the last that said what is wrong tells it; this one says only that nothing came back. */
  #late(): void {
    if (this.#isSent) this.#outcome = "unknown";
    this.#giveUp(this.#outOfTime());
  }

  /** A backend of the user's own may answer what nobody can read. */
  #tell(reply: T): void {
    try {
      this.#listener.resolve(reply);
    } catch (error) {
      this.#listener.reject(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#end();
    this.#listener.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#all.deadlines.clear(this.#deadline);
    this.#onOver();
  }

  #outOfTime(): UnavailableError {
    const { operationMs, backend } = this.#all;
    const outcome = this.#outcome;
    const cause = this.#cause ?? noAnswer(backend.name, this.#isSent);
    const code = cause instanceof UnavailableError ? cause.code : "UNREACHABLE";
    const text = `${textOf(this.#what)} failed within operationMs (${operationMs} ms): ${sentence(cause.message)}`;
    const message = outcome === "unknown" ? `${text} ${loadFirst}` : text;
    return new UnavailableError(message, { code, outcome, cause });
  }
}

/** Causes are written by many; some end in a full stop and some do not. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function textOf(what: What): string {
  return typeof what === "string" ? what : `${what.doing} ${JSON.stringify(what.id)}`;
}

/** Nothing came back in time; what is wrong, nobody said. */
function noAnswer(backend: string, isSent: boolean): UnavailableError {
  if (isSent) return new UnavailableError(`${backend} did not answer`, { outcome: "unknown" });
  return new UnavailableError(`${backend} did not let this process connect`, { outcome: "none" });
}

const loadFirst = "It may have been carried out: look before you repeat it.";

/** Failures that may pass by themselves: the server is away, busy, or a replica that becomes the primary. */
function isPassing(error: HoldfastError): boolean {
  return error instanceof UnavailableError && !error.lasting;
}

/** An earlier attempt may have been carried out even when the last one certainly was not. */
function withOutcome(error: HoldfastError, outcome: Outcome): HoldfastError {
  if (error.outcome === outcome) return error;
  if (error instanceof UnavailableError) {
    const message = outcome === "none" ? error.message.replace(` ${loadFirst}`, "") : error.message;
    const { code, lasting } = error;
    return new UnavailableError(message, { code, lasting, outcome, cause: error.cause ?? error });
  }
  return error instanceof CorruptStateError
    ? new CorruptStateError(error.message, { outcome, cause: error })
    : error;
}

function forgotten(what: What, backend: string): UnavailableError {
  return new UnavailableError(`${textOf(what)}: ${backend} lost its memory between two tries. ${loadFirst}`, {
    outcome: "unknown",
  });
}
