/**
 * Publishes the events of a call that is traced. Only for calls whose channel has a subscriber: without one, callers do
 * not come here.
 */
import type { TracingChannel } from "node:diagnostics_channel";
import { asCallerSees, isFromCaller } from "../caller-stacks.ts";
import { HoldfastError, LockTimeoutError, type ErrorCode } from "../errors.ts";
import type { TraceOutcome } from "./traces.ts";

/** What decides how the outcome is called. */
export interface Tracing<C, R> {
  readonly trace: C;
  /** Completes the object. Returns the outcome of a call that was answered. */
  readonly answered: (result: R) => TraceOutcome;
  /** Completes the object of a call that failed. */
  readonly failed?: () => void;
  readonly signal?: AbortSignal | undefined;
  /** It only tried: if others hold the lock, that is no failure. */
  readonly tries?: boolean;
}

interface Settled {
  outcome?: TraceOutcome;
  error?: unknown;
}

/** Runs `call` within the stores that are bound to `start`. Returns what it returns. */
export async function traceCall<C extends Settled, R>(
  channel: TracingChannel<unknown, C>,
  tracing: Tracing<C, R>,
  call: () => R | PromiseLike<R>,
): Promise<R> {
  const { trace } = tracing;
  const answer = channel.start.runStores(trace, async () => call());
  channel.end.publish(trace);
  try {
    const result = await answer;
    trace.outcome = tracing.answered(result);
    return result;
  } catch (error) {
    tracing.failed?.();
    trace.outcome = outcomeOf(error, tracing);
    if (trace.outcome !== "busy") {
      trace.error = asCallerSees(error);
      channel.error.publish(trace);
    }
    throw error;
  } finally {
    channel.asyncStart.publish(trace);
    channel.asyncEnd.publish(trace);
  }
}

const outcomes: Record<ErrorCode, TraceOutcome> = {
  INVALID_ARGUMENT: "refused",
  LOCK_TIMEOUT: "timeout",
  DEADLOCK: "deadlock",
  LOCK_LOST: "lost",
  CONFLICT: "conflict",
  UNREACHABLE: "unavailable",
  ACCESS_DENIED: "unavailable",
  READ_ONLY: "unavailable",
  OUT_OF_MEMORY: "unavailable",
  SERIALIZATION: "refused",
  CORRUPT_STATE: "refused",
  SEAL: "refused",
  VALIDATION: "refused",
  VERSION: "refused",
  CLOSED: "closed",
};

/** An error of the caller's own says nothing about Holdfast, even if its class is one of Holdfast's. */
export function outcomeOf(
  error: unknown,
  { signal, tries = false }: Pick<Tracing<unknown, unknown>, "signal" | "tries"> = {},
): TraceOutcome {
  if (signal?.aborted === true && error === signal.reason) return "aborted";
  if (!(error instanceof HoldfastError) || isFromCaller(error)) return "failed";
  if (tries && error instanceof LockTimeoutError) return "busy";
  return outcomes[error.code];
}
