/**
 * Looks at a lock once more when callers give up waiting for it, so that their errors say who holds it now, since when,
 * and how many wait. The replies to their asks may be old: a ticket in the queue is not told of each hand-over.
 *
 * One call of the backend serves all callers that give up meanwhile. It is not repeated, and their errors wait for it for
 * a bounded time: without an answer, they say what the last reply said. A caller with `waitMs: 0` has a fresh reply, and
 * is not delayed.
 */
import type { LockEntry } from "../../backends/contract.ts";
import type { TicketRegistry } from "../../leases/ticket-registry.ts";
import { parseTicket } from "../../leases/ticket.ts";
import { after, nextTurn } from "../../timers.ts";
import type { Request } from "../request.ts";
import { timeoutError, type KnownHolder } from "./timeout-error.ts";

/** Many times what a server takes that answers, and still unnoticed beside a wait that has failed. */
const maxLookMs = 250;

/** What is known here when a caller gives up. */
export interface Seen {
  readonly holder: KnownHolder["holder"];
  /** The tickets before it in the backend's queue, as last reported. */
  readonly ahead: number;
  /** The tickets of this client in that queue. */
  readonly ownTickets: number;
  /** The other callers of this process that wait. */
  readonly others: number;
}

export class LastLook {
  readonly #id: string;
  readonly #tickets: TicketRegistry;
  #looking: Promise<LockEntry | null> | undefined;

  constructor(id: string, tickets: TicketRegistry) {
    this.#id = id;
    this.#tickets = tickets;
  }

  /** The error of a request that waited too long. The promise never rejects. */
  errorFor(request: Request, seen: Seen): Error | Promise<Error> {
    const tickets = this.#tickets;
    const { holder, ahead, others } = seen;
    if (request.waitMs === 0) {
      const known = { holder, waiters: ahead + others };
      return timeoutError(this.#id, request, { known, tickets });
    }
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking.then((entry) =>
      timeoutError(this.#id, request, { known: this.#known(seen, entry), tickets }),
    );
  }

  /** `null`: the lock is free by now, or there was no answer in time. */
  #look(): Promise<LockEntry | null> {
    const { backend, keepAlive } = this.#tickets.calls;
    keepAlive.ref(); // [P1]
    return new Promise((resolve) => {
      const settle = (entry: LockEntry | null): void => {
        limit.stop();
        resolve(entry);
      };
      // An answer that came while the event loop was blocked is read first.
      const limit = after(maxLookMs, () => nextTurn(() => nextTurn(() => settle(null))));
      // A user's own backend may throw.
      Promise.resolve()
        .then(() => backend.inspectLock(this.#id))
        .then(settle, () => settle(null));
    }).finally(() => keepAlive.unref()) as Promise<LockEntry | null>;
  }

  #known({ holder, ahead, ownTickets, others }: Seen, entry: LockEntry | null): KnownHolder {
    if (entry === null || this.#isHandedToUs(holder, entry)) return { holder, waiters: ahead + others };
    const elsewhere = Math.max(0, entry.waiters - ownTickets);
    return { holder: entry.holder, heldForMs: entry.heldForMs, waiters: elsewhere + others };
  }

  /** Others had the lock until now, and this client's ticket has got it too late. */
  #isHandedToUs(holder: Seen["holder"], entry: LockEntry): boolean {
    return holder !== undefined && !this.#isOurs(holder) && this.#isOurs(entry.holder);
  }

  #isOurs({ token, foreign }: LockEntry["holder"]): boolean {
    return !foreign && parseTicket(token).clientId === this.#tickets.calls.backend.clientId;
  }
}
