/**
 * The waiters of a lock, in the order of their first asks [L2].
 *
 * A waiter that has not asked for too long is gone. A waiter that was handed the lock but did not respond is passed
 * over: it keeps its place, but does not delay others until it asks again [L9].
 */
import type { AcquireRequest, Share, Ticket } from "../contract.ts";
import type { Item } from "./pending-changes.ts";
import type { WaiterRow, Weight } from "./row-types.ts";

/** The waiters that are not gone. Only reads. */
export function presentWaiters(item: Item): readonly WaiterRow[] {
  const waiters = item.waiters();
  return waiters.length === 0 ? waiters : waiters.filter((waiter) => !isGone(item, waiter));
}

/** The same, but removes the others. */
export function clearedWaiters(item: Item): readonly WaiterRow[] {
  const { now } = item.pending;
  return item.changeWaiters((waiter) => {
    if (isGone(item, waiter)) return null;
    // If the clock was set back, the waiter has the usual time to ask again from now on.
    return waiter.askedAt > now ? { ...waiter, askedAt: now } : waiter;
  });
}

/** The waiter that would get the lock now. */
export function nextWaiter(item: Item): WaiterRow | undefined {
  return clearedWaiters(item).find((waiter) => !waiter.passedOver);
}

/** Records an ask. A new ticket goes to the end. */
export function noteAsk(item: Item, ticket: Ticket, ask: AcquireRequest): void {
  const { leaseMs, fences, load } = ask;
  const weight = weightOf(ask.share);
  item.setWaiter({ ticket, askedAt: item.pending.now, leaseMs, fences, load, passedOver: false, weight });
}

/** `undefined`: the whole lock. */
export function weightOf(share: Share | undefined): Weight | undefined {
  if (share === undefined) return undefined;
  return share.kind === "shared" ? 0 : share.weight;
}

/** The number of these waiters that want the lock that `holder` has; `null`: several have it. */
export function countWaiting(waiters: readonly WaiterRow[], holder: Ticket | null): number {
  let count = 0;
  for (const waiter of waiters) if (!waiter.passedOver && waiter.ticket !== holder) count += 1;
  return count;
}

function isGone({ pending }: Item, waiter: WaiterRow): boolean {
  return waiter.askedAt + pending.rules.limits.askLimitMs <= pending.now;
}
