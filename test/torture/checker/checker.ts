// Reads a history and says what in it breaks a promise. It knows nothing of Holdfast's code: only what was called, answered,
// seen and found at the end. Rules for lists are in check-lists.ts, for accounts in check-banks.ts, for
// grants in check-holds.ts.
//
// | rule | what is wrong |
// |---|---|
// | lost-update, applied-twice, failed-present, never-asked | an id is missing, twice, or there without right [S3] [S5] |
// | counter, reordered | a list's counter has not counted it; an id stands behind one that was begun after it was answered [S2] [S3] |
// | not-a-prefix, stale-look, future-look | a reader saw what never was, less than had been acknowledged, or more than had begun [S1] [S3] |
// | revision-back, fence-back | a number does not rise [S2] [L3] |
// | two-holders, stale-save | two held a lock that they could not share and no fault explains it [L1] [L5] [L12]; a save was accepted from who had lost it [S4] |
// | too-many-permits | more permits were held than the semaphore has, and no fault explains it [L13] |
// | sum, balance, half-done, torn-look | the accounts of a bank do not add up, or a transfer is in some of its accounts only [S9] |
// | two-results, run-again, never-run | a once had two results, ran again after it had one, or has one that no function returned [O1] |
// | forgotten, attempt-back | a once's result was gone; its attempts were not counted [O1] |
// | ended-term, leader-back, unknown-leader | a look saw a leader whose term had ended, an earlier one than a look before, or nobody's value [E1] |
// | called-again | an update's function was called twice [S3] |
// | seen, process | an error that cannot be, a broken re-entry [L4]; a process that crashed or did not end [P1] [P2] |
// | left-behind, not-recovered | a lock or a place in a queue of a process that closed [L7] [P2]; no answer although nothing is broken |
//
// Across a failover without durability, what was acknowledged right before it may be missing, and is counted; all else holds.

import { checkBanks } from "./check-banks.ts";
import { checkHolds } from "./check-holds.ts";
import { checkLists } from "./check-lists.ts";
import { checkOnces } from "./check-onces.ts";
import { checkTerms } from "./check-terms.ts";
import type { Call, FaultSpan, History } from "./history.ts";

/** One broken promise. `rule` is the short name that the checker's tests know it by. */
export interface Violation {
  readonly rule: string;
  readonly text: string;
}

export interface Findings {
  readonly violations: Violation[];
  /** Counts worth telling, by name. */
  readonly figures: Record<string, number>;
}

interface Time {
  readonly begin: number;
  readonly end: number;
}

/** What the rules share. */
export interface Inquiry {
  readonly history: History;
  readonly figures: Record<string, number>;
  /** Whether what was acknowledged at that time may have been lost by a failover that nobody asked to be safe from. */
  readonly mayBeLost: (call: Time) => boolean;
  /** What was seen or left then may be gone, or back, after a failover, durability or not: nobody had acknowledged it. */
  readonly nearFailover: (call: Time) => boolean;
  readonly violate: (rule: string, text: string) => void;
}

/** Replication is asynchronous: what was acknowledged so long before a failover may be missing after it. */
const replicationLag = 1e9;

export function check(history: History): Findings {
  const violations: Violation[] = [];
  const figures: Record<string, number> = {};
  const windows = failoverWindows(history);
  const nearFailover = ({ begin, end }: Time): boolean =>
    windows.some(({ from, to }) => begin <= to && end >= from);
  const durable = (history.run?.["durability"] ?? null) !== null; // acknowledged means: on replicas, too
  const inquiry: Inquiry = {
    history,
    figures,
    nearFailover,
    mayBeLost: (call) => !durable && nearFailover(call),
    violate: (rule, text) => violations.push({ rule, text }),
  };
  checkLists(inquiry);
  checkBanks(inquiry);
  checkHolds(inquiry);
  checkOnces(inquiry);
  checkTerms(inquiry);
  checkRevisions(inquiry);
  checkEnd(inquiry);
  return { violations, figures };
}

function failoverWindows({ faults }: History): { from: number; to: number }[] {
  return faults
    .filter(({ name }) => name === "failover")
    .map(({ from, to }: FaultSpan) => ({ from: from - replicationLag, to }));
}

/** [S2] A save that began after another had been answered has the greater revision; no two share one, batches aside. */
function checkRevisions({ history, violate }: Inquiry): void {
  const saves = history.calls.filter(
    ({ outcome, revision, op }) => outcome === "ok" && revision !== undefined && op === "save",
  );
  for (const [id, calls] of groupBy(saves, ({ id }) => id)) {
    checkRising(
      calls,
      (call) => Number(call.revision),
      (earlier, later) =>
        violate(
          "revision-back",
          `${id}: ${name(later)} got revision ${later.revision}, after ${name(earlier)} had got ${earlier.revision}`,
        ),
    );
  }
}

/** Calls `found` for each that began after another had ended and yet has a number that is not greater. */
export function checkRising<T extends { begin: number; end: number }>(
  entries: readonly T[],
  numberOf: (entry: T) => number,
  found: (earlier: T, later: T) => void,
): void {
  const byEnd = entries.toSorted((a, b) => a.end - b.end);
  let greatest: T | undefined;
  let at = 0;
  for (const later of entries.toSorted((a, b) => a.begin - b.begin)) {
    for (let next = byEnd[at]; next !== undefined && next.end < later.begin; next = byEnd[(at += 1)]) {
      if (greatest === undefined || numberOf(next) > numberOf(greatest)) greatest = next;
    }
    if (greatest !== undefined && numberOf(later) <= numberOf(greatest)) found(greatest, later);
  }
}

/** What was seen on the spot, how processes ended, what they left behind, and that all went well once nothing was broken. */
function checkEnd({ history, violate, figures, nearFailover }: Inquiry): void {
  const count = (figure: string): void => void (figures[figure] = (figures[figure] ?? 0) + 1);
  for (const line of history.wrong) violate("seen", `${String(line["life"])}: ${String(line["what"])}`);
  for (const line of history.deaths) {
    if (line["how"] === "closed" || line["how"] === "killed") continue;
    violate("process", `process ${String(line["life"])} ended by itself: ${String(line["how"])}`);
  }
  // [S3] Only a failover can change a list behind the protocol's back here.
  for (const line of history.again) {
    if (history.hasReplicas) count("functions called again");
    else
      violate(
        "called-again",
        `${String(line["add"])}: its function was called ${String(line["calls"])} times`,
      );
  }
  const killed = new Set(history.deaths.filter(({ how }) => how === "killed").map(({ life }) => life));
  for (const line of history.behind) {
    const { what, key, life } = line;
    // A replica that takes over may still know a place in a queue that had been left: nobody asks for it again, and it expires.
    const returned = (call: Call): boolean =>
      call.life === life && nearFailover(call) && String(key).includes(`{${call.id}}`);
    // Whoever is killed cannot clean up; its lease or the queue's own life does, later.
    if (killed.has(life)) count("left by killed processes");
    else if (what === "waiter" && history.calls.some(returned)) count("brought back by a failover");
    else
      violate("left-behind", `${String(what)} ${String(key)} of ${String(life)}: ${String(line["ticket"])}`);
  }
  const settled = history.calmAt + 10e9; // longer than any call of before may still be under way
  for (const call of history.calls) {
    if (call.begin > settled && call.outcome === "unknown")
      violate(
        "not-recovered",
        `${name(call)} had no answer although nothing was broken: ${call.code ?? "none"}`,
      );
  }
}

export function name(call: Call): string {
  const ms = (call.begin / 1e6).toFixed(1);
  return `${call.op} ${call.add ?? `${call.life}#${call.n}`} (begun at ${ms} ms)`;
}

export function groupBy<T>(entries: readonly T[], keyOf: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups;
}
