// What must be true of those who held a lock [L1] [L3] [L5] [L12] [S4], or permits of a semaphore [L13].
//
// A hold lasts from when its caller got the grant until it lets go or its signal aborts. Two holds of a lock may overlap only when
// something in the history explains that the first could not know (its process stood still, its lock was released by force, a
// clock jumped, a failover); and then nothing that the first saved after the second got the lock may have been accepted.

import { checkRising, groupBy, type Inquiry } from "./checker.ts";
import type { Call, History, Hold, Span } from "./history.ts";

/**
 * A process that is not run for less than this is not logged as stalled, and timers are late by as much. A run that knows
 * better says so in its first line.
 */
const usualLatenessMs = 30;
const latenessOf = ({ run }: History): number => Number(run?.["latenessMs"] ?? usualLatenessMs) * 1e6;

export function checkHolds(inquiry: Inquiry): void {
  const { history, violate, figures } = inquiry;
  const saves = groupBy(
    history.calls.filter(({ hold }) => hold !== undefined),
    ({ life, hold }) => `${life}#${String(hold)}`,
  );
  const savesOf = (hold: Hold): Call[] => saves.get(`${hold.life}#${hold.h}`) ?? [];
  const blind = blindSpans(history);
  figures["holds"] = history.holds.length;
  for (const [id, holds] of groupBy(history.holds, (hold) => hold.id)) {
    const asked = holds.map((hold) => ({ begin: hold.asked, end: hold.from, hold }));
    checkRising(
      asked,
      ({ hold }) => hold.fence,
      ({ hold: earlier }, { hold: later }) => {
        if (earlier.shared && later.shared) return; // whoever joins has a fence that was reserved before
        if (earlier.limit !== undefined && earlier.fence !== later.fence) return; // handed on in a process, likewise
        if (earlier.fence === later.fence && earlier.draft && later.draft && earlier.life === later.life)
          return;
        // A job may join a grant of its process that was taken away while the process could not know.
        if (later.draft && explainedUntil(history, blind, { hold: later, from: earlier.from }) >= later.asked)
          return;
        violate(
          "fence-back",
          `${id}: ${describe(later)} was asked for after ${describe(earlier)} had been granted`,
        );
      },
    );
    for (const hold of holds) checkOwnSaves(inquiry, hold, savesOf(hold));
    const limit = holds[0]?.limit;
    if (limit !== undefined) {
      checkPermits(inquiry, blind, { holds, limit });
      continue;
    }
    for (const [first, second] of overlaps(holds)) {
      figures["overlaps"] = (figures["overlaps"] ?? 0) + 1;
      checkStaleSaves(inquiry, { first, second }, savesOf);
      checkExplained(inquiry, blind, [first, second]);
    }
  }
}

/** [S4] Once its signal has aborted, or it was released, nothing is saved under a grant. */
function checkOwnSaves({ violate }: Inquiry, hold: Hold, saves: readonly Call[]): void {
  for (const save of saves) {
    if (save.outcome === "ok" && save.begin > hold.until)
      violate(
        "stale-save",
        `${hold.id}: a save under ${describe(hold)} was accepted after its end (${hold.how})`,
      );
  }
}

/** Pairs of which the second, with the greater fence, was granted while the first still believed. */
function* overlaps(holds: readonly Hold[]): Generator<[Hold, Hold]> {
  let active: Hold[] = [];
  for (const next of holds.toSorted((a, b) => a.from - b.from)) {
    active = active.filter(({ until }) => until > next.from);
    for (const other of active) {
      if (other.shared && next.shared) continue;
      // Two grants with one fence are two holders as well.
      if (other.fence <= next.fence) yield [other, next];
      else if (next.until > other.from) yield [next, other];
    }
    active.push(next);
  }
}

/** [L1] The server accepts the saves of one: after the second was granted, none of the first's. */
function checkStaleSaves(
  { history, mayBeLost, violate }: Inquiry,
  { first, second }: { first: Hold; second: Hold },
  savesOf: (hold: Hold) => Call[],
): void {
  const stale = savesOf(first).filter(({ begin, outcome }) => begin > second.from && outcome === "ok");
  if (stale.length === 0) return;
  // A failover may have taken the second's grant away again, for good: then the first's was the one that counted.
  const secondSaved = savesOf(second).some(
    ({ outcome, end }) => outcome === "ok" && end > (stale[0]?.begin ?? 0),
  );
  if (history.hasReplicas && mayBeLost({ begin: second.from, end: second.from }) && !secondSaved) return;
  violate(
    "stale-save",
    `${first.id}: a save under ${describe(first)} was accepted after ${describe(second)} had been granted`,
  );
}

/** [L13] At no time do those that certainly have permits have more than there are. */
function checkPermits(
  { history, violate, figures }: Inquiry,
  blind: Blind,
  { holds, limit }: { readonly holds: readonly Hold[]; readonly limit: number },
): void {
  let active: Hold[] = [];
  figures["grants of permits"] = (figures["grants of permits"] ?? 0) + holds.length;
  for (const next of holds.toSorted((a, b) => a.from - b.from)) {
    active = active.filter(({ until }) => until > next.from);
    const certain = active.filter((hold) => {
      const to = Math.min(hold.until, next.until);
      return !isExplained(history, blind, { hold, from: next.from, to });
    });
    const used = certain.reduce((sum, { weight }) => sum + weight, next.weight);
    if (used > limit) {
      const others = certain.map(describe).join(", ");
      violate(
        "too-many-permits",
        `${next.id}: ${used} of ${limit} were held by ${describe(next)}, ${others}`,
      );
    }
    active.push(next);
  }
}

/** [L5] The first must have learned of its loss before the second got in, or been kept from learning it. */
function checkExplained(
  { history, violate, figures }: Inquiry,
  blind: Blind,
  [first, second]: [Hold, Hold],
): void {
  const from = Math.max(first.from, second.from);
  const to = Math.min(first.until, second.until);
  if (isExplained(history, blind, { hold: first, from, to })) {
    figures["overlaps explained by a fault"] = (figures["overlaps explained by a fault"] ?? 0) + 1;
    return;
  }
  const ms = ((to - from) / 1e6).toFixed(1);
  violate(
    "two-holders",
    `${first.id}: for ${ms} ms both ${describe(first)} and ${describe(second)} held it, and no fault explains it`,
  );
}

/** Whether faults kept the process of this hold from knowing, from `from` until `to`, that it had lost it. */
function isExplained(
  history: History,
  blind: Blind,
  { hold, from, to }: { readonly hold: Hold; readonly from: number; readonly to: number },
): boolean {
  const left = explainedUntil(history, blind, { hold, from });
  return left >= to || (hold.how === "abort" && to - left < latenessOf(history));
}

/** How long faults, one after the other from `from` on, kept the process of this hold from knowing that its lock was another's. */
function explainedUntil(
  history: History,
  blind: Blind,
  { hold, from }: { hold: Hold; from: number },
): number {
  // Whoever was told "released, and held until then" was not too late to notice, whatever its timers did.
  const sure = hold.answer === true;
  const stalls = sure ? [] : (history.stalls.get(hold.life) ?? []).filter(({ to }) => to >= from);
  const slack = sure ? 0 : latenessOf(history);
  let left = from;
  for (const span of [...stalls, ...blind(hold)].toSorted((a, b) => a.from - b.from))
    if (span.from - slack <= left) left = Math.max(left, span.to + slack);
  return left;
}

/** While these last, and for a lease after them, a holder may not know that the lock is another's. */
type Blind = (hold: Hold) => Span[];

function blindSpans({ calls, faults }: History): Blind {
  const forced = groupBy(
    calls.filter(({ op, outcome }) => op === "force" && outcome !== "failed"),
    ({ id }) => id,
  );
  const jumps = faults.filter(({ name }) => ["server-clock", "machine-clock", "failover"].includes(name));
  const deleted = groupBy(
    faults.filter(({ name }) => name === "lock-deleted"),
    ({ detail }) => String(detail["on"]),
  );
  return (hold) => {
    const lease = hold.leaseMs * 1e6;
    const forces = (forced.get(hold.id) ?? []).map(({ begin, end }) => ({
      from: begin,
      to: Math.min(end, begin + 5e9),
    }));
    return [...forces, ...jumps, ...(deleted.get(hold.id) ?? [])]
      .map(({ from, to }) => ({ from, to: to + lease }))
      .filter(({ from, to }) => to >= hold.from && from <= hold.until);
  };
}

function describe({ life, h, fence, from }: Hold): string {
  return `fence ${fence} of ${life} (hold ${h}, from ${(from / 1e6).toFixed(1)} ms)`;
}
