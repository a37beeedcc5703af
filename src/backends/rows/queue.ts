/**
 * Who waits for a lock, in the order of their first asks [L2].
 *
 * A waiter that has not asked for too long is gone. One that was handed the lock and said nothing is passed over: it
 * keeps its place, but holds nobody up until it asks again [L9].
 */
import type { AcquireRequest, Ticket } from "../contract.ts";
import type { Step } from "./step.ts";
import type { WaiterRow } from "./tables.ts";

/** Those that are not gone. Reads only. */
export function presentWaiters(step: Step, id: string): WaiterRow[] {
  return step.tables.waiters(id).filter((waiter) => !isGone(step, waiter));
}

/** The same, and clears the others away. */
export function clearedWaiters(step: Step, id: string): WaiterRow[] {
  const { tables, now } = step;
  const present: WaiterRow[] = [];
  for (const waiter of tables.waiters(id)) {
    if (isGone(step, waiter)) {
      tables.deleteWaiter(id, waiter.ticket);
    } else if (waiter.askedAt > now) {
      // The clock was set back. From this look on, it has the usual time to ask again.
      const rebased = { ...waiter, askedAt: now };
      tables.setWaiter(id, rebased);
      present.push(rebased);
    } else {
      present.push(waiter);
    }
  }
  return present;
}

/** The one that would get the lock now. */
export function nextWaiter(step: Step, id: string): WaiterRow | undefined {
  return clearedWaiters(step, id).find((waiter) => !waiter.passedOver);
}

/** Notes an ask. A new ticket goes to the end. */
export function noteAsk(step: Step, id: string, ask: AcquireRequest & { readonly ticket: Ticket }): void {
  const { ticket, leaseMs, fences, load } = ask;
  step.tables.setWaiter(id, { ticket, askedAt: step.now, leaseMs, fences, load, passedOver: false });
}

/** How many of these want the lock that `holder` has. */
export function countWaiting(waiters: readonly WaiterRow[], holder: Ticket): number {
  return waiters.filter((waiter) => !waiter.passedOver && waiter.ticket !== holder).length;
}

function isGone({ now, limits }: Step, waiter: WaiterRow): boolean {
  return waiter.askedAt + limits.askLimitMs <= now;
}
