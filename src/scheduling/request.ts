/**
 * What callers want of a cohort: a grant, or a function applied to the state. A job waits in the cohort's line
 * until it is served, fails, or gives up; whichever comes first settles it, once.
 */
import { AsyncResource } from "node:async_hooks";
import type { Durability, LoadedState, StateWrite, WriteReply } from "../backends/contract.ts";
import { now, type Deadline } from "../timers.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import { onCallersAbort } from "../ownership/abort-signals.ts";

/** How a caller waits. */
export interface Patience {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** What must have reached replicas before the caller hears of success; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
}

export abstract class Job {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly durability: Durability | undefined;
  readonly arrivedAt = now();
  /** Its time for waiting is over; only an answer that is still under way can serve it. */
  impatient: boolean;
  /** Set by the line; undone when the job leaves it. */
  deadline: Deadline | undefined;
  /** Where it stands in line, if it does: the line's own. */
  inLine = false;
  before: Job | undefined;
  after: Job | undefined;
  readonly #signal: AbortSignal | undefined;
  #stopListening: (() => void) | undefined;

  constructor(patience: Patience) {
    this.leaseMs = patience.leaseMs;
    this.waitMs = patience.waitMs;
    this.durability = patience.durability;
    this.impatient = patience.waitMs === 0;
    this.#signal = patience.signal;
  }

  /** Ends waiting when the caller's signal aborts. */
  listen(onAbort: (reason: unknown) => void): void {
    if (this.#signal !== undefined) this.#stopListening = onCallersAbort(this.#signal, onAbort);
  }

  unlisten(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  abstract fail(error: unknown): void;
}

/** "Give me a grant." */
export class GrantJob extends Job {
  readonly granted: Promise<HeldGrant>;
  #resolve!: (grant: HeldGrant) => void;
  #reject!: (error: unknown) => void;

  constructor(patience: Patience) {
    super(patience);
    this.granted = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  serve(grant: HeldGrant): void {
    this.#resolve(grant);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }
}

/** What the state part of the library brings to a cohort; the cohort knows nothing of values. */
export interface StateTask {
  /** What is to be written, given what is stored; `undefined`: nothing. Throws to fail alone. May be called again. */
  apply(stored: LoadedState, grant: HeldGrant): StateWrite | undefined | Promise<StateWrite | undefined>;
  /** It is stored now, at `revision` (`null`: it was deleted, or nothing was written). */
  done(revision: number | null): void;
  fail(error: unknown): void;
  /** Its caller learns the revision, so nothing may be applied on top of it before it is saved. */
  readonly wantsRevision: boolean;
  /** The write, where it does not depend on what is stored: it needs no turn where the lock is free [S8]. */
  readonly plain?: StateWrite | undefined;
  /** The answer to such a write. */
  answer?(reply: Exclude<WriteReply, { status: "held" | "forgotten" }>): void;
}

/** "Apply this function", "save this", "delete this". Settled once, by one of `done`, `answer` and `fail`. */
export class StateJob extends Job {
  readonly task: StateTask;
  /** The caller's async context. Not a snapshot of AsyncLocalStorage: making one takes three times as long. */
  readonly #context = new AsyncResource("HoldfastJob", { requireManualDestroy: true });

  constructor(patience: Patience, task: StateTask) {
    super(patience);
    this.task = task;
  }

  inCallersContext<R>(body: () => R): R {
    return this.#context.runInAsyncScope(body);
  }

  done(revision: number | null): void {
    this.task.done(revision);
    this.#context.emitDestroy();
  }

  answer(reply: Exclude<WriteReply, { status: "held" | "forgotten" }>): void {
    this.task.answer?.(reply);
    this.#context.emitDestroy();
  }

  fail(error: unknown): void {
    this.task.fail(error);
    this.#context.emitDestroy();
  }
}
