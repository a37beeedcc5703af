/**
 * Semaphores: their limits, which asks suit them, and their changes [L13].
 *
 * The limit is stored, so that all clients have the same. A semaphore that is not used is removed in time: its first
 * ask makes it again.
 */
import type {
  Mismatch,
  SemaphoreChange,
  SemaphoreEntry,
  SemaphoreReply,
  Share,
  Ticket,
} from "../contract.ts";
import { semaphoreKeepMs } from "../contract-shares.ts";
import type { Item, PendingChanges } from "./pending-changes.ts";
import { clearedWaiters, countWaiting, presentWaiters } from "./queue.ts";
import type { HolderRow, SemaphoreRow } from "./row-types.ts";

/** It is kept for this much longer than promised, so that not every grant must write it. */
const sparedMs = 3_600_000;

type Permits = Extract<Share, { kind: "permits" }>;

export function liveSemaphore(item: Item): SemaphoreRow | null {
  const row = item.shares.semaphore();
  return row === null || row.keepUntil <= item.pending.now ? null : row;
}

/** Whether the ask does not suit the semaphore. If there is none, makes one. */
export function mismatchOf(item: Item, ticket: Ticket, { weight, limit }: Permits): Mismatch | undefined {
  const semaphore = liveSemaphore(item);
  if (semaphore === null) {
    if (limit === null || weight > limit) return { status: "mismatch", limit: null, created: null };
    setLimit(item, { limit, created: limit });
    return undefined;
  }
  const { limit: current, created } = semaphore;
  const isKnown = limit === null || limit === current || limit === created;
  // One that waits may have been right when it came.
  const suits = weight <= current && (isKnown || presentWaiters(item).some((one) => one.ticket === ticket));
  return suits ? undefined : { status: "mismatch", limit: current, created };
}

/** A grant of permits: the semaphore outlasts it. */
export function keepSemaphore(item: Item, leaseMs: number): void {
  const semaphore = item.shares.semaphore();
  const until = item.pending.now + leaseMs + semaphoreKeepMs;
  if (semaphore === null || semaphore.keepUntil >= until) return;
  item.shares.setSemaphore({ ...semaphore, keepUntil: until + sparedMs });
}

/** `isBusy`: a ticket holds or waits for permits. */
export function changeSemaphore(item: Item, change: SemaphoreChange, isBusy: boolean): SemaphoreReply {
  const semaphore = liveSemaphore(item);
  const created = semaphore?.created ?? (change.kind === "resize" ? change.created : null);
  if (created === null) return { status: "absent" };
  if (change.kind === "resize") {
    setLimit(item, { limit: change.limit, created });
    return { status: "resized" };
  }
  if (semaphore === null) return { status: "absent" };
  if (isBusy) return { status: "busy" };
  item.shares.setSemaphore(null);
  return { status: "removed" };
}

export function semaphoreEntry(item: Item, holders: readonly HolderRow[]): SemaphoreEntry | null {
  const semaphore = liveSemaphore(item);
  if (semaphore === null) return null;
  const { limit, created } = semaphore;
  return {
    id: item.id,
    limit,
    created,
    holders: holders.map((row) => shareEntry(item.pending, row)),
    waiters: countWaiting(presentWaiters(item), null),
  };
}

/** Removes the waiters that no longer fit even a free semaphore. Their next ask is a mismatch. */
function dropHeavyWaiters(item: Item, limit: number): void {
  const { pending, id } = item;
  const dropped: Ticket[] = [];
  item.changeWaiters((waiter) => {
    if ((waiter.weight ?? 0) <= limit) return waiter;
    dropped.push(waiter.ticket);
    return null;
  });
  if (pending.rules.wakes) for (const ticket of dropped) pending.wakes.push({ kind: "ask", id, ticket });
}

export function shareEntry(pending: PendingChanges, row: HolderRow): SemaphoreEntry["holders"][number] {
  const { ticket, fence, fences, weight } = row;
  return {
    token: ticket,
    fence,
    lastFence: fence + fences - 1,
    weight: weight === 0 ? 1 : weight,
    expiresInMs: pending.remainingMs(row),
  };
}

function setLimit(item: Item, { limit, created }: Pick<SemaphoreRow, "limit" | "created">): void {
  const keepUntil = Math.max(
    item.shares.semaphore()?.keepUntil ?? 0,
    item.pending.now + semaphoreKeepMs + sparedMs,
  );
  item.shares.setSemaphore({ limit, created, keepUntil });
  clearedWaiters(item);
  dropHeavyWaiters(item, limit);
}
