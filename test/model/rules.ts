// What must hold after each step, found from the rows before and after it, and not by the functions that made them.

import type { Ticket } from "../../src/backends/contract.ts";
import type { Decision, RowRequest } from "../../src/backends/rows/request-types.ts";
import type { WaiterRow } from "../../src/backends/rows/row-types.ts";
import { rules } from "./programs.ts";
import { endOf, id, isHolder, liveHolders, secondId, type Held, type Stored } from "./world.ts";

export interface Step {
  readonly before: Stored;
  readonly after: Stored;
  readonly request: RowRequest;
  readonly decision: Decision;
  readonly now: number;
  /** The greatest fence that was given before. */
  readonly lastFence: number;
  /** The tickets in the order of their first asks, with the one that asks now. */
  readonly order: readonly Ticket[];
  /** Those whose release or cancel was carried out before. */
  readonly settled: readonly Ticket[];
}

export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, text: string) {
    super(`${rule}: ${text}`);
    this.rule = rule;
  }
}

export function check(step: Step): void {
  const holders = liveHolders(step.after, step.now);
  checkModes(step, holders);
  checkSum(step);
  checkGrants(step, holders);
  checkOthers(step, holders);
  checkSettled(step);
  checkCommit(step);
  if (servesQueue(step)) checkServed(step, holders);
}

/** [L1] [L12] */
function checkModes({ after }: Step, holders: readonly Held[]): void {
  const whole = holders.filter(({ weight }) => weight === undefined);
  if (whole.length > 0 && holders.length > 1) fail("[L12] modes", "a writer and another holder");
  if (after.lock !== null && after.lock.ticket !== null && after.holders.length > 0)
    fail("[L12] modes", "rows of holders beside a lock that one ticket has");
}

/** What sums up the holders is true of them. */
function checkSum({ after: { lock, holders } }: Step): void {
  if (lock?.ticket !== null) return;
  const used = holders.reduce((sum, { weight }) => sum + weight, 0);
  if (lock.holders !== holders.length || lock.used !== used) fail("[L13] sum", "another number of holders");
  const ends = holders.map(endOf);
  if (lock.firstEndsAt > Math.min(...ends)) fail("[L12] sum", "a lease that ends before the first one");
  if (endOf(lock) < Math.max(...ends)) fail("[L12] sum", "a lease that ends after the last one");
  if (holders.some(({ fence }) => fence < lock.generation)) fail("[L12] sum", "a holder of before");
}

/** [L2] [L3] [L13] */
function checkGrants(step: Step, holders: readonly Held[]): void {
  const { before, after, now, lastFence, order } = step;
  const known = new Set(liveHolders(before, now).map(({ ticket }) => ticket));
  const got = holders.filter(({ ticket }) => !known.has(ticket));
  if (got.some(({ fence }) => fence <= lastFence)) fail("[L3] fences", "a fence that does not rise");
  const fences = holders.map(({ fence }) => fence);
  if (new Set(fences).size < fences.length) fail("[L3] fences", "two grants with one fence");
  const used = holders.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (got.some(({ weight = 0 }) => weight > 0) && used > (after.semaphore?.limit ?? 0))
    fail("[L13] limit", `${String(used)} permits are given`);
  for (const { ticket } of got) {
    for (const waiter of live(before.waiters, now)) {
      const isEarlier = order.indexOf(waiter.ticket) < order.indexOf(ticket);
      const isStill = after.waiters.some((one) => one.ticket === waiter.ticket && !one.passedOver);
      if (isEarlier && isStill) fail("[L2] order", `${ticket} overtakes ${waiter.ticket}`);
    }
  }
}

/** [L6] A request ends no lease but that of its own ticket. */
function checkOthers({ before, now, request }: Step, holders: readonly Held[]): void {
  const own = ticketOf(request);
  for (const held of liveHolders(before, now)) {
    const same = holders.find(({ ticket, fence }) => ticket === held.ticket && fence === held.fence);
    if (held.ticket === own && ["release", "cancel", "commit"].includes(request.kind)) continue;
    if (same === undefined) fail("[L6] others", `${held.ticket} has lost its grant`);
    else if (held.ticket !== own && request.kind !== "renew" && endOf(same) < endOf(held))
      fail("[L6] others", `${held.ticket} has a shorter lease`);
  }
}

/** Of the request on the lock that all ask for. */
function ticketOf(request: RowRequest): Ticket | null {
  if (request.kind === "commit") return request.entries.find((entry) => entry.id === id)?.ticket ?? null;
  if ("id" in request && request.id !== id) return null;
  return "ticket" in request ? request.ticket : null;
}

/** [S9] [S4] All or nothing, and only while every ticket holds. */
function checkCommit({ before, after, now, request, decision }: Step): void {
  if (request.kind !== "commit") return;
  const { status } = decision.reply as { status: string };
  const written = decision.changes.flatMap((change) => (change.kind === "state" ? [change.id] : []));
  const isDone = status === "committed" && isFirstReply(before, decision);
  if (written.length !== (isDone ? request.entries.length : 0))
    fail("[S9] all or nothing", `${status}, and written: ${written.join(" ")}`);
  for (const entry of request.entries) {
    const [held, holds] = [isHolder(before, now, entry), isHolder(after, now, entry)];
    if (isDone && !held) fail("[S4] commit", `under ${entry.ticket}, which does not hold ${entry.id}`);
    if (holds !== (held && !isDone))
      fail("[S9] all or nothing", `${status}, and ${entry.id} is not as it should`);
  }
}

/** [L7] [S5] */
function checkSettled({ after, settled, now }: Step): void {
  for (const ticket of settled) {
    if (liveHolders(after, now).some((held) => held.ticket === ticket))
      fail("[L7] settled", `${ticket} holds`);
    if (isHolder(after, now, { id: secondId, ticket })) fail("[L7] settled", `${ticket} holds ${secondId}`);
    if (after.waiters.some((waiter) => waiter.ticket === ticket)) fail("[L7] settled", `${ticket} waits`);
  }
}

/** Whether this step must leave no one waiting who could have what it waits for. */
function servesQueue({ before, now, request, decision }: Step): boolean {
  const { status } = (decision.reply ?? {}) as { status?: string };
  if (request.kind === "commit") return status === "committed" && isFirstReply(before, decision);
  if ("id" in request && request.id !== id) return false;
  if (request.kind === "acquire") {
    const isHolder = liveHolders(before, now).some(({ ticket }) => ticket === request.ticket);
    return status !== "settled" && !isHolder; // a holder's ask only renews
  }
  if (request.kind === "semaphore") return status === "resized";
  if (request.kind === "release" || (request.kind === "cancel" && status === "released"))
    return status === "released" && isFirstReply(before, decision);
  const isShared = liveHolders(before, now).some(({ weight }) => weight !== undefined);
  return request.kind === "cancel" && status === "cancelled" && isShared && isFirstReply(before, decision);
}

/** Nothing was done if it was only given again. */
function isFirstReply(_: Stored, { changes }: Decision): boolean {
  return changes.some(({ kind }) => kind === "receipt");
}

/** [L2] [L9] [L12] [L13] */
function checkServed({ after, now }: Step, holders: readonly Held[]): void {
  const [first] = live(after.waiters, now);
  if (first !== undefined && fits(after, first, holders))
    fail("[L2] served", `${first.ticket} waits for nothing`);
}

export function fits({ semaphore }: Stored, { weight }: WaiterRow, holders: readonly Held[]): boolean {
  if (holders.length === 0) return true;
  if (weight === undefined || holders.some((held) => held.weight === undefined)) return false;
  const used = holders.reduce((sum, held) => sum + (held.weight ?? 0), 0);
  return weight === 0 || used + weight <= (semaphore?.limit ?? 0);
}

/** Those that are neither gone nor passed over, in their order. */
export function live(waiters: readonly WaiterRow[], now: number): readonly WaiterRow[] {
  return waiters.filter(({ passedOver, askedAt }) => !passedOver && askedAt + rules.limits.askLimitMs > now);
}

function fail(rule: string, text: string): never {
  throw new Violation(rule, text);
}
