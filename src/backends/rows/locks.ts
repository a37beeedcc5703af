/**
 * Locks: who holds them, granting, renewing, and passing on to the next waiter.
 *
 * The next request removes what has expired: nothing here needs a timer [L10].
 */
import type { Granted, Ticket, Waiting } from "../contract.ts";
import type { PendingChanges, Item } from "./pending-changes.ts";
import { countWaiting, presentWaiters } from "./queue.ts";
import type { LockRow, WaiterRow } from "./row-types.ts";
import { loadState } from "./states.ts";

interface Grant {
  readonly leaseMs: number;
  readonly fences: number;
}

/** The lock if it is held now. Removes one that has expired. */
export function currentLock(item: Item): LockRow | null {
  const lock = item.lock();
  if (lock === null) return null;
  if (remainingMs(item.pending, lock) <= 0) {
    item.setLock(null);
    return null;
  }
  const { now } = item.pending;
  if (lock.since <= now) return lock;
  // The clock was set back. The lease lasts its full length from now on, and no longer.
  const rebased = { ...lock, since: now };
  item.setLock(rebased);
  return rebased;
}

/** The same without a change. */
export function liveLock(item: Item): LockRow | null {
  const lock = item.lock();
  return lock === null || remainingMs(item.pending, lock) <= 0 ? null : lock;
}

/** In whole milliseconds, and never more than the length of the lease, even if the clock was changed. */
export function remainingMs({ now, rules }: PendingChanges, { since, leaseMs }: LockRow): number {
  return Math.ceil(Math.min(leaseMs, since + leaseMs + rules.grainMs - now));
}

/** Makes a full grant with newly reserved fences. */
export function grantLock(item: Item, ticket: Ticket, { leaseMs, fences }: Grant): LockRow {
  return setLock(item, { ticket, leaseMs, fences, unconfirmed: false });
}

export function renewLock(item: Item, lock: LockRow, leaseMs: number): LockRow {
  if (lock.unconfirmed) item.removeWaiter(lock.ticket);
  const renewed = { ...lock, since: item.pending.now, leaseMs, unconfirmed: false };
  item.setLock(renewed);
  return renewed;
}

/** The holder has sent a request of its own: it no longer waits. */
export function confirmLock(item: Item, lock: LockRow): void {
  if (!lock.unconfirmed) return;
  item.removeWaiter(lock.ticket);
  item.setLock({ ...lock, unconfirmed: false });
}

/** Ends the holder's grant: the next waiter gets the lock, or it is free. */
export function passOn(item: Item, next: WaiterRow | undefined): void {
  if (next === undefined) item.setLock(null);
  else handTo(item, next);
}

/** Hands the lock to a waiter for a short lease; its first own request makes this a full grant. */
export function handTo(item: Item, next: WaiterRow): LockRow {
  const { rules, wakes } = item.pending;
  const { ticket, fences } = next;
  item.setWaiter({ ...next, passedOver: true });
  const leaseMs = Math.min(rules.limits.handOverMs, next.leaseMs);
  const lock = setLock(item, { ticket, fences, leaseMs, unconfirmed: true });
  if (rules.wakes) {
    const { status: _, ...granted } = grantedReply(item, lock, next.load);
    wakes.push({ kind: "granted", id: item.id, ticket, ...granted });
  }
  return lock;
}

export function grantedReply(item: Item, lock: LockRow, load: boolean): Granted {
  const { fence, fences, leaseMs } = lock;
  const waiting = countWaiting(presentWaiters(item), lock.ticket);
  if (!load) return { status: "granted", fence, fences, leaseMs, waiting };
  return { status: "granted", fence, fences, leaseMs, waiting, state: loadState(item, false) };
}

export function waitingReply(
  item: Item,
  lock: LockRow,
  place: { readonly status: Waiting["status"]; readonly before: readonly WaiterRow[] },
): Waiting {
  return {
    status: place.status,
    holder: { token: lock.ticket, foreign: false },
    retryInMs: remainingMs(item.pending, lock),
    ahead: countWaiting(place.before, lock.ticket),
  };
}

function setLock(item: Item, grant: Omit<LockRow, "fence" | "since">): LockRow {
  const { ticket, fences, leaseMs, unconfirmed } = grant;
  const fence = item.pending.reserveStamps(fences);
  const lock = { ticket, fence, fences, since: item.pending.now, leaseMs, unconfirmed };
  item.setLock(lock);
  return lock;
}
