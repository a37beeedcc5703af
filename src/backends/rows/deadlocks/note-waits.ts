/**
 * Deadlocks [L15]: what the functions that run under locks wait for, and the cycles in it.
 *
 * A cycle goes from a ticket that holds a lock to an ask that its function waits for, from there to a ticket that holds
 * the lock asked for, and so on until it comes back. Rows say what holds and what is queued, in the step of the search.
 * It only reads the rows of locks, so nobody's lease or place depends on it.
 */
import type { BlockedHolder, Deadlock, QueuedAsk, Ticket, WaitNote } from "../../contract.ts";
import { maxAsksSearched } from "../../contract-waits.ts";
import { liveLock } from "../locks.ts";
import type { PendingChanges } from "../pending-changes.ts";
import { presentWaiters } from "../queue.ts";
import type { RowRequest } from "../request-types.ts";
import type { WaitsRow } from "../row-types.ts";
import { liveHolders } from "../shares.ts";

/** Without notes, only the number of the last call is kept, against late copies. */
const lateCopyMs = 60_000;

type Asks = readonly QueuedAsk[];

export function noteWaits(
  pending: PendingChanges,
  { client, notes, n, keepMs }: RowRequest<"noteWaits">,
): readonly (Deadlock | null)[] {
  const known = currentWaits(pending, client);
  if (known !== undefined && known.n > n) return notes.map(() => null);
  const search = new Search(pending, client, known?.asks);
  for (const { ticket } of notes) search.own.delete(ticket); // of what was noted before, nothing counts
  const replies = notes.map((note) => search.add(note));
  const keepUntil = pending.now + (search.own.size === 0 ? lateCopyMs : keepMs);
  const row = { n, keepUntil, asks: search.own };
  pending.changes.push({ kind: "waits", client, row });
  return replies;
}

function currentWaits({ rows, now }: PendingChanges, client: string): WaitsRow | undefined {
  const row = rows.waits(client);
  return row === undefined || row.keepUntil <= now ? undefined : row;
}

class Search {
  /** Of the client that made the request: what is noted by now. */
  readonly own: Map<Ticket, Asks>;
  readonly #pending: PendingChanges;
  readonly #byClient: Map<string, ReadonlyMap<Ticket, Asks> | undefined>;
  /** The asks that this search has looked at. */
  #seen = new Set<Ticket>();

  constructor(pending: PendingChanges, client: string, known: ReadonlyMap<Ticket, Asks> | undefined) {
    this.#pending = pending;
    this.own = new Map(known);
    this.#byClient = new Map([[client, this.own]]);
  }

  /** Notes the asks that close no cycle. Returns the first cycle that is found. */
  add({ id, ticket, asks }: WaitNote): Deadlock | null {
    const noted: QueuedAsk[] = [];
    let found: Deadlock | null = null;
    for (const ask of asks) {
      this.#seen = new Set();
      const rest = this.#pathTo(ticket, ask);
      if (rest !== undefined) found ??= [{ id, ticket, ask }, ...rest];
      else if (noted.push(ask) === 1) this.own.set(ticket, noted);
    }
    return found;
  }

  /** The blocked holders between this ask and the lock that `target` holds; `undefined`: it does not wait for that. */
  #pathTo(target: Ticket, ask: QueuedAsk): BlockedHolder[] | undefined {
    if (this.#seen.has(ask.ticket) || this.#seen.size === maxAsksSearched) return undefined;
    this.#seen.add(ask.ticket);
    for (const holder of this.#holdersBefore(ask)) {
      if (holder === target) return [];
      for (const next of this.#asksOf(holder)) {
        const rest = this.#pathTo(target, next);
        if (rest !== undefined) return [{ id: ask.id, ticket: holder, ask: next }, ...rest];
      }
    }
    return undefined;
  }

  /** The tickets each of which must release its lock before this ask can be granted. */
  #holdersBefore({ id, ticket }: QueuedAsk): readonly Ticket[] {
    const item = this.#pending.item(id);
    const waiter = presentWaiters(item).find((one) => one.ticket === ticket);
    if (waiter === undefined || waiter.passedOver) return [];
    const isForPermits = waiter.weight !== undefined && waiter.weight > 0;
    const lock = liveLock(item);
    if (lock === null || isForPermits) return [];
    if (lock.ticket !== null) return lock.ticket === ticket ? [] : [lock.ticket];
    // A shared ask waits for an exclusive one that is before it, and that may give up.
    return waiter.weight === undefined ? liveHolders(item).map((holder) => holder.ticket) : [];
  }

  #asksOf(holder: Ticket): Asks {
    const client = holder.split(":").at(-2) ?? "";
    if (!this.#byClient.has(client)) {
      this.#byClient.set(client, currentWaits(this.#pending, client)?.asks);
    }
    return this.#byClient.get(client)?.get(holder) ?? [];
  }
}
