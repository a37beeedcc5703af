/**
 * Who waits for a lock, in the order of their first asks [L2].
 *
 * A waiter that has not asked for too long is gone. One that was handed the lock and said nothing is passed over: it
 * keeps its place, but does not hold up others until it asks again [L9].
 */
import type { AcquireRequest, Ticket } from "../contract.ts";
import type { Item } from "./pending-changes.ts";
import type { WaiterRow } from "./row-types.ts";

/** Those that are not gone. Reads only. */
export function presentWaiters(item: Item): readonly WaiterRow[] {
  const waiters = item.waiters();
  return waiters.length === 0 ? waiters : waiters.filter((waiter) => !isGone(item, waiter));
}

/** The same, and clears the others away. */
export function clearedWaiters(item: Item): readonly WaiterRow[] {
  const { now } = item.pending;
  return item.changeWaiters((waiter) => {
    if (isGone(item, waiter)) return null;
    // Where the clock was set back, it has the usual time to ask again from this look on.
    return waiter.askedAt > now ? { ...waiter, askedAt: now } : waiter;
  });
}

/** The one that would get the lock now. */
export function nextWaiter(item: Item): WaiterRow | undefined {
  return clearedWaiters(item).find((waiter) => !waiter.passedOver);
}

/** Notes an ask. A new ticket goes to the end. */
export function noteAsk(item: Item, ticket: Ticket, ask: AcquireRequest): void {
  const { leaseMs, fences, load } = ask;
  item.setWaiter({ ticket, askedAt: item.pending.now, leaseMs, fences, load, passedOver: false });
}

/** How many of these want the lock that `holder` has. */
export function countWaiting(waiters: readonly WaiterRow[], holder: Ticket): number {
  let count = 0;
  for (const waiter of waiters) if (!waiter.passedOver && waiter.ticket !== holder) count += 1;
  return count;
}

function isGone({ pending }: Item, waiter: WaiterRow): boolean {
  return waiter.askedAt + pending.rules.limits.askLimitMs <= pending.now;
}
