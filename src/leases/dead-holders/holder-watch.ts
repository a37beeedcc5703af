/**
 * Passes over holders whose processes are gone, on behalf of a ticket that waits for them [L10].
 *
 * It looks whenever a reply says who holds the lock, and now and then while the ticket waits. A dead holder's ticket is
 * cancelled in one step on the backend, which ends exactly this ticket and passes the lock on. Tickets are unique, so
 * that cannot end the hold of another process, however late it comes.
 */
import type { Ticket, Waiting } from "../../backends/contract.ts";
import { now, type Deadline } from "../../timers.ts";
import type { TicketRegistry } from "../ticket-registry.ts";
import { ownMark } from "./process-mark.ts";
import { whereabouts } from "./whereabouts.ts";

/** How often it looks for the process of the holder that was named last. */
const lookEveryMs = 250;
/**
 * The lock may have been passed on since then. While a process of this machine is known to hold it, the ticket asks this
 * often who does.
 */
const askEveryMs = 1_000;
/** Of more holders than this, only the one that is named is looked for. */
const maxHolders = 1_000;

export class HolderWatch {
  readonly #id: string;
  readonly #tickets: TicketRegistry;
  /** The holder that was named last, if its process is one of this machine. */
  #neighbour: Ticket | undefined;
  #lookedAt = -Infinity;
  #lookedAtAllAt = -Infinity;
  /** Of several holders, some may be processes of this machine. */
  #mayHaveNeighbours = false;
  /** What was cancelled: if one of these is named again, its lease decides. */
  #passed = new Set<Ticket>();

  constructor(id: string, tickets: TicketRegistry) {
    this.#id = id;
    this.#tickets = tickets;
  }

  /** How long the ticket may wait before it asks again. */
  get askWithinMs(): number {
    return this.#neighbour === undefined && !this.#mayHaveNeighbours ? Infinity : askEveryMs;
  }

  /**
   * A reply says who holds the lock. Returns a promise if a dead process may hold it: settled when the lock was passed on.
   * `isAgain`: the ticket has asked before.
   */
  passOver({ holder, holders = 1 }: Waiting, isAgain: boolean): Promise<void> | undefined {
    if (ownMark() === undefined) return undefined;
    if (!holder.foreign && this.#isGone(holder.token)) return this.#pass([holder.token]);
    if (holders === 1 || holders > maxHolders) this.#mayHaveNeighbours = false;
    else if (isAgain) return this.#lookAtAll();
    else this.#mayHaveNeighbours = true; // it is looked at with the next ask, which most waiters do not need
    return undefined;
  }

  /** Calls `onGone` once the holder's process is gone, unless that is soon found out anyway. Returns a function that ends this. */
  whileWaiting(withinMs: number, onGone: () => void): () => void {
    const ticket = this.#neighbour;
    if (ticket === undefined || withinMs <= lookEveryMs) return () => undefined;
    const { deadlines } = this.#tickets.calls;
    const lookLater = (): Deadline =>
      deadlines.set(lookEveryMs, () => {
        if (whereabouts(ticket) === "gone") onGone();
        else deadline = lookLater();
      });
    let deadline = lookLater();
    return () => deadlines.clear(deadline);
  }

  #isGone(ticket: Ticket): boolean {
    const at = now();
    if (ticket === this.#neighbour && at - this.#lookedAt < lookEveryMs) return false; // backends that are polled name it often
    const found = this.#passed.has(ticket) ? "unknown" : whereabouts(ticket);
    this.#neighbour = found === "there" ? ticket : undefined;
    this.#lookedAt = at;
    return found === "gone";
  }

  /** Of several holders, a reply names only the one whose lease ends first. */
  #lookAtAll(): Promise<void> | undefined {
    const at = now();
    if (at - this.#lookedAtAllAt < askEveryMs) return undefined;
    this.#lookedAtAllAt = at;
    const { calls } = this.#tickets;
    const inspect = calls.read({ doing: "Looking for dead holders", id: this.#id }, () =>
      calls.backend.inspectLock(this.#id),
    );
    return inspect.then(
      (entry) => {
        const found = new Map(entry?.shares?.map(({ token }) => [token, whereabouts(token)]));
        this.#mayHaveNeighbours = [...found.values()].includes("there");
        return this.#pass(
          [...found.keys()].filter((token) => found.get(token) === "gone" && !this.#passed.has(token)),
        );
      },
      () => undefined, // the ask that follows reports it
    );
  }

  async #pass(tickets: readonly Ticket[]): Promise<void> {
    for (const ticket of tickets) this.#passed.add(ticket);
    await Promise.all(tickets.map((ticket) => this.#tickets.passOver(this.#id, ticket)));
  }
}
