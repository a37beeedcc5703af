/**
 * The lock and state protocol, as a pure function: rows, a request and the time → a reply, changes and wakes.
 *
 * It modifies neither its rows nor its request, reads no clock and knows no storage: the same input gives the same
 * decision. Memory and SQLite carry out its decisions (executor.ts). test/property/oracle.test.ts compares it with
 * Redis, which implements the same protocol in Lua. The rows must not change while it decides.
 */
import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  Forgotten,
  LockEntry,
  ReleaseReply,
  RenewEntry,
  Ticket,
  Waiting,
  WriteReply,
} from "../contract.ts";
import { PendingChanges, type Item } from "./pending-changes.ts";
import {
  confirmLock,
  currentLock,
  grantedReply,
  grantLock,
  handTo,
  liveLock,
  passOn,
  remainingMs,
  renewLock,
  waitingReply,
} from "./locks.ts";
import { clearedWaiters, countWaiting, nextWaiter, noteAsk, presentWaiters } from "./queue.ts";
import { isEffect, isSettled, once } from "./receipts.ts";
import type { Decision, Kind, ReplyTo, RowRequest } from "./request-types.ts";
import type { LockRow, Moment, Rows } from "./row-types.ts";
import { loadState, touchState, writeState } from "./states.ts";

export function decide<K extends Kind>(rows: Rows, request: RowRequest<K>, moment: Moment): Decision<K> {
  const pending = new PendingChanges(rows, moment);
  const decideOn: (pending: PendingChanges, request: RowRequest<K>) => ReplyTo<K> = deciders[request.kind];
  const reply = decideOn(pending, request);
  return { reply, changes: pending.finish(), wakes: pending.wakes };
}

const deciders: { readonly [K in Kind]: (pending: PendingChanges, request: RowRequest<K>) => ReplyTo<K> } = {
  load: (pending, { id, expiry }) => loadState(pending.item(id), expiry),
  write,
  touch: (pending, request) =>
    once(pending, request, { decide: () => touchState(pending.item(request.id), request.ttlMs) }),
  acquire,
  peek,
  renew: (pending, { entries }) => entries.map((entry) => renew(pending, entry)),
  release,
  cancel,
  inspect,
};

function write(pending: PendingChanges, request: RowRequest<"write">): WriteReply {
  const { id, write, ticket } = request;
  const decide = (): Exclude<WriteReply, Forgotten> => {
    const item = pending.item(id);
    const lock = currentLock(item);
    if (ticket === null) {
      // [S8] a write without a ticket overtakes neither the holder nor the waiters.
      if (lock !== null || nextWaiter(item) !== undefined) return { status: "busy" };
    } else if (lock?.ticket !== ticket) {
      return { status: "lost" }; // [S4]
    }
    const written = writeState(item, write);
    if (lock !== null && isEffect(written)) confirmLock(item, lock);
    return written;
  };
  return once(pending, request, { decide });
}

function acquire(pending: PendingChanges, request: RowRequest<"acquire">): AcquireReply {
  const { id, ticket, ask, receipt } = request;
  if (isSettled(pending, receipt)) return { status: "settled" };
  const item = pending.item(id);
  const lock = currentLock(item);
  if (lock === null) return acquireFree(item, ticket, ask);
  if (lock.ticket === ticket) return grantedReply(item, renewLock(item, lock, ask.leaseMs), ask.load);

  const queue = clearedWaiters(item);
  const place = queue.findIndex((waiter) => waiter.ticket === ticket);
  if (place === -1 && !ask.queue) return waitingReply(item, lock, { status: "busy", before: queue });
  const before = place === -1 ? queue : queue.slice(0, place);
  noteAsk(item, ticket, ask);
  // With others before it, the holder was notified when the first of them came, or with its grant.
  const isFirst = before.every((waiter) => waiter.passedOver);
  if (isFirst && queue[place]?.passedOver !== false) wakeHolder(item, lock, "wanted");
  return waitingReply(item, lock, { status: "waiting", before });
}

/**
 * The lock is free but has a queue: the holder died. The first live waiter is next; the asker is certainly live [L2]
 * [L10].
 */
function acquireFree(item: Item, ticket: Ticket, ask: AcquireRequest): AcquireReply {
  const queue = clearedWaiters(item);
  const next = queue.find((waiter) => !waiter.passedOver || waiter.ticket === ticket);
  if (next === undefined || next.ticket === ticket) {
    if (next !== undefined) item.removeWaiter(ticket);
    return grantedReply(item, grantLock(item, ticket, ask), ask.load);
  }
  const place = queue.findIndex((waiter) => waiter.ticket === ticket);
  const joins = ask.queue || place !== -1;
  if (joins) noteAsk(item, ticket, ask); // first, since the wake includes the number of waiters
  const lock = handTo(item, next);
  if (!joins) return waitingReply(item, lock, { status: "busy", before: queue });
  return waitingReply(item, lock, {
    status: "waiting",
    before: place === -1 ? queue : queue.slice(0, place),
  });
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
  return waitingReply(item, lock, { status: "waiting", before: queue.slice(0, place) });
}

function renew(pending: PendingChanges, { id, ticket, leaseMs }: RenewEntry): "renewed" | "lost" {
  const item = pending.item(id);
  const lock = currentLock(item);
  if (lock?.ticket !== ticket) return "lost";
  renewLock(item, lock, leaseMs);
  return "renewed";
}

function release(pending: PendingChanges, request: RowRequest<"release">): ReleaseReply {
  return once(pending, request, { decide: () => releaseOnce(pending.item(request.id), request) });
}

function releaseOnce(item: Item, request: RowRequest<"release">): Exclude<ReleaseReply, Forgotten> {
  const { ticket, failed } = request;
  const { write, keep, forced } = request.release;
  const lock = currentLock(item);
  if (lock?.ticket !== ticket || !isFenceOf(lock, forced?.ifFence)) return { status: "lost" }; // [S4] [L6]
  const written = write === undefined ? null : writeState(item, write);
  if (written?.status === "conflict" || written?.status === "unreadable") return written;
  confirmLock(item, lock);
  const revision = written?.status === "saved" ? written.revision : null;

  const next = nextWaiter(item);
  if (keep !== undefined && next === undefined) {
    const { fence, fences } = grantLock(item, ticket, keep);
    return { status: "kept", revision, fence, fences };
  }
  if (forced !== undefined) wakeHolder(item, lock, "forced");
  passOn(item, next);
  return failed === undefined ? { status: "released", revision } : { status: "released", revision, failed };
}

function cancel(pending: PendingChanges, request: RowRequest<"cancel">): CancelReply {
  const { id, ticket } = request;
  const decide = (): Exclude<CancelReply, Forgotten> => {
    const item = pending.item(id);
    const isHeld = currentLock(item)?.ticket === ticket;
    item.removeWaiter(ticket); // [L7]
    if (!isHeld) return { status: "cancelled" };
    passOn(item, nextWaiter(item));
    return { status: "released" };
  };
  return once(pending, request, { decide, repeats: isEffect }); // a refused release has ended nothing
}

function inspect(pending: PendingChanges, { id }: RowRequest<"inspect">): LockEntry | null {
  const item = pending.item(id);
  const lock = liveLock(item);
  if (lock === null) return null;
  return {
    id,
    holder: { token: lock.ticket, foreign: false },
    fence: lock.fence,
    lastFence: lock.fence + lock.fences - 1,
    expiresInMs: remainingMs(pending, lock),
    waiters: countWaiting(presentWaiters(item), lock.ticket),
  };
}

function wakeHolder({ pending, id }: Item, { ticket }: LockRow, kind: "wanted" | "forced"): void {
  if (pending.rules.wakes) pending.wakes.push({ kind, id, ticket });
}

function isFenceOf(lock: LockRow, fence: number | undefined): boolean {
  return fence === undefined || (fence >= lock.fence && fence < lock.fence + lock.fences);
}
