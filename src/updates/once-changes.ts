/**
 * The two changes that an attempt of `store.once()` consists of, under one lock: it is begun, and it is ended.
 *
 * The first finds what is remembered, or counts the attempt. The second calls the function, once the count is stored, so
 * that an attempt whose process dies is counted; the batch saves the first while the second waits for it. Its result is
 * saved in the step that releases the lock. If the record expires or is replaced meanwhile, the second is applied again,
 * as every change; the function is not called again [O1].
 */
import type { Durability, LoadedState, StateWrite } from "../backends/contract.ts";
import { fromCaller, runForCaller } from "../caller-stacks.ts";
import { LockLostError } from "../errors.ts";
import { now } from "../timers.ts";
import { Change } from "./change.ts";
import type { Attempt, OnceOutcome, OnceRecords } from "./once-record.ts";
import type { HoldContext } from "./update-context.ts";

/** What the function of `once.run()` learns about the attempt that it is. */
export interface OnceAttempt {
  /** Rises with each attempt: give it to other systems, so that they can refuse an attempt that lost its lock. */
  readonly fence: number;
  /** The number of this attempt, from 1. Attempts that failed, lost the lock or died with their process count. */
  readonly attempt: number;
  /** Aborts when the lock is lost: the result will be refused, and the function called again by another caller. */
  readonly signal: AbortSignal;
  /**
   * Aborts when the store begins to close (`reason`: ClosedError), while the lock is still held: finish what must be
   * finished, within `drainMs`. One signal for the whole store.
   */
  readonly closing: AbortSignal;
}

/** One call of `once.run()`. */
export interface OnceCall {
  readonly records: OnceRecords;
  /** How long an outcome is remembered; `Infinity`: until it is forgotten. */
  readonly keepMs: number;
  /** How long after its start, at least. */
  readonly minHoldMs: number;
  readonly remembersErrors: boolean;
  readonly durability: Durability | undefined;
  readonly fn: (attempt: OnceAttempt) => unknown;
}

/** The number of attempts is kept for a day at least, which is longer than any lease. */
const countedMs = 86_400_000;

/** Resolves with what is remembered; with `undefined` if the attempt was begun. */
export class BeginOnce extends Change<OnceOutcome | undefined> {
  readonly wantsRevision = false;
  readonly call: OnceCall;
  #attempt: Attempt | undefined;
  #outcome: OnceOutcome | undefined;
  #end: EndOnce | undefined;

  constructor(call: OnceCall) {
    super(call.durability);
    this.call = call;
  }

  /** The attempt that was begun; `undefined`: none was. */
  get attempt(): Attempt | undefined {
    return this.#attempt;
  }

  apply(loaded: LoadedState): StateWrite | undefined {
    const { records, keepMs } = this.call;
    this.#attempt = undefined;
    const { attempt, outcome, fingerprint } = records.read(loaded);
    this.#outcome = outcome;
    if (outcome !== undefined) return undefined;
    this.#attempt = { attempt: attempt + 1, ...(fingerprint !== undefined && { fingerprint }) };
    return saveOf(records, records.begun(this.#attempt), Math.max(keepMs, countedMs));
  }

  override follow(): EndOnce | undefined {
    if (this.#attempt === undefined || this.#end !== undefined) return undefined;
    this.#end = this.inCallersContext(() => new EndOnce(this));
    return this.#end;
  }

  /** What follows it; `undefined`: the function is not called. */
  get end(): EndOnce | undefined {
    return this.#end;
  }

  protected settle(): void {
    this.resolve(this.#outcome);
  }
}

/** Resolves with how the attempt ended: with the caller's own error, or its own copy of the value. */
export class EndOnce extends Change<OnceOutcome> {
  /** Waiters get only what is stored, and each attempt has a fence of its own: nothing is applied on top of it. */
  readonly wantsRevision = true;
  readonly #begin: BeginOnce;
  #startedAt = 0;
  /** What the function returned or threw. */
  #returned: OnceOutcome | undefined;
  #outcome: OnceOutcome | undefined;

  constructor(begin: BeginOnce) {
    super(begin.call.durability);
    this.#begin = begin;
    this.promise.catch(() => undefined); // if the attempt could not be begun, that is its caller's error
  }

  apply(
    _loaded: LoadedState,
    context: HoldContext,
  ): StateWrite | undefined | Promise<StateWrite | undefined> {
    return this.#returned === undefined ? this.#run(context) : this.#write();
  }

  /** The caller's own error counts, whether or not it could be remembered. */
  override fail(error: unknown): void {
    const returned = this.#returned;
    if (returned === undefined) super.fail(error);
    else if ("error" in returned) this.done(null);
    else super.fail(error instanceof LockLostError ? lostWith(error, returned.value) : error);
  }

  protected settle(): void {
    if (this.#returned !== undefined) this.resolve(this.#outcome ?? this.#returned);
  }

  async #run(context: HoldContext): Promise<StateWrite | undefined> {
    const { promise, call } = this.#begin;
    if ((await promise) !== undefined) notBegun();
    const { attempt = notBegun() } = this.#begin; // now: it may have been begun on what was loaded again
    context.signal.throwIfAborted(); // lost by the time of the reply
    const view = new AttemptView(context, attempt.attempt);
    this.#startedAt = now();
    try {
      this.#returned = { value: await runForCaller(() => call.fn(view)) };
    } catch (error) {
      this.#returned = { error: fromCaller(error) };
    }
    return this.#write();
  }

  /** What to remember. A value that cannot be kept is an error of this attempt. */
  #write(): StateWrite | undefined {
    const { call, attempt = notBegun() } = this.#begin;
    const returned = this.#returned;
    if (returned === undefined || ("error" in returned && !call.remembersErrors)) return undefined;
    const { records, keepMs, minHoldMs } = call;
    try {
      const bytes = records.ended(attempt, returned);
      if ("value" in returned) this.#outcome = records.readBack(bytes);
      const leftMs = Math.ceil(minHoldMs - (now() - this.#startedAt));
      return saveOf(records, bytes, Math.max(keepMs, leftMs));
    } catch (error) {
      if ("value" in returned) this.#returned = { error };
      return undefined;
    }
  }
}

/** A view, so that a function finds only the documented members. */
class AttemptView implements OnceAttempt {
  readonly fence: number;
  readonly attempt: number;
  readonly #of: HoldContext;

  constructor(of: HoldContext, attempt: number) {
    this.fence = of.fence;
    this.attempt = attempt;
    this.#of = of;
  }

  get signal(): AbortSignal {
    return this.#of.signal;
  }

  get closing(): AbortSignal {
    return this.#of.closing;
  }
}

function saveOf(records: OnceRecords, bytes: Uint8Array, ttlMs: number): StateWrite {
  return records.codec.toSave(bytes, ttlMs === Infinity ? "none" : ttlMs);
}

function notBegun(): never {
  throw new Error("HOLDFAST_ONCE_NOT_BEGUN");
}

function lostWith({ message }: LockLostError, result: unknown): LockLostError {
  const text = `${message} The function did finish; its return value is in error.result, and is not remembered.`;
  return new LockLostError(text, { result });
}
