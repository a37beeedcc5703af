/**
 * What can go wrong with one call of a backend, for {@link FaultyBackend}. Each fault is a function around the call;
 * write your own in the same way.
 */
import { UnavailableError, type Outcome } from "../errors.ts";
import { pause } from "./assertions.ts";

/** A call that is about to be made. */
export interface FaultedCall<R> {
  readonly method: string;
  /** Makes the call; may be called late, or not at all. */
  readonly carryOut: () => Promise<R>;
  /** Has the backend take the call for sent, though it is not carried out now: what has its receipt is a retry from then on. */
  readonly markSent: () => Promise<void>;
  /** Resolves when the next call of this method has been answered: as a rule, the retry of this one. */
  readonly nextAnswered: Promise<void>;
}

export type Fault = <R>(call: FaultedCall<R>) => Promise<R>;

/** Carried out, but the reply is lost. `then` runs before the caller learns that there will be no answer. */
export function loseReply(then: () => unknown = () => undefined): Fault {
  return async ({ method, carryOut }) => {
    await carryOut();
    await then();
    throw lost(method, "unknown");
  };
}

/** Not carried out; and known not to be, unless the outcome is "unknown": then it was lost on its way. */
export function failBefore(outcome: Outcome = "none"): Fault {
  return async ({ method, markSent }) => {
    if (outcome === "unknown") await markSent();
    throw lost(method, outcome);
  };
}

/** Carried out, but late; the reply may be late as well. */
export function delay(ms: number, replyMs = 0): Fault {
  return async ({ carryOut }) => {
    await pause(ms);
    const reply = await carryOut();
    await pause(replyMs);
    return reply;
  };
}

/** Neither carried out nor answered, as when packets vanish. */
export function hang(): Fault {
  return ({ markSent }) => markSent().then(() => new Promise(() => undefined));
}

/** Something happens before or after the call is carried out; the call itself is in order. */
export function meanwhile(happens: { before?: () => unknown; after?: () => unknown }): Fault {
  return async ({ carryOut }) => {
    await happens.before?.();
    const reply = await carryOut();
    await happens.after?.();
    return reply;
  };
}

/** The first copy of a call, kept back on its way while its sender tries again. */
export class LateCopy {
  #deliver: (() => Promise<unknown>) | undefined;
  #delivered: Promise<unknown> | undefined;

  /** Keeps the call back and tells its sender that there is no answer. */
  readonly fault: Fault = async ({ method, carryOut, markSent }) => {
    this.#deliver = carryOut;
    await markSent();
    throw lost(method, "unknown");
  };

  /** As `fault`, and delivers the copy by itself as soon as the retry has been answered. */
  readonly afterRetry: Fault = (call) => {
    void call.nextAnswered.then(() => this.deliver());
    return this.fault(call);
  };

  /** Now it arrives; once. Its answer goes nowhere: its sender no longer listens. */
  async deliver(): Promise<void> {
    this.#delivered ??= this.#deliver?.().catch(() => undefined);
    await this.#delivered;
  }
}

function lost(method: string, outcome: Outcome): UnavailableError {
  return new UnavailableError(`A planned fault: ${method} got no answer`, { outcome });
}
