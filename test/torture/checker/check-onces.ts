// What must be true of a key for which a function is run once [O1]. Of all attempts whose function was called, only the last,
// which has the greatest fence, may have a result that is remembered: no other one begins after it, and every caller is answered
// with it. That two functions do not run at once is checked with the grants, in check-holds.ts.

import { groupBy, name, type Inquiry } from "./checker.ts";
import type { Call, Run } from "./history.ts";

/** A result that a caller was answered with. */
interface Result {
  readonly run: Run;
  /** The first to be answered with it. */
  readonly first: Call;
  /** Whether it may have been lost by a failover. */
  readonly mayBeLost: boolean;
}

export function checkOnces(inquiry: Inquiry): void {
  const { history, figures } = inquiry;
  if (history.runs.length > 0) figures["functions run for a once"] = history.runs.length;
  const calls = groupBy(
    history.calls.filter(({ op }) => op === "once" || op === "peek"),
    ({ id }) => id,
  );
  const runs = groupBy(history.runs, ({ id }) => id);
  for (const [id, ofId] of calls) {
    const sorted = (runs.get(id) ?? []).toSorted((a, b) => a.fence - b.fence);
    const answered = ofId.filter(({ outcome }) => outcome === "ok").toSorted((a, b) => a.end - b.end);
    checkAttempts(inquiry, id, sorted);
    const results = resultsOf(inquiry, sorted, answered);
    checkOneResult(inquiry, results, sorted);
    checkRemembered(inquiry, results, answered);
  }
}

/** In the order of their fences. Complains of answers that are no function's result. */
function resultsOf(inquiry: Inquiry, runs: readonly Run[], answered: readonly Call[]): Result[] {
  const results = new Map<string, Result>();
  for (const call of answered) {
    const { value } = call;
    if (value === undefined || value === null || results.has(value)) continue;
    const run = runs.find((each) => each.value === value);
    if (run === undefined || run.at > call.end) {
      inquiry.violate(
        "never-run",
        `${call.id}: ${name(call)} was answered "${value}", which no function had returned`,
      );
      continue;
    }
    // Whoever did not run the function itself may have seen its result before replicas had it.
    const isOwn = run.life === call.life && run.at >= call.begin;
    const mayBeLost = isOwn ? inquiry.mayBeLost(call) : inquiry.nearFailover(call);
    results.set(value, { run, first: call, mayBeLost });
  }
  return [...results.values()].toSorted((a, b) => a.run.fence - b.run.fence);
}

function checkOneResult(
  { violate, figures }: Inquiry,
  results: readonly Result[],
  runs: readonly Run[],
): void {
  for (const [nth, { run, first, mayBeLost }] of results.entries()) {
    const later = runs.find(({ fence }) => fence > run.fence);
    if (later === undefined) continue;
    if (mayBeLost) {
      figures["results lost by a failover"] = (figures["results lost by a failover"] ?? 0) + 1;
      continue;
    }
    const next = results[nth + 1];
    if (next !== undefined)
      violate(
        "two-results",
        `${run.id}: ${name(first)} was answered "${run.value}", ${name(next.first)} "${next.run.value}"`,
      );
    else
      violate(
        "run-again",
        `${run.id}: ${describe(later)} was called after "${run.value}" of ${describe(run)} was saved`,
      );
  }
}

/** Each attempt is counted before its function is called. */
function checkAttempts({ violate, mayBeLost }: Inquiry, id: string, runs: readonly Run[]): void {
  for (const [nth, run] of runs.slice(1).entries()) {
    const before = runs[nth];
    if (before === undefined || run.attempt > before.attempt) continue;
    if (!mayBeLost({ begin: before.at, end: before.at }))
      violate("attempt-back", `${id}: ${describe(run)} follows ${describe(before)}`);
  }
}

/** A look that begins after a caller was answered finds the result. */
function checkRemembered({ violate }: Inquiry, results: readonly Result[], answered: readonly Call[]): void {
  const kept = results.filter(({ mayBeLost }) => !mayBeLost);
  for (const look of answered) {
    if (look.op !== "peek" || look.value !== null) continue;
    const gone = kept.find(({ first }) => first.end < look.begin);
    if (gone !== undefined)
      violate(
        "forgotten",
        `${look.id}: ${name(look)} found nothing, after ${name(gone.first)} had "${gone.run.value}"`,
      );
  }
}

function describe({ life, fence, attempt }: Run): string {
  return `attempt ${attempt} of ${life} (fence ${fence})`;
}
