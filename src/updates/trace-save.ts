/** Traces a save, and ties it to the calls that it answers. Without a subscriber, nothing is built. */
import type { StateWrite } from "../backends/contract.ts";
import { traceCall } from "../diagnostics/trace-call.ts";
import { traces, type SaveTrace, type TraceOutcome, type UpdateTrace } from "../diagnostics/traces.ts";
import { userId } from "../names.ts";
import { now } from "../timers.ts";
import type { Change } from "./change.ts";

/** The ids of what is written, and the changes that the write consists of. */
export interface WrittenTogether {
  readonly ids: readonly string[];
  readonly changes: readonly Pick<Change, "trace">[];
}

/** A reply to a save, by itself or with what came of its replicas. */
type Saved = Reply | { readonly reply: Reply; readonly shortage: Error | undefined };

interface Reply {
  readonly status: string;
  readonly failed?: unknown;
}

/** Sends a save. The calls that it answers learn of it, even if no one traces saves. */
export function traceSave<R extends Saved>(
  batch: { describe(): WrittenTogether },
  write: StateWrite | readonly StateWrite[],
  send: () => Promise<R>,
): Promise<R> {
  if (!traces.save.hasSubscribers && !traces.update.hasSubscribers) return send();
  const { ids, changes } = batch.describe();
  const updates = changes.flatMap(({ trace }) => (trace === undefined ? [] : [trace]));
  const trace: SaveTrace = {
    ids: ids.map(userId),
    updates,
    size: changes.length,
    bytes: [write].flat().reduce((sum, one) => sum + (one.kind === "save" ? one.bytes.byteLength : 0), 0),
  };
  for (const update of updates) update.save = trace;
  return traceCall(traces.save, { trace, answered: outcomeOf }, send);
}

/** The function of a call begins, or its plain write. */
export function noteBegin(trace: UpdateTrace, arrivedAt: number, fence?: number): void {
  trace.waitedMs ??= now() - arrivedAt;
  if (fence !== undefined) trace.fences = [fence];
}

function outcomeOf(saved: Saved): TraceOutcome {
  if ("shortage" in saved && saved.shortage !== undefined) return "unavailable";
  const { status, failed } = "reply" in saved ? saved.reply : saved;
  if (failed !== undefined) return "unavailable";
  if (status === "lost" || status === "conflict" || status === "busy") return status;
  return status === "unreadable" || status === "refused" ? "refused" : "saved";
}
