/**
 * How an opened store calls its backend: attempts, retries, deadlines and receipts.
 *
 * A backend tries once and answers. Here, a failed attempt is repeated until `operationMs` has passed [S5]. An
 * operation that changes something carries a receipt, so that its retry gets the reply of the first attempt. A call
 * keeps the process alive while it runs [P1]. Nothing here knows what a lock or a state is.
 */
import type { Backend, Durability, Forgotten, Receipt } from "../backends/contract.ts";
import { HoldfastError, type UnavailableError } from "../errors.ts";
import { InFlight } from "./in-flight-counter.ts";
import { Deadlines, KeepAlive, now } from "../timers.ts";
import { BackendCall, type Listener } from "./backend-call.ts";
import { forgotten, withOutcome, type Subject } from "./call-errors.ts";
import { Replication } from "./durability.ts";
import { Sequences, type Sequence } from "./receipt-sequences.ts";
import { Watchers } from "./watchers.ts";

interface Reply {
  readonly status: string;
}

/** An operation that must take effect once. */
export interface Operation {
  readonly doing: string;
  readonly id: string;
  /** The sequence whose current operation this is. Without one, a free sequence is used. */
  readonly sequence?: Sequence;
  /** How many replicas must have the result; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
}

/** How an operation ended. */
export interface Done<R> {
  readonly reply: R;
  /** Set if it was carried out, but too few replicas have acknowledged it: the error for the caller. */
  readonly shortage: UnavailableError | undefined;
}

type Attempt<R> = (receipt: Receipt, sentAt: number) => Promise<R | Forgotten>;

/** All calls of one opened store. */
export class BackendCalls {
  readonly backend: Backend;
  readonly operationMs: number;
  readonly deadlines = new Deadlines();
  readonly keepAlive = new KeepAlive();
  readonly sequences = new Sequences();
  readonly watchers: Watchers;
  readonly #keepMs: number;
  readonly #running = new InFlight();
  #closed = false;

  constructor(backend: Backend, operationMs: number) {
    this.backend = backend;
    this.operationMs = operationMs;
    this.watchers = new Watchers(backend, this.deadlines);
    // A retry comes at most `operationMs` after the first attempt, and must find a receipt from up to that long before.
    this.#keepMs = Math.max(60_000, 4 * operationMs);
  }

  /** The receipt of the current operation of `sequence`. */
  receipt({ index, n }: Sequence): Receipt {
    return { sequence: index, n, keepMs: this.#keepMs };
  }

  /** For calls that change nothing, so a failure means that nothing was done. */
  read<R>(subject: Subject, attempt: () => Promise<R>): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const failed = (error: unknown): void =>
        reject(error instanceof HoldfastError ? withOutcome(error, "none") : (error as Error));
      this.#begin(subject, attempt, { resolve, reject: failed });
    });
  }

  /** For calls that may be repeated without harm: retried until answered. */
  idempotent<R>(subject: Subject, attempt: (sentAt: number) => Promise<R>, from = now()): Promise<R> {
    return new Promise<R>((resolve, reject) => this.#begin(subject, attempt, { resolve, reject }, from));
  }

  /**
   * Takes effect once [S5]: its retries carry the same receipt. `sentAt` is when the first attempt was sent, since the
   * reply to a later attempt may be the recorded reply to the first. Who watches the id in this process is told at once.
   */
  exactlyOnce<R extends Reply>(
    operation: Operation,
    attempt: Attempt<R>,
  ): Promise<Done<Exclude<R, Forgotten>>> {
    const sequence = operation.sequence ?? this.sequences.take();
    const isOwn = operation.sequence === undefined;
    const receipt = this.receipt(sequence);
    const replication = Replication.of(operation, this.backend);
    const carryOut = replication === undefined ? attempt : replication.after(attempt);
    let firstSentAt: number | undefined;
    const again = (sentAt: number): Promise<R | Forgotten> => {
      firstSentAt ??= sentAt;
      return carryOut(receipt, firstSentAt);
    };
    return new Promise((resolve, reject) => {
      this.#begin(operation, again, {
        resolve: (reply) => {
          if (isOwn) this.sequences.giveBack(sequence);
          this.watchers.changed(operation.id);
          if (reply.status === "forgotten") reject(forgotten(operation, this.backend.name));
          else resolve({ reply: reply as Exclude<R, Forgotten>, shortage: replication?.shortage });
        },
        reject: (error) => {
          if (isOwn) this.sequences.giveBack(sequence);
          reject(error);
        },
      });
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when no call is in progress. */
  over(): Promise<void> {
    return this.#running.none();
  }

  /** What fails from now on is not tried again. */
  endRetries(): void {
    this.#closed = true;
  }

  /** Ends retries. Calls in progress keep their deadlines; the last one ends the timers. */
  close(): void {
    this.#closed = true;
    void this.over().then(() => this.#endTimers());
  }

  #endTimers(): void {
    this.deadlines.clearAll();
    this.keepAlive.close();
  }

  // eslint-disable-next-line max-params -- an object for them would be made for each call
  #begin<R>(
    subject: Subject,
    attempt: (sentAt: number) => Promise<R>,
    listener: Listener<R>,
    from = now(),
  ): void {
    this.keepAlive.ref();
    this.#running.begin();
    new BackendCall({ calls: this, subject, attempt, listener, onOver: this.#onOver }).begin(from);
  }

  readonly #onOver = (): void => {
    this.keepAlive.unref();
    this.#running.end();
  };
}
