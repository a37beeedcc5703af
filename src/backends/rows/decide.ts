/**
 * The lock and state protocol, as a pure function: rows, a request and the time → a reply, changes and wakes.
 *
 * It modifies neither its rows nor its request, reads no clock and knows no storage: the same input gives the same
 * decision. Memory and SQLite carry out its decisions (executor.ts). test/property/oracle.test.ts compares it with
 * Redis, which implements the same protocol in Lua. The rows must not change while it decides.
 */
import type {
  AcquireReply,
  CancelReply,
  Forgotten,
  ReleaseReply,
  RenewEntry,
  SemaphoreReply,
  Share,
  Ticket,
  Waiting,
  WriteReply,
} from "../contract.ts";
import { commitStates } from "./commit.ts";
import { PendingChanges, type Item } from "./pending-changes.ts";
import { noteWaits } from "./deadlocks/note-waits.ts";
import { adopt, announce, firstInLine, handOver, passOn, serveQueue, type HandedOver } from "./hand-over.ts";
import { inspect, inspectSemaphore } from "./inspect.ts";
import {
  confirmLock,
  currentLock,
  fits,
  grantedReply,
  grantLock,
  heldBy,
  isFenceOf,
  liveLock,
  renewLock,
  waitingReply,
} from "./locks.ts";
import { clearedWaiters, nextWaiter, noteAsk, presentWaiters, weightOf } from "./queue.ts";
import { isEffect, isSettled, once } from "./receipts.ts";
import type { Decision, Kind, ReplyTo, RowRequest } from "./request-types.ts";
import type { Moment, Rows, WaiterRow } from "./row-types.ts";
import { writeStates } from "./many/write-states.ts";
import { changeSemaphore, mismatchOf } from "./semaphores.ts";
import { isCurrent, isShare } from "./shares.ts";
import { describeState, loadState, touchState, writeState } from "./states.ts";

export function decide<K extends Kind>(rows: Rows, request: RowRequest<K>, moment: Moment): Decision<K> {
  const pending = new PendingChanges(rows, moment);
  const decideOn: (pending: PendingChanges, request: RowRequest<K>) => ReplyTo<K> = deciders[request.kind];
  const reply = decideOn(pending, request);
  return { reply, changes: pending.finish(), wakes: pending.wakes };
}

const deciders: { readonly [K in Kind]: (pending: PendingChanges, request: RowRequest<K>) => ReplyTo<K> } = {
  load: (pending, { id, expiry }) => loadState(pending.item(id), expiry),
  loadMany: (pending, { ids }) => ids.map((id) => loadState(pending.item(id), false)),
  describe: (pending, { id }) => describeState(pending.item(id)),
  write,
  writeMany: (pending, request) =>
    once(pending, request, { decide: () => writeStates(pending, request.entries) }),
  touch: (pending, request) =>
    once(pending, request, { decide: () => touchState(pending.item(request.id), request.touch) }),
  acquire,
  peek,
  renew: (pending, { entries }) => entries.map((entry) => renew(pending, entry)),
  release,
  commit: (pending, request) =>
    once(pending, request, { decide: () => commitStates(pending, request.entries) }),
  cancel,
  noteWaits,
  inspect: (pending, { id }) => inspect(pending.item(id)),
  semaphore,
  inspectSemaphore: (pending, { id }) => inspectSemaphore(pending.item(id)),
};

function write(pending: PendingChanges, request: RowRequest<"write">): WriteReply {
  const { id, write, ticket } = request;
  const decide = (): Exclude<WriteReply, Forgotten> => {
    const item = pending.item(id);
    const lock = currentLock(item);
    const held = ticket === null ? undefined : heldBy(item, lock, ticket);
    if (ticket === null) {
      // [S8] a write without a ticket overtakes neither the holders nor the waiters.
      if (lock !== null || nextWaiter(item) !== undefined) return { status: "busy" };
    } else if (held === undefined || isShare(held)) {
      return { status: "lost" }; // [S4]
    }
    const written = writeState(item, write);
    if (held !== undefined && isEffect(written)) confirmLock(item, held);
    return written;
  };
  return once(pending, request, { decide });
}

function acquire(pending: PendingChanges, request: RowRequest<"acquire">): AcquireReply {
  const { id, ticket, ask, receipt } = request;
  if (isSettled(pending, receipt)) return { status: "settled" };
  const item = pending.item(id);
  const held = heldBy(item, currentLock(item), ticket);
  if (held !== undefined) return grantedReply(item, renewLock(item, held, ask.leaseMs), ask.load);
  if (ask.from !== undefined) return adopt(item, request, ask.from);
  const mismatch = ask.share?.kind === "permits" ? mismatchOf(item, ticket, ask.share) : undefined;
  if (mismatch !== undefined) {
    item.removeWaiter(ticket);
    serveQueue(item);
    return mismatch;
  }
  const queue = clearedWaiters(item);
  const weight = weightOf(ask.share);
  const { leaseMs, fences, load } = ask;
  if (weight === undefined && queue.length === 0 && item.lock() === null) {
    // The usual case: an exclusive ask that is alone.
    return grantedReply(item, grantLock(item, { ticket, leaseMs, fences, weight, unconfirmed: false }), load);
  }
  const handed = handOver(item, ticket);
  const next = firstInLine(item, ticket);
  if ((next !== undefined && next.ticket !== ticket) || !fits(item, weight))
    return wait(item, request, { queue, handed });
  if (next !== undefined) item.removeWaiter(ticket);
  const grant = grantLock(item, { ticket, leaseMs, fences, weight, unconfirmed: false });
  const others = handOver(item); // those behind it may fit as well
  const reply = grantedReply(item, grant, load);
  announce(item, handed);
  announce(item, others);
  return reply;
}

/** `queue`: before this step has handed the lock to anyone. */
function wait(
  item: Item,
  { ticket, ask }: RowRequest<"acquire">,
  { queue, handed }: { readonly queue: readonly WaiterRow[]; readonly handed: readonly HandedOver[] },
): Waiting {
  const known = queue.find((waiter) => waiter.ticket === ticket);
  const joins = ask.queue || known !== undefined;
  if (joins) noteAsk(item, ticket, ask);
  announce(item, handed);
  const waiters = item.waiters();
  const place = waiters.findIndex((waiter) => waiter.ticket === ticket);
  const before = place === -1 ? waiters : waiters.slice(0, place);
  // With others before it, the holders were notified when the first of them came, or with their grants.
  const isFirst = joins && known?.passedOver !== false && before.every((waiter) => waiter.passedOver);
  if (isFirst) wakeHolders(item, ask.share, handed);
  const lock = item.lock();
  if (lock === null) throw new Error(`HOLDFAST_WAITS_FOR_FREE_LOCK: ${item.id}`); // then it would have been granted
  return waitingReply(item, lock, { status: joins ? "waiting" : "busy", before });
}

function peek(pending: PendingChanges, request: RowRequest<"peek">): Waiting | undefined {
  const { id, ticket, receipt } = request;
  if (isSettled(pending, receipt)) return undefined;
  const item = pending.item(id);
  const lock = liveLock(item);
  if (lock === null || lock.ticket === ticket) return undefined;
  const queue = presentWaiters(item);
  const place = queue.findIndex((waiter) => waiter.ticket === ticket);
  if (place === -1 || queue[place]?.passedOver !== false) return undefined;
  if (lock.ticket === null) {
    // An ask may end the leases of others, or find that one that waited before it is gone.
    const next = queue.find((waiter) => !waiter.passedOver);
    if (!isCurrent(pending, lock) || item.lock() !== lock || fits(item, next?.weight)) return undefined;
  }
  return waitingReply(item, lock, { status: "waiting", before: queue.slice(0, place) });
}

function renew(pending: PendingChanges, { id, ticket, leaseMs }: RenewEntry): "renewed" | "lost" {
  const item = pending.item(id);
  const held = heldBy(item, currentLock(item), ticket);
  if (held === undefined) return "lost";
  renewLock(item, held, leaseMs);
  return "renewed";
}

function release(pending: PendingChanges, request: RowRequest<"release">): ReleaseReply {
  return once(pending, request, { decide: () => releaseOnce(pending.item(request.id), request) });
}

function releaseOnce(item: Item, request: RowRequest<"release">): Exclude<ReleaseReply, Forgotten> {
  const { ticket, failed } = request;
  const { write, keep, forced } = request.release;
  const held = heldBy(item, currentLock(item), ticket);
  if (held === undefined || !isFenceOf(held, forced?.ifFence)) return { status: "lost" }; // [S4] [L6]
  if (write !== undefined && isShare(held)) return { status: "lost" }; // [S4]
  const written = write === undefined ? null : writeState(item, write);
  if (written?.status === "conflict" || written?.status === "unreadable") return written;
  confirmLock(item, held);
  const revision = written?.status === "saved" ? written.revision : null;

  if (keep !== undefined && !isShare(held) && nextWaiter(item) === undefined) {
    const { fence, fences } = grantLock(item, { ...keep, ticket, weight: undefined, unconfirmed: false });
    return { status: "kept", revision, fence, fences };
  }
  if (forced !== undefined) wakeHolder(item, ticket, "forced");
  passOn(item, held);
  return failed === undefined ? { status: "released", revision } : { status: "released", revision, failed };
}

function cancel(pending: PendingChanges, request: RowRequest<"cancel">): CancelReply {
  const { id, ticket } = request;
  const decide = (): Exclude<CancelReply, Forgotten> => {
    const item = pending.item(id);
    const held = heldBy(item, currentLock(item), ticket);
    if (held === undefined) {
      leaveQueue(item, ticket); // [L7]
      return { status: "cancelled" };
    }
    item.removeWaiter(ticket);
    passOn(item, held);
    return { status: "released" };
  };
  return once(pending, request, { decide, repeats: isEffect }); // a refused release has ended nothing
}

function semaphore(pending: PendingChanges, request: RowRequest<"semaphore">): SemaphoreReply | Forgotten {
  const decide = (): SemaphoreReply => {
    const item = pending.item(request.id);
    const isBusy = currentLock(item) !== null || nextWaiter(item) !== undefined;
    const reply = changeSemaphore(item, request.change, isBusy);
    if (reply.status === "resized") serveQueue(item);
    return reply;
  };
  return once(pending, request, { decide });
}

/** Of several holders, others behind this ticket may fit now. */
function leaveQueue(item: Item, ticket: Ticket): void {
  item.removeWaiter(ticket);
  if (item.lock()?.ticket === null) serveQueue(item);
}

/** Tells them that others wait now. Those that were just handed the lock know it by their grants. */
function wakeHolders(item: Item, share: Share | undefined, handed: readonly HandedOver[]): void {
  const lock = item.lock();
  if (lock === null || share?.kind === "permits" || !item.pending.rules.wakes) return;
  const holders = lock.ticket === null ? item.shares.all() : [lock];
  for (const { ticket } of holders)
    if (handed.every(({ held }) => held.ticket !== ticket)) wakeHolder(item, ticket, "wanted");
}

function wakeHolder({ pending, id }: Item, ticket: Ticket, kind: "wanted" | "forced"): void {
  if (pending.rules.wakes) pending.wakes.push({ kind, id, ticket });
}
