/**
 * A lock that several tickets hold: shared [L12], or with permits of a semaphore [L13].
 *
 * Each holder has a row with its own lease and fences. One more row sums them up, so that it is known without reading
 * them how many there are, what is left, and when to look for leases that have ended.
 */
import type { PendingChanges, Item } from "./pending-changes.ts";
import type { HolderRow, LockRow, SharesRow } from "./row-types.ts";
import { keepSemaphore } from "./semaphores.ts";

/** Removes the holders whose leases have ended; `null`: all have. */
export function currentShares(item: Item, shares: SharesRow): SharesRow | null {
  if (isCurrent(item.pending, shares)) return shares;
  const { now } = item.pending;
  const kept: HolderRow[] = [];
  for (const row of item.shares.all()) {
    if (item.pending.remainingMs(row) <= 0) item.shares.removeHolder(row.ticket);
    else kept.push(row);
  }
  // If the clock was set back, each lease lasts its full length from now on, and no longer.
  for (const row of kept) if (row.since > now) item.shares.setHolder({ ...row, since: now });
  const current = sumOf(item.pending, shares, kept);
  item.setLock(current);
  return current;
}

/** The same without a change. */
export function liveShares(item: Item, shares: SharesRow): SharesRow | null {
  return isCurrent(item.pending, shares) ? shares : sumOf(item.pending, shares, liveHolders(item));
}

/** By fence. */
export function liveHolders(item: Item): readonly HolderRow[] {
  return item.shares.all().filter((row) => item.pending.remainingMs(row) > 0);
}

/** Whether no lease can have ended, and the clock was not set back. */
export function isCurrent({ now, rules }: PendingChanges, { since, firstEndsAt }: SharesRow): boolean {
  return since <= now && firstEndsAt + rules.grainMs > now;
}

export function isShare(held: LockRow | HolderRow): held is HolderRow {
  return "weight" in held;
}

/** `shares`: the current ones; `null`: it is the first. */
export function addShare(item: Item, shares: SharesRow | null, row: HolderRow): void {
  const { holders, used } = shares ?? { holders: 0, used: 0 };
  setShare(item, row, {
    ...leasesWith(item, shares, row),
    holders: holders + 1,
    used: used + row.weight,
  });
}

/** Gives a holder that is there a new lease, which begins now. */
export function renewShare(item: Item, shares: SharesRow, row: HolderRow): void {
  const { holders, used } = shares;
  setShare(item, row, { ...leasesWith(item, shares, row), holders, used });
}

/** The lock is free once the last one has left. */
export function removeShare(item: Item, shares: SharesRow, { ticket, weight }: HolderRow): void {
  item.shares.removeHolder(ticket);
  if (shares.holders === 1) item.setLock(null);
  else item.setLock({ ...shares, holders: shares.holders - 1, used: shares.used - weight });
}

function setShare(item: Item, row: HolderRow, shares: SharesRow): void {
  item.shares.setHolder(row);
  item.setLock(shares);
  if (row.weight > 0) keepSemaphore(item, row.leaseMs);
}

/** A sum with one more lease, which begins now. */
function leasesWith(
  { pending: { now } }: Item,
  shares: SharesRow | null,
  { fence, leaseMs }: HolderRow,
): Omit<SharesRow, "holders" | "used"> {
  const endsAt = now + leaseMs;
  const lastEndsAt = shares === null ? endsAt : Math.max(endsAt, shares.since + shares.leaseMs);
  const firstEndsAt = shares === null ? endsAt : Math.min(endsAt, shares.firstEndsAt);
  const generation = shares?.generation ?? fence;
  return { ticket: null, generation, since: now, leaseMs: lastEndsAt - now, firstEndsAt };
}

function sumOf(
  { now }: PendingChanges,
  { generation }: SharesRow,
  holders: readonly HolderRow[],
): SharesRow | null {
  if (holders.length === 0) return null;
  let [used, firstEndsAt, lastEndsAt] = [0, Infinity, 0];
  for (const { weight, since, leaseMs } of holders) {
    const endsAt = Math.min(since, now) + leaseMs;
    used += weight;
    firstEndsAt = Math.min(firstEndsAt, endsAt);
    lastEndsAt = Math.max(lastEndsAt, endsAt);
  }
  const leaseMs = lastEndsAt - now;
  return { ticket: null, generation, holders: holders.length, used, since: now, leaseMs, firstEndsAt };
}
