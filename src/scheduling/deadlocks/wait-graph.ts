/**
 * Which callers of this process wait for a lock while they hold others, and the deadlocks that follow from that [L15].
 *
 * A call that is made inside a function that runs under a lock is taken to be awaited by it: the lock is held until the
 * call has ended. So each hold waits for what its function waits for: a ticket at the backend, or another hold of this
 * process, which waits in turn. A cycle within the process is found here, when the call that closes it is made. For
 * those that go through other processes, the backend is told which tickets each hold waits for (wait-notes.ts).
 *
 * Calls that are made outside such a function are not known here, and cost nothing. A cycle may be missed: what is
 * looked at is bounded.
 */
import type { BlockedHolder, Deadlock, QueuedAsk, Ticket } from "../../backends/contract.ts";
import type { Hold } from "../../leases/hold.ts";
import type { TicketRegistry } from "../../leases/ticket-registry.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import { awaitingLinks, grantsHeldBy } from "../../ownership/held-grants.ts";
import { now } from "../../timers.ts";
import type { LocalQueue } from "../local-queue.ts";
import type { Request } from "../request.ts";
import { deadlockError } from "./deadlock-error.ts";
import { WaitNotes } from "./wait-notes.ts";

/** A lock that callers of this process wait for. */
export interface AwaitedLock {
  readonly id: string;
  /** The ticket that waits for it at the backend, for all of them. */
  readonly waitingTicket: Ticket | undefined;
  /** If a caller of this process has the whole of it, they wait for that one. */
  readonly lentHold: Hold | undefined;
  readonly queue: Pick<LocalQueue, "reject" | "underLocks" | "hasUnderLocks">;
}

/** A request that waits while its caller holds locks. */
interface Wait {
  readonly request: Request;
  readonly lock: AwaitedLock;
  /** What is held until it has ended: less than before, once a function that awaits it has ended. */
  grants: readonly HeldGrant[];
  /** Of all functions that await it, and what its call has acquired. */
  readonly watched: readonly HeldGrant[];
  /** Rises with each request. */
  readonly nth: number;
}

/** A ticket that a hold waits for, and the waits that lead from one to the other. */
export interface AwaitedAsk extends QueuedAsk {
  readonly via: readonly Wait[];
}

/** Of the callers that wait for one lock, this many are looked at, and of the tickets that one hold waits for. */
const maxLooked = 16;

export class WaitGraph {
  readonly #tickets: TicketRegistry;
  readonly #waits = new Map<Request, Wait>();
  readonly #byHold = new Map<Hold, Set<Wait>>();
  /** By the id that is waited for. */
  readonly #byId = new Map<string, Set<Wait>>();
  /** By each grant that is watched for them. */
  readonly #byGrant = new Map<HeldGrant, Set<Wait>>();
  readonly #watched = new WeakSet<HeldGrant>();
  /** By shard: a cycle is found only within one. */
  readonly #notes = new Map<number, WaitNotes>();
  #count = 0;

  constructor(tickets: TicketRegistry) {
    this.#tickets = tickets;
  }

  /**
   * The request waits for the lock. It is rejected at once if that closes a cycle within this process. As long as it is
   * not known that others have the lock, nothing is done.
   */
  joined(lock: AwaitedLock, request: Request): void {
    if (request.isExpired || !isTaken(lock)) return;
    const grants = this.#grantsOf(request);
    if (grants.length === 0) return;
    const { context, acquired = [] } = request;
    const watched = [...awaitingLinks(context).map(({ grant }) => grant), ...acquired];
    const wait: Wait = { request, lock, grants, watched, nth: (this.#count += 1) };
    this.#waits.set(request, wait);
    addTo(this.#byId, lock.id, wait);
    for (const { hold } of grants) addTo(this.#byHold, hold, wait);
    for (const grant of watched) {
      addTo(this.#byGrant, grant, wait);
      this.#watch(grant);
    }
    const cycle = this.#cycleOf(wait);
    if (cycle === undefined) this.#note(wait);
    else lock.queue.reject(request, this.#error(cycle));
  }

  /** The request was served, or has failed. */
  left(request: Request): void {
    const wait = this.#waits.get(request);
    if (wait === undefined) return;
    this.#waits.delete(request);
    removeFrom(this.#byId, wait.lock.id, wait);
    for (const { hold } of wait.grants) removeFrom(this.#byHold, hold, wait);
    for (const grant of wait.watched) removeFrom(this.#byGrant, grant, wait);
    this.#note(wait, true);
  }

  /** A ticket has begun or ceased to wait for this lock, or it was lent or returned. */
  changed(lock: AwaitedLock): void {
    if (!lock.queue.hasUnderLocks || (this.#waits.size === 0 && !isTaken(lock))) return;
    for (const request of lock.queue.underLocks(maxLooked)) {
      const wait = this.#waits.get(request);
      if (wait === undefined) this.joined(lock, request);
      else this.#note(wait);
    }
  }

  /** The tickets that a function under this hold waits for. */
  readonly asksOf = (hold: Hold): readonly AwaitedAsk[] => {
    const asks = new Map<Ticket, AwaitedAsk>();
    const seen = new Set<Hold>();
    const look = (from: Hold, via: readonly Wait[]): void => {
      if (seen.has(from) || seen.size === maxLooked) return;
      seen.add(from);
      for (const wait of this.#waitsUnder(from)) {
        const { id, waitingTicket: ticket, lentHold } = wait.lock;
        if (ticket === undefined) {
          if (lentHold !== undefined) look(lentHold, [...via, wait]);
        } else if (asks.size < maxLooked && !asks.has(ticket))
          asks.set(ticket, { id, ticket, via: [...via, wait] });
      }
    };
    look(hold, []);
    return [...asks.values()];
  };

  /** What certainly stays held until the request has ended. */
  #grantsOf({ context, acquired = [] }: Request): readonly HeldGrant[] {
    const grants = grantsHeldBy(awaitingLinks(context), this.#tickets.store);
    for (const grant of acquired) if (grant.parent === undefined && grant.isLive) grants.push(grant);
    return grants;
  }

  /**
   * When its function has ended, nothing is awaited by it any more, nor by the functions around it. Until the backend
   * knows that, its note is about a ticket that must not hold the lock for another caller.
   */
  #watch(grant: HeldGrant): void {
    if (this.#watched.has(grant)) return;
    this.#watched.add(grant);
    grant.whenOverEndWaits(() => {
      for (const wait of [...(this.#byGrant.get(grant) ?? [])]) this.#leftBehind(wait);
      if (this.#notesOf(grant.hold).mayHave(grant.hold)) grant.hold.taint();
    });
  }

  #leftBehind(wait: Wait): void {
    const before = wait.grants;
    wait.grants = this.#grantsOf(wait.request);
    for (const grant of before) {
      if (wait.grants.includes(grant)) continue;
      removeFrom(this.#byHold, grant.hold, wait);
      this.#noteHold(grant.hold, { isLess: true });
    }
  }

  #waitsUnder(hold: Hold): readonly Wait[] {
    return first(this.#byHold.get(hold), ({ request }) => !request.isExpired);
  }

  /** Within this process: from the lock that is waited for, by holds and what they wait for, back to the caller. */
  #cycleOf({ lock, grants }: Wait): Deadlock | undefined {
    const at = now();
    const own = new Set(grants.map(({ hold }) => hold));
    const seen = new Set<Hold>();
    const pathFrom = (to: AwaitedLock): readonly BlockedHolder[] | undefined => {
      const hold = to.lentHold;
      if (hold === undefined || hold.until <= at || seen.has(hold) || seen.size === maxLooked)
        return undefined;
      seen.add(hold);
      for (const wait of own.has(hold) ? [] : this.#waitsUnder(hold)) {
        const path = pathFrom(wait.lock);
        if (path !== undefined) return [blocked(hold, wait.lock), ...path];
      }
      return own.has(hold) ? [blocked(hold, lock)] : undefined;
    };
    const path = pathFrom(lock);
    return path && beginningWith(path.length - 1, path);
  }

  /** What its caller holds waits for something else now, and so does what waits for that. */
  #note({ grants }: Wait, isLess = false): void {
    for (const { hold } of grants) this.#noteHold(hold, { isLess });
  }

  #noteHold(hold: Hold, how: { readonly isLess: boolean }, seen = new Set<Hold>()): void {
    if (seen.has(hold) || seen.size === maxLooked) return;
    seen.add(hold);
    this.#notesOf(hold).changed(hold, how.isLess);
    for (const { grants } of first(this.#byId.get(hold.id), ({ lock }) => lock.lentHold === hold))
      for (const grant of grants) this.#noteHold(grant.hold, how, seen);
  }

  #notesOf({ id }: Hold): WaitNotes {
    const { calls } = this.#tickets;
    const shard = calls.backend.shardOf?.(id) ?? 0;
    let notes = this.#notes.get(shard);
    if (notes === undefined) {
      const onDeadlock = (hold: Hold, cycle: Deadlock): void => this.#end(hold, cycle);
      notes = new WaitNotes(calls, { asksOf: this.asksOf, onDeadlock });
      this.#notes.set(shard, notes);
    }
    return notes;
  }

  /** The backend has found a cycle. The newest of the calls of this process in it has closed it. */
  #end(hold: Hold, [start, ...others]: Deadlock): void {
    const ask = this.asksOf(hold).find(({ ticket }) => ticket === start?.ask.ticket);
    if (ask === undefined) return; // it waits no longer
    const { via } = ask;
    const newest = via.reduce((one, two) => (one.nth > two.nth ? one : two));
    const own = via.map(({ lock }, at) =>
      blocked(at === 0 ? hold : (via[at - 1]?.lock.lentHold ?? hold), lock),
    );
    const cycle = beginningWith(via.indexOf(newest), [...own, ...others]);
    newest.lock.queue.reject(newest.request, this.#error(cycle));
  }

  #error(cycle: Deadlock): Error {
    return deadlockError(cycle, this.#tickets.calls.backend.clientId);
  }
}

/** Whether another caller or client is known to have it. */
function isTaken({ waitingTicket, lentHold }: AwaitedLock): boolean {
  return waitingTicket !== undefined || lentHold !== undefined;
}

function blocked({ id, ticket }: Hold, lock: AwaitedLock): BlockedHolder {
  return { id, ticket, ask: { id: lock.id, ticket: lock.waitingTicket ?? "" } };
}

/** The same cycle from this place on. */
function beginningWith(place: number, cycle: Deadlock): Deadlock {
  return [...cycle.slice(place), ...cycle.slice(0, place)];
}

/** The first of those that `which` selects. */
function first(waits: Iterable<Wait> = [], which: (wait: Wait) => boolean = () => true): Wait[] {
  const found: Wait[] = [];
  for (const wait of waits) if (which(wait) && found.push(wait) === maxLooked) break;
  return found;
}

function addTo<Key>(sets: Map<Key, Set<Wait>>, key: Key, wait: Wait): void {
  const known = sets.get(key);
  if (known === undefined) sets.set(key, new Set([wait]));
  else known.add(wait);
}

function removeFrom<Key>(sets: Map<Key, Set<Wait>>, key: Key, wait: Wait): void {
  const known = sets.get(key);
  if (known?.delete(wait) === true && known.size === 0) sets.delete(key);
}
