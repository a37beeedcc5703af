/**
 * Locks: who holds them, granting, renewing, and the replies about them.
 *
 * The next request removes what has expired: nothing here needs a timer [L10].
 */
import type { Granted, Ticket, Waiting } from "../contract.ts";
import type { Item } from "./pending-changes.ts";
import { countWaiting, presentWaiters } from "./queue.ts";
import type { HolderRow, LockRow, SharesRow, WaiterRow, Weight } from "./row-types.ts";
import { addShare, currentShares, isShare, liveShares, removeShare, renewShare } from "./shares.ts";
import { loadState } from "./states.ts";

/** What one ticket has: the whole lock, or a share of it. */
export type Held = LockRow | HolderRow;

interface Grant {
  readonly ticket: Ticket;
  readonly leaseMs: number;
  readonly fences: number;
  readonly unconfirmed: boolean;
  readonly weight: Weight | undefined;
}

/** The lock if it is held now. Removes holders whose leases have ended. */
export function currentLock(item: Item): LockRow | SharesRow | null {
  const lock = item.lock();
  if (lock === null) return null;
  if (lock.ticket === null) return currentShares(item, lock);
  if (item.pending.remainingMs(lock) <= 0) {
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
export function liveLock(item: Item): LockRow | SharesRow | null {
  const lock = item.lock();
  if (lock?.ticket === null) return liveShares(item, lock);
  return lock === null || item.pending.remainingMs(lock) <= 0 ? null : lock;
}

/** What the ticket has of the current lock. */
export function heldBy(item: Item, lock: LockRow | SharesRow | null, ticket: Ticket): Held | undefined {
  if (lock === null) return undefined;
  if (lock.ticket === null) return item.shares.holder(ticket);
  return lock.ticket === ticket ? lock : undefined;
}

/** Whether this is one of its fences; `undefined`: any is. */
export function isFenceOf(held: Held, fence: number | undefined): boolean {
  return fence === undefined || (fence >= held.fence && fence < held.fence + held.fences);
}

/** Whether a ticket can get this now. A weight is at most the limit of its semaphore. */
export function fits(item: Item, weight: Weight | undefined): boolean {
  const lock = item.lock();
  if (lock === null) return true;
  if (weight === undefined || lock.ticket !== null) return false;
  return weight === 0 || weight <= (item.shares.semaphore()?.limit ?? 0) - lock.used;
}

/** Makes a grant with newly reserved fences, of something that fits. */
export function grantLock(item: Item, { ticket, leaseMs, fences, unconfirmed, weight }: Grant): Held {
  const fence = item.pending.reserveStamps(fences);
  const row = { ticket, fence, fences, since: item.pending.now, leaseMs, unconfirmed };
  if (weight === undefined) {
    item.setLock(row);
    return row;
  }
  const lock = item.lock();
  const share = { ...row, weight };
  addShare(item, lock?.ticket === null ? lock : null, share);
  return share;
}

export function renewLock(item: Item, held: Held, leaseMs: number): Held {
  if (held.unconfirmed) item.removeWaiter(held.ticket);
  const renewed = { ...held, since: item.pending.now, leaseMs, unconfirmed: false };
  if (isShare(renewed)) renewShare(item, sharesOf(item), renewed);
  else item.setLock(renewed);
  return renewed;
}

/** The holder has sent a request of its own: it no longer waits. */
export function confirmLock(item: Item, held: Held): void {
  if (!held.unconfirmed) return;
  item.removeWaiter(held.ticket);
  const confirmed = { ...held, unconfirmed: false };
  if (isShare(confirmed)) item.shares.setHolder(confirmed);
  else item.setLock(confirmed);
}

/** Ends this grant, and no other. */
export function endGrant(item: Item, held: Held): void {
  if (isShare(held)) removeShare(item, sharesOf(item), held);
  else item.setLock(null);
}

export function grantedReply(item: Item, held: Held, load: boolean): Granted {
  const { fence, fences, leaseMs } = held;
  const waiting = countWaiting(presentWaiters(item), held.ticket);
  if (!load) return { status: "granted", fence, fences, leaseMs, waiting };
  return { status: "granted", fence, fences, leaseMs, waiting, state: loadState(item, false) };
}

export function waitingReply(
  item: Item,
  lock: LockRow | SharesRow,
  place: { readonly status: Waiting["status"]; readonly before: readonly WaiterRow[] },
): Waiting {
  const holder = lock.ticket === null ? firstHolder(item) : lock;
  const reply: Waiting = {
    status: place.status,
    holder: { token: holder.ticket, foreign: false },
    retryInMs: item.pending.remainingMs(holder),
    ahead: countWaiting(place.before, lock.ticket),
  };
  return lock.ticket === null ? { ...reply, holders: lock.holders } : reply;
}

function firstHolder(item: Item): HolderRow {
  const first = item.shares.first();
  if (first === undefined) throw new Error(`HOLDFAST_NO_HOLDER: ${item.id}`); // a sum is of at least one
  return first;
}

function sharesOf(item: Item): SharesRow {
  const lock = item.lock();
  if (lock?.ticket !== null) throw new Error(`HOLDFAST_NO_SHARES: ${item.id}`); // it has a holder
  return lock;
}
