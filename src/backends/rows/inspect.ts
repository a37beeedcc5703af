/** What a lock or a semaphore looks like from outside. Only reads. */
import type { LockEntry, SemaphoreEntry } from "../contract.ts";
import { liveLock } from "./locks.ts";
import type { Item } from "./pending-changes.ts";
import { countWaiting, presentWaiters } from "./queue.ts";
import { semaphoreEntry, shareEntry } from "./semaphores.ts";
import { firstOf } from "./share-rows.ts";
import { liveHolders } from "./shares.ts";

export function inspect(item: Item): LockEntry | null {
  const lock = liveLock(item);
  if (lock === null) return null;
  const holders = lock.ticket === null ? liveHolders(item) : undefined;
  const holder = lock.ticket === null ? firstOf(holders ?? []) : lock;
  if (holder === undefined) return null;
  const entry: LockEntry = {
    id: item.id,
    holder: { token: holder.ticket, foreign: false },
    fence: holder.fence,
    lastFence: holder.fence + holder.fences - 1,
    expiresInMs: item.pending.remainingMs(holder),
    heldForMs: item.pending.passedMs(holder.fence),
    waiters: countWaiting(presentWaiters(item), lock.ticket),
  };
  return holders === undefined
    ? entry
    : { ...entry, shares: holders.map((row) => shareEntry(item.pending, row)) };
}

export function inspectSemaphore(item: Item): SemaphoreEntry | null {
  const isHeld = item.lock()?.ticket === null;
  return semaphoreEntry(item, isHeld ? liveHolders(item) : []);
}
