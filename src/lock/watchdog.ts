/**
 * Liveness: keeps the leases of held tickets alive, and says when one is lost [L5].
 *
 * A watched ticket is in one of these states; renewal has four answers, and "unknown" is one of them:
 *
 * | state | what | on "renewed" | on "lost" | on unknown | at its local deadline |
 * |---|---|---|---|---|---|
 * | kept | a third of the lease has not passed since the last renewal was sent | – | – | – | lost |
 * | renewing | a renewal is under way | kept | lost | unsure | lost |
 * | unsure | the last renewal got no answer in time; tries again soon | kept | lost | – | lost |
 * | lost | told to its owner; no longer watched | – | – | – | – |
 *
 * The local deadline is one lease after the last successful renewal was *sent*, by the monotonic clock, so it comes
 * no later than the server's. All renewals that are due go out in one call. Order and state are none of its business.
 */
import type { Backend, RenewEntry } from "../backends/backend.ts";
import type { Conversations } from "../conversation.ts";
import { now, type Deadline } from "../timers.ts";

/** A held ticket, as the watchdog sees it. */
export interface Watched extends RenewEntry {
  /** The local deadline, by the monotonic clock. */
  readonly until: number;
  /** The watchdog's own; `undefined`: it is not watched. */
  watch: Watch | undefined;
  /** A renewal that was sent at `sentAt` succeeded. */
  renewed(sentAt: number): void;
  lose(reason: string): void;
}

/** What the watchdog knows of a ticket. */
export interface Watch {
  state: "kept" | "renewing" | "unsure";
  deadline: Deadline;
}

/** Renewals fall due on a grid of this part of the lease, so that many of them share one call. */
const gridPart = 1 / 32;
/** So many tickets are renewed by one call. */
const maxEntries = 500;
/** After an unknown answer: this part of the lease, within these bounds. */
const retryPart = 1 / 20;
const minRetryMs = 10;
const maxRetryMs = 1_000;

export class Watchdog {
  readonly #conversations: Conversations;
  #due: Watched[] = [];

  constructor(conversations: Conversations) {
    this.#conversations = conversations;
  }

  /** From now on the ticket is renewed. What it was granted with counts as its first renewal. */
  watch(ticket: Watched): void {
    this.unwatch(ticket);
    ticket.watch = { state: "kept", deadline: this.#nextRenewal(ticket) };
  }

  /** [L6] Ends renewal at once; an answer that is still under way is ignored. */
  unwatch(ticket: Watched): void {
    this.#conversations.deadlines.clear(ticket.watch?.deadline);
    ticket.watch = undefined;
  }

  #nextRenewal(ticket: Watched): Deadline {
    // A hand-over grant is shorter than the ticket's lease, so what is left of it counts.
    const at = now();
    const left = Math.max(Math.min(ticket.leaseMs, ticket.until - at), 0);
    const gridMs = ticket.leaseMs * gridPart;
    const dueAt = Math.max(Math.floor((at + left / 3) / gridMs) * gridMs, at);
    const thirdMs = ticket.leaseMs / 3;
    return this.#conversations.deadlines.set(thirdMs, () => this.#renewSoon(ticket), dueAt - thirdMs);
  }

  /** Collects what falls due in the same turn of the event loop. */
  #renewSoon(ticket: Watched): void {
    if (now() >= ticket.until) {
      this.#lose(ticket, "its lease ended before it could be renewed (was the event loop blocked?)");
      return;
    }
    if (this.#due.push(ticket) === 1) queueMicrotask(() => this.#renewAll(this.#due.splice(0)));
  }

  /** In parts, so that the answers of each count for themselves. */
  #renewAll(due: readonly Watched[]): void {
    const tickets = due.filter((ticket) => ticket.watch !== undefined);
    for (let at = 0; at < tickets.length; at += maxEntries) this.#renew(tickets.slice(at, at + maxEntries));
  }

  #renew(tickets: readonly Watched[]): void {
    const { backend, deadlines } = this.#conversations;
    const sentAt = now();
    const sent = tickets.map((ticket) => ({ ticket, watch: this.#sent(ticket) }));
    const entries = tickets.map(({ id, ticket, leaseMs }) => ({ id, ticket, leaseMs }));
    const unknown = (): void => {
      for (const { ticket, watch } of sent) if (ticket.watch === watch) this.#unsure(ticket, watch);
    };
    const withinMs = Math.min(...new Set(tickets.map(({ leaseMs }) => leaseMs))) / 4;
    const deadline = deadlines.set(withinMs, unknown, sentAt);
    renewLocks(backend, entries).then(
      (answers) => {
        deadlines.clear(deadline);
        sent.forEach(({ ticket, watch }, index) => {
          // Unless it was released, or renewed by another try, meanwhile.
          if (ticket.watch === watch) this.#answer(ticket, { answer: answers[index], sentAt, watch });
        });
      },
      () => {
        deadlines.clear(deadline);
        unknown(); // whatever the reason: the local deadline decides in the end
      },
    );
  }

  /** Until the answer comes, the local deadline is what is watched. */
  #sent(ticket: Watched): Watch {
    const { watch } = ticket;
    if (watch === undefined) throw new Error(`HOLDFAST_NOT_WATCHED: ${ticket.id}`);
    this.#conversations.deadlines.clear(watch.deadline);
    watch.state = "renewing";
    watch.deadline = this.#localDeadline(ticket);
    return watch;
  }

  /** Also when it comes late: what was renewed when it was sent is ours for a lease from then on. */
  #answer(
    ticket: Watched,
    { answer, sentAt, watch }: { answer: "renewed" | "lost" | undefined; sentAt: number; watch: Watch },
  ): void {
    if (answer === "lost") this.#lose(ticket, "the server says that it is no longer the holder");
    if (answer === undefined) this.#unsure(ticket, watch);
    if (answer !== "renewed") return;
    ticket.renewed(sentAt);
    this.watch(ticket);
  }

  #unsure(ticket: Watched, watch: Watch): void {
    if (watch.state === "unsure") return;
    this.#conversations.deadlines.clear(watch.deadline);
    watch.state = "unsure";
    const retryMs = Math.min(Math.max(ticket.leaseMs * retryPart, minRetryMs), maxRetryMs);
    if (now() + retryMs >= ticket.until) watch.deadline = this.#localDeadline(ticket);
    else watch.deadline = this.#conversations.deadlines.set(retryMs, () => this.#renewSoon(ticket));
  }

  #localDeadline(ticket: Watched): Deadline {
    const noAnswer = (): void => this.#lose(ticket, "no renewal was answered within its lease");
    return this.#conversations.deadlines.set(ticket.leaseMs, noAnswer, ticket.until - ticket.leaseMs);
  }

  #lose(ticket: Watched, reason: string): void {
    this.unwatch(ticket);
    ticket.lose(reason);
  }
}

/** A backend of the user's own may throw at once. */
async function renewLocks(
  backend: Backend,
  entries: readonly RenewEntry[],
): Promise<readonly ("renewed" | "lost")[]> {
  const answers: unknown = await backend.renewLocks(entries);
  if (!Array.isArray(answers)) throw new Error("renewLocks() must answer an array");
  return answers as readonly ("renewed" | "lost")[];
}
