/** Traces what callers acquire and change. Only for calls whose channel has a subscriber. */
import { traceCall } from "../diagnostics/trace-call.ts";
import {
  traces,
  type AcquireTrace,
  type TraceOutcome,
  type UpdateKind,
  type UpdateTrace,
} from "../diagnostics/traces.ts";
import type { HeldGrant } from "../ownership/grant.ts";
import type { HeldSet } from "../ownership/grant-set.ts";
import { now } from "../timers.ts";
import type { Change } from "../updates/change.ts";

/** A method that changes a state, as messages name it. */
export type WriteCall = `${UpdateKind}()`;

type Acquiring = Pick<AcquireTrace, "kind" | "ids" | "weight"> & {
  readonly signal: AbortSignal | undefined;
  readonly waitMs: number;
};

export function traceAcquire<G extends HeldGrant | HeldSet>(
  { signal, waitMs, ...of }: Acquiring,
  acquire: () => Promise<G>,
): Promise<G> {
  const trace: AcquireTrace = of;
  const beganAt = now();
  const waited = (): number => (trace.waitedMs = now() - beganAt);
  const answered = (held: HeldGrant | HeldSet): "granted" => {
    waited();
    const grants = "grants" in held ? held.grants : [held];
    trace.fences = grants.map(({ fence }) => fence);
    trace.nested = grants.every(({ parent }) => parent !== undefined);
    return "granted";
  };
  return traceCall(traces.acquire, { trace, answered, failed: waited, signal, tries: waitMs === 0 }, acquire);
}

interface Updating<R> {
  readonly call: WriteCall;
  readonly ids: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly tries?: boolean;
  /** Whether the answer is that of a function that threw. */
  readonly hasFailed?: (result: R) => boolean;
}

/** `call` learns what is traced of it. */
export function traceUpdate<R>(
  { call: name, ids, signal, tries = false, hasFailed }: Updating<R>,
  call: (trace: UpdateTrace) => Promise<R>,
): Promise<R> {
  const trace: UpdateTrace = { kind: name.slice(0, -"()".length) as UpdateKind, ids };
  const answered = (result: R): TraceOutcome => {
    if (hasFailed?.(result) === true) return "failed";
    return trace.save === undefined ? "unchanged" : "saved";
  };
  return traceCall(traces.update, { trace, answered, signal, tries }, () => call(trace));
}

/** For a call that makes one change, in the async context that its function is to have. */
export function traceChange<R>(
  of: Updating<R>,
  make: () => Change<R>,
  call: (make: () => Change<R>) => Promise<R>,
): Promise<R> {
  return traceUpdate(of, (trace) =>
    call(() => {
      const change = make();
      change.trace = trace;
      return change;
    }),
  );
}
