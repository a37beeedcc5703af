/**
 * Liveness: keeps the leases of held tickets alive, and says when one is lost [L5].
 *
 * A watched ticket is in one of these states; renewal has four answers, and "unknown" is one of them:
 *
 * | state | what | on "renewed" | on "lost" | on unknown | at its local deadline |
 * |---|---|---|---|---|---|
 * | valid | a third of the lease has not passed since the last renewal was sent | valid (of an earlier try) | lost | – | lost |
 * | renewing | a renewal is under way | valid | lost | unsure | lost |
 * | unsure | the last renewal got no answer in time; tries again soon | valid | lost | – | lost |
 * | lost | told to its owner; no longer watched | – | – | – | – |
 *
 * The local deadline is one lease after the last successful renewal was *sent*, by the monotonic clock, so it comes
 * no later than the server's. It is strict: what has arrived and was not read yet does not put it off. All renewals that
 * are due go out together. Answers count whenever they come, also those of tries before the last: on a slow way every
 * answer would else be late. Order and state are none of its business.
 */
import type { Backend, RenewEntry } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { Deadlines, now, soon, type Deadline } from "../timers.ts";

/** A held ticket, as the watchdog sees it. */
export interface Watched extends RenewEntry {
  /** The local deadline, by the monotonic clock. */
  readonly until: number;
  /** The watchdog's own; `undefined`: it is not watched. */
  readonly watch: Watch | undefined;
  watchedBy(watch: Watch | undefined): void;
  /** A renewal that was sent at `sentAt` succeeded. */
  renewed(sentAt: number): void;
  lose(reason: string): void;
}

/** What the watchdog knows of a ticket. */
export interface Watch {
  state: "valid" | "renewing" | "unsure";
  deadline: Deadline;
  /** When the last renewal was sent. */
  sentAt: number;
  /** When the last one that succeeded was. */
  provenAt: number;
}

const transitions: Readonly<Record<Watch["state"], readonly Watch["state"][]>> = {
  valid: ["valid", "renewing"],
  renewing: ["valid", "renewing", "unsure"],
  unsure: ["valid", "renewing"],
};

/** A renewal of one ticket that is under way. */
interface Sent {
  readonly ticket: Watched;
  readonly watch: Watch;
  readonly sentAt: number;
}

/** Renewals fall due on a grid of this part of the lease, so that many of them share one call. */
const gridPart = 1 / 32;
/** How many tickets are renewed by one call. */
const maxEntries = 500;
/** After an unknown answer: this part of the lease, within these bounds. */
const retryPart = 1 / 20;
const minRetryMs = 10;
const maxRetryMs = 1_000;

export class Watchdog {
  readonly #calls: BackendCalls;
  readonly #deadlines = new Deadlines({ strict: true });
  #due: Watched[] = [];

  constructor(calls: BackendCalls) {
    this.#calls = calls;
  }

  /** From now on the ticket is renewed. What it was granted with counts as its first renewal. */
  watch(ticket: Watched, at = now()): void {
    this.unwatch(ticket);
    const deadline = this.#nextRenewal(ticket, at);
    ticket.watchedBy({ state: "valid", deadline, sentAt: -Infinity, provenAt: -Infinity });
  }

  /** [L6] Ends renewal at once; an answer that is still under way is ignored. */
  unwatch(ticket: Watched): void {
    this.#deadlines.clear(ticket.watch?.deadline);
    ticket.watchedBy(undefined);
  }

  /** Whether it is held is not sure: the next renewal is due now. */
  renewNow(ticket: Watched): void {
    if (ticket.watch?.state !== "renewing") this.#renewSoon(ticket);
  }

  #nextRenewal(ticket: Watched, at: number): Deadline {
    // A hand-over grant is shorter than the ticket's lease, so what is left of it counts.
    const left = Math.max(Math.min(ticket.leaseMs, ticket.until - at), 0);
    const gridMs = ticket.leaseMs * gridPart;
    const dueAt = Math.max(Math.floor((at + left / 3) / gridMs) * gridMs, at);
    const thirdMs = ticket.leaseMs / 3;
    return this.#deadlines.set(thirdMs, () => this.#renewSoon(ticket), dueAt - thirdMs);
  }

  /** Collects what falls due in the same turn of the event loop. */
  #renewSoon(ticket: Watched): void {
    if (now() >= ticket.until) {
      this.#lose(ticket, "its lease ended before it could be renewed (was the event loop blocked?)");
      return;
    }
    if (this.#due.push(ticket) === 1) soon(() => this.#renewAll(this.#due.splice(0)));
  }

  /** In parts, so that the answers of each count for themselves. */
  #renewAll(due: readonly Watched[]): void {
    const tickets = due.filter((ticket) => ticket.watch !== undefined);
    for (let at = 0; at < tickets.length; at += maxEntries) this.#renew(tickets.slice(at, at + maxEntries));
  }

  #renew(tickets: readonly Watched[]): void {
    const { backend } = this.#calls;
    const sentAt = now();
    const sent = tickets.map((ticket) => ({ ticket, sentAt, watch: this.#sent(ticket, sentAt) }));
    const entries = tickets.map(({ id, ticket, leaseMs }) => ({ id, ticket, leaseMs }));
    const unknown = (): void => sent.forEach((one) => this.#answer(one, undefined));
    const withinMs = Math.min(...new Set(tickets.map(({ leaseMs }) => leaseMs))) / 4;
    const deadline = this.#deadlines.set(withinMs, unknown, sentAt);
    renewLocks(backend, entries).then(
      (answers) => {
        this.#deadlines.clear(deadline);
        sent.forEach((one, index) => this.#answer(one, answers[index]));
      },
      () => {
        this.#deadlines.clear(deadline);
        unknown(); // for any reason: the local deadline decides in the end
      },
    );
  }

  /** Until the answer comes, the local deadline is what is watched. */
  #sent(ticket: Watched, sentAt: number): Watch {
    const { watch } = ticket;
    if (watch === undefined) throw new Error(`HOLDFAST_NOT_WATCHED: ${ticket.id}`);
    watch.sentAt = sentAt;
    this.#become(watch, "renewing", this.#localDeadline(ticket));
    return watch;
  }

  /** Answers count whenever they come: what was renewed when it was sent is ours for a lease from then on. */
  #answer({ ticket, watch, sentAt }: Sent, answer: "renewed" | "lost" | undefined): void {
    if (ticket.watch !== watch) return; // it was released meanwhile, or is lost
    if (answer === "lost") this.#lose(ticket, "the server says that it is no longer the holder");
    else if (answer === "renewed") this.#renewed(ticket, watch, sentAt);
    else if (watch.state === "renewing" && watch.sentAt === sentAt) this.#unsure(ticket, watch);
  }

  #renewed(ticket: Watched, watch: Watch, sentAt: number): void {
    if (sentAt <= watch.provenAt) return; // a later one has said more
    watch.provenAt = sentAt;
    ticket.renewed(sentAt);
    const isUnderWay = watch.state === "renewing" && watch.sentAt !== sentAt; // a later try
    if (isUnderWay) this.#become(watch, "renewing", this.#localDeadline(ticket));
    else this.#become(watch, "valid", this.#nextRenewal(ticket, now()));
  }

  #unsure(ticket: Watched, watch: Watch): void {
    const retryMs = Math.min(Math.max(ticket.leaseMs * retryPart, minRetryMs), maxRetryMs);
    const isTooLate = now() + retryMs >= ticket.until;
    const retry = (): Deadline => this.#deadlines.set(retryMs, () => this.#renewSoon(ticket));
    this.#become(watch, "unsure", isTooLate ? this.#localDeadline(ticket) : retry());
  }

  #become(watch: Watch, state: Watch["state"], deadline: Deadline): void {
    if (!transitions[watch.state].includes(state))
      throw new Error(`HOLDFAST_WATCH_TRANSITION: ${watch.state} → ${state}`);
    this.#deadlines.clear(watch.deadline);
    watch.state = state;
    watch.deadline = deadline;
  }

  #localDeadline(ticket: Watched): Deadline {
    const noAnswer = (): void => this.#lose(ticket, "no renewal was answered within its lease");
    return this.#deadlines.set(ticket.leaseMs, noAnswer, ticket.until - ticket.leaseMs);
  }

  #lose(ticket: Watched, reason: string): void {
    this.unwatch(ticket);
    ticket.lose(reason);
  }
}

/** A user's own backend may throw synchronously. */
async function renewLocks(
  backend: Backend,
  entries: readonly RenewEntry[],
): Promise<readonly ("renewed" | "lost")[]> {
  const answers: unknown = await backend.renewLocks(entries);
  if (!Array.isArray(answers)) throw new Error("renewLocks() must answer an array");
  return answers as readonly ("renewed" | "lost")[];
}
