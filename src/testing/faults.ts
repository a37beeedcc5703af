/**
 * What can go wrong with one call of a backend, for {@link FaultyBackend}. Each fault is a function around the call;
 * write your own in the same way.
 */
import { UnavailableError, type Outcome } from "../errors.ts";
import { pause } from "./assertions.ts";

/** A call that is about to be made. */
export interface FaultedCall<R> {
  /** The method of the backend that is called. */
  readonly method: string;
  /** Makes the call. May be called late, or not at all. */
  readonly carryOut: () => Promise<R>;
  /** Makes the backend count the call as sent without carrying it out: later calls with its receipt are retries. */
  readonly markSent: () => Promise<void>;
  /** Resolves when the next call of this method has its reply: usually the retry of this call. */
  readonly nextAnswered: Promise<void>;
}

/** Wraps a call of a backend: returns its reply, or throws what the core gets instead. */
export type Fault = <R>(call: FaultedCall<R>) => Promise<R>;

/** Carries the call out, but loses the reply. `then` runs before the call fails. */
export function loseReply(then: () => unknown = () => undefined): Fault {
  return async ({ method, carryOut }) => {
    await carryOut();
    await then();
    throw lost(method, "unknown");
  };
}

/** Fails without carrying the call out. With the outcome "unknown", the call was lost on its way to the backend. */
export function failBefore(outcome: Outcome = "none"): Fault {
  return async ({ method, markSent }) => {
    if (outcome === "unknown") await markSent();
    throw lost(method, outcome);
  };
}

/** Carries the call out after `ms`; its reply is late by `replyMs`, both in milliseconds. */
export function delay(ms: number, replyMs = 0): Fault {
  return async ({ carryOut }) => {
    await pause(ms);
    const reply = await carryOut();
    await pause(replyMs);
    return reply;
  };
}

/** Neither carries the call out nor replies, as when packets are lost. */
export function hang(): Fault {
  return ({ markSent }) => markSent().then(() => new Promise(() => undefined));
}

/** Runs `before` and `after` around the call, which itself succeeds or fails normally. */
export function meanwhile(happens: {
  before?: (() => unknown) | undefined;
  after?: (() => unknown) | undefined;
}): Fault {
  return async ({ carryOut }) => {
    await happens.before?.();
    const reply = await carryOut();
    await happens.after?.();
    return reply;
  };
}

/** The first copy of a call, held back while its sender retries. */
export class LateCopy {
  #deliver: (() => Promise<unknown>) | undefined;
  #delivered: Promise<unknown> | undefined;

  /** Holds the call back; its sender gets no reply. */
  readonly fault: Fault = async ({ method, carryOut, markSent }) => {
    this.#deliver = carryOut;
    await markSent();
    throw lost(method, "unknown");
  };

  /** As `fault`, and delivers the copy as soon as the retry has its reply. */
  readonly afterRetry: Fault = (call) => {
    void call.nextAnswered.then(() => this.deliver());
    return this.fault(call);
  };

  /** Delivers the copy, once. Its reply is discarded, since its sender no longer waits for it. */
  async deliver(): Promise<void> {
    this.#delivered ??= this.#deliver?.().catch(() => undefined);
    await this.#delivered;
  }
}

function lost(method: string, outcome: Outcome): UnavailableError {
  return new UnavailableError(`A planned fault: ${method} got no answer`, { outcome });
}
