/**
 * Handing a lock to those that wait for it: to the first, and to the next ones as long as they fit [L2] [L12] [L13]. Or to
 * a ticket that takes it over from its holder.
 */
import type { AcquireReply, TakenFrom, Ticket } from "../contract.ts";
import {
  confirmLock,
  endGrant,
  fits,
  grantedReply,
  grantLock,
  heldBy,
  isFenceOf,
  type Held,
} from "./locks.ts";
import type { Item } from "./pending-changes.ts";
import { clearedWaiters } from "./queue.ts";
import type { RowRequest } from "./request-types.ts";
import type { WaiterRow } from "./row-types.ts";
import { isShare } from "./shares.ts";

/** A waiter that was handed the lock, and its short lease. */
export interface HandedOver {
  readonly waiter: WaiterRow;
  readonly held: Held;
}

const none: readonly HandedOver[] = [];

/** Ends this grant, hands the lock over, and wakes those that got it. */
export function passOn(item: Item, held: Held): void {
  endGrant(item, held);
  serveQueue(item);
}

/** Hands the lock over as far as it fits, and wakes those that got it. */
export function serveQueue(item: Item): void {
  clearedWaiters(item);
  announce(item, handOver(item));
}

/**
 * Hands the lock to the first waiter while it fits, for a short lease. The first own request of each makes it a full
 * grant. Stops before `asker`, which gets a reply instead. Call it with a cleared queue.
 */
export function handOver(item: Item, asker?: Ticket): readonly HandedOver[] {
  if (item.waiters().length === 0) return none;
  const handed: HandedOver[] = [];
  for (;;) {
    const next = firstInLine(item, asker);
    if (next === undefined || next.ticket === asker || !fits(item, next.weight)) return handed;
    handed.push({ waiter: next, held: handTo(item, next) });
  }
}

/** The first live waiter. The asker is certainly live. */
export function firstInLine(item: Item, asker?: Ticket): WaiterRow | undefined {
  return item.waiters().find((waiter) => !waiter.passedOver || waiter.ticket === asker);
}

/** Wakes those that were handed the lock, once nothing else changes in this step. */
export function announce(item: Item, handed: readonly HandedOver[]): void {
  const { rules, wakes } = item.pending;
  if (!rules.wakes || handed.length === 0) return;
  for (const { waiter, held } of handed) {
    const { status: _, ...granted } = grantedReply(item, held, waiter.load);
    wakes.push({ kind: "granted", id: item.id, ticket: waiter.ticket, ...granted });
  }
}

/** Takes the current lock over from its holder. Those that wait go on waiting. */
export function adopt(item: Item, { ticket, ask }: RowRequest<"acquire">, from: TakenFrom): AcquireReply {
  const held = heldBy(item, item.lock(), from.ticket);
  if (held === undefined || isShare(held) || !isFenceOf(held, from.fence)) return { status: "lost" };
  confirmLock(item, held);
  const { leaseMs, fences, load } = ask;
  const grant = grantLock(item, { ticket, leaseMs, fences, weight: undefined, unconfirmed: false });
  const { rules, wakes } = item.pending;
  if (rules.wakes) wakes.push({ kind: "forced", id: item.id, ticket: from.ticket });
  return grantedReply(item, grant, load);
}

function handTo(item: Item, next: WaiterRow): Held {
  const { ticket, fences, weight } = next;
  item.setWaiter({ ...next, passedOver: true });
  const leaseMs = Math.min(item.pending.rules.limits.handOverMs, next.leaseMs);
  return grantLock(item, { ticket, fences, leaseMs, weight, unconfirmed: true });
}
