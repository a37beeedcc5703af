/**
 * Traces a grant that a caller holds: `start` when it gets it, `asyncEnd` when it has been released or lost, each in the
 * async context of the caller that got it.
 */
import { AsyncResource } from "node:async_hooks";
import type { Share } from "../backends/contract.ts";
import { shownId } from "../errors.ts";
import { partsOfInternal } from "../names.ts";
import { diagnostics, type LostEvent } from "./events.ts";
import { outcomeOf } from "./trace-call.ts";
import { traces, type HoldTrace, type LockKind, type TraceOutcome } from "./traces.ts";

/** A grant of one lock or of several. */
export interface Traceable {
  /** `undefined`: it is nested, and the outer grant is traced. */
  describe(): HoldTrace | undefined;
  /** It says when it ends. */
  traceBy(tracing: HoldTracing): void;
  readonly lossError: Error | undefined;
}

export class HoldTracing {
  readonly #trace: HoldTrace;
  readonly #context = new AsyncResource("HoldfastHold", { requireManualDestroy: true });

  constructor(trace: HoldTrace) {
    this.#trace = trace;
  }

  /** It ends with this release. Returns its answer. */
  async until(released: Promise<boolean>): Promise<boolean> {
    try {
      const wasHeld = await released;
      this.#end(wasHeld ? "released" : "lost");
      return wasHeld;
    } catch (error) {
      this.#end(outcomeOf(error), error);
      throw error;
    }
  }

  lost(error: unknown): void {
    this.#end(outcomeOf(error), error);
  }

  #end(outcome: TraceOutcome, error?: unknown): void {
    const trace = this.#trace;
    if (trace.outcome !== undefined) return; // it was lost before its release
    trace.outcome = outcome;
    if (error !== undefined) trace.error = error;
    this.#context.runInAsyncScope(() => {
      if (error !== undefined) traces.hold.error.publish(trace);
      traces.hold.asyncStart.publish(trace);
      traces.hold.asyncEnd.publish(trace);
    });
    this.#context.emitDestroy();
  }
}

/** Runs `body`, which holds this grant, within the stores that are bound to `start`. */
export function whileHolding<R>(held: Traceable, body: () => R): R {
  if (!traces.hold.hasSubscribers) return body();
  const trace = held.describe();
  if (trace === undefined) return body();
  const tracing = new HoldTracing(trace);
  try {
    return traces.hold.start.runStores(trace, () => {
      held.traceBy(tracing);
      if (held.lossError !== undefined) tracing.lost(held.lossError); // before it was traced
      return body();
    });
  } finally {
    traces.hold.end.publish(trace);
  }
}

/** For a grant that its caller releases by hand. */
export function handedOut<G extends Traceable>(granted: Promise<G>): Promise<G> {
  if (!traces.hold.hasSubscribers) return granted;
  return granted.then((grant) => whileHolding(grant, () => grant));
}

/** What is traced of a grant. */
export function holdTraceOf(id: string, fence: number, share: Share | undefined): HoldTrace {
  const own = partsOfInternal(id);
  const kind = kindOf(share, own?.kind);
  const [ids, fences] = [[own?.id ?? id], [fence]];
  return share?.kind === "permits" ? { kind, ids, fences, weight: share.weight } : { kind, ids, fences };
}

function kindOf(share: Share | undefined, own: string | undefined): LockKind {
  if (share?.kind === "permits") return "semaphore";
  if (share?.kind === "shared") return "shared";
  return own === "leader" ? "leader" : "lock";
}

export function publishLost(id: string, fence: number, reason: Error | undefined): void {
  if (!diagnostics.lost.hasSubscribers) return;
  const event: LostEvent = { id: shownId(id), fence, reason: String(reason?.message) };
  diagnostics.lost.publish(event);
}
