/**
 * Liveness: renews the leases of held tickets, and reports when one is lost [L5].
 *
 * A watched ticket is in one of these states. A renewal has four results, and "unknown" is one of them:
 *
 * | state | what | on "renewed" | on "lost" | on unknown | at its local deadline |
 * |---|---|---|---|---|---|
 * | valid | a third of the lease has not passed since the last renewal was sent | valid (reply to an earlier renewal) | lost | – | lost |
 * | renewing | a renewal is in progress | valid | lost | unsure | lost |
 * | unsure | the last renewal got no reply in time; tries again soon | valid | lost | – | lost |
 * | ending | it is not renewed | – | – | – | lost |
 * | lost | its owner was notified; no longer watched | – | – | – | – |
 *
 * The local deadline is one lease after the last successful renewal was *sent*, by the monotonic clock, so it comes no
 * later than the server's. It is strict: a reply that has arrived but has not been read does not postpone it. All
 * renewals that are due are sent together. A reply counts whenever it comes, even after a later renewal was sent: on a
 * slow network, every reply would otherwise be too late. The watchdog knows nothing about order or state.
 */
import type { Backend, RenewEntry } from "../backends/contract.ts";
import { shownId } from "../errors.ts";
import { Deadlines, now, soon, type Deadline } from "../timers.ts";

/** A held ticket, as the watchdog sees it. */
export interface Watched extends RenewEntry {
  /** The local deadline, by the monotonic clock. */
  readonly until: number;
  /** Set by the watchdog; `undefined`: not watched. */
  readonly watch: Watch | undefined;
  watchedBy(watch: Watch | undefined): void;
  /** A renewal sent at `sentAt` succeeded. */
  renewed(sentAt: number, leaseMs: number): void;
  /** A renewal has got no reply yet, and may be carried out after a later one. */
  mayComeLate?(leaseMs: number): void;
  /** The machine has slept since the last renewal was sent. */
  readonly isUnsure?: boolean;
  lose(reason: string): void;
}

/** What the watchdog knows of a ticket. */
export interface Watch {
  state: "valid" | "renewing" | "unsure" | "ending";
  deadline: Deadline;
  /** When the last renewal was sent. */
  sentAt: number;
  /** When the last successful renewal was sent. */
  provenAt: number;
}

const transitions: Readonly<Record<Watch["state"], readonly Watch["state"][]>> = {
  valid: ["valid", "renewing"],
  renewing: ["valid", "renewing", "unsure"],
  unsure: ["valid", "renewing"],
  ending: [],
};

/** Whom it asks: an opened store's backend, as it is at each renewal. */
export interface Renewing {
  readonly backend: Pick<Backend, "renewLocks" | "shardOf">;
}

/** A renewal of one ticket that is in progress. */
interface Sent {
  readonly ticket: Watched;
  readonly watch: Watch;
  readonly sentAt: number;
  readonly leaseMs: number;
}

/** Renewals fall due on a grid of this fraction of the lease, so that many of them share one call. */
const gridPart = 1 / 32;
/** The most tickets in one call. */
const maxEntries = 500;
/** The pause after an unknown result: this fraction of the lease, within these bounds. */
const retryPart = 1 / 20;
const minRetryMs = 10;
const maxRetryMs = 1_000;

export class Watchdog {
  readonly #calls: Renewing;
  readonly #deadlines = new Deadlines({ strict: true });
  #due: Watched[] = [];

  constructor(calls: Renewing) {
    this.#calls = calls;
  }

  /** Renews the ticket from now on. Its grant counts as the first renewal. */
  watch(ticket: Watched, at = now()): void {
    this.unwatch(ticket);
    const deadline = this.#nextRenewal(ticket, at);
    ticket.watchedBy({ state: "valid", deadline, sentAt: -Infinity, provenAt: -Infinity });
  }

  /** Reports its end, and does not renew it. */
  watchEnd(ticket: Watched): void {
    this.unwatch(ticket);
    const deadline = this.#localDeadline(ticket, "its lease is over");
    ticket.watchedBy({ state: "ending", deadline, sentAt: -Infinity, provenAt: -Infinity });
  }

  /** Nothing is watched any more. */
  close(): void {
    this.#deadlines.clearAll();
  }

  /** [L6] Stops renewing at once; a reply that is still to come is ignored. */
  unwatch(ticket: Watched): void {
    this.#deadlines.clear(ticket.watch?.deadline);
    ticket.watchedBy(undefined);
  }

  /** The ticket may not hold the lock any more: the next renewal is due now. */
  renewNow(ticket: Watched): void {
    if (ticket.watch?.state !== "renewing") this.#renewSoon(ticket);
  }

  #nextRenewal(ticket: Watched, at: number): Deadline {
    // A hand-over grant is shorter than the ticket's lease, so the time that it has left counts.
    const left = Math.max(Math.min(ticket.leaseMs, ticket.until - at), 0);
    const gridMs = ticket.leaseMs * gridPart;
    const dueAt = Math.max(Math.floor((at + left / 3) / gridMs) * gridMs, at);
    const thirdMs = ticket.leaseMs / 3;
    return this.#deadlines.set(thirdMs, () => this.#renewSoon(ticket), dueAt - thirdMs);
  }

  /** Collects the renewals that fall due in the same turn of the event loop. */
  #renewSoon(ticket: Watched): void {
    if (now() >= ticket.until) {
      this.#lose(ticket, "its lease ended before it could be renewed (was the event loop blocked?)");
      return;
    }
    if (this.#due.push(ticket) === 1) soon(() => this.#renewAll(this.#due.splice(0)));
  }

  /** In parts, so that each part has a reply of its own: a shard that does not answer delays no other. */
  #renewAll(due: readonly Watched[]): void {
    const renewed = due.filter((ticket) => ticket.watch !== undefined);
    for (const tickets of byShard(renewed, this.#calls.backend))
      for (let at = 0; at < tickets.length; at += maxEntries) this.#renew(tickets.slice(at, at + maxEntries));
  }

  #renew(tickets: readonly Watched[]): void {
    const { backend } = this.#calls;
    const sentAt = now();
    const sent = tickets.map((ticket) => {
      const { leaseMs } = ticket;
      return { ticket, sentAt, leaseMs, watch: this.#sent(ticket, sentAt) };
    });
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

  /** Until the reply comes, the local deadline is watched. */
  #sent(ticket: Watched, sentAt: number): Watch {
    const { watch } = ticket;
    if (watch === undefined) throw new Error(`HOLDFAST_NOT_WATCHED: ${shownId(ticket.id)}`);
    watch.sentAt = sentAt;
    this.#become(watch, "renewing", this.#localDeadline(ticket));
    return watch;
  }

  /** A reply counts whenever it comes: a renewal extends the lease from the time it was sent. */
  #answer(one: Sent, answer: "renewed" | "lost" | undefined): void {
    const { ticket, watch, sentAt, leaseMs } = one;
    if (answer === undefined) ticket.mayComeLate?.(leaseMs);
    if (ticket.watch !== watch) return; // it was released in the meantime, or is lost
    if (answer === "lost") this.#lose(ticket, "the server says that it is no longer the holder");
    else if (answer === "renewed") this.#renewed(one);
    else if (watch.state === "renewing" && watch.sentAt === sentAt) this.#unsure(ticket, watch);
  }

  #renewed({ ticket, watch, sentAt, leaseMs }: Sent): void {
    if (sentAt <= watch.provenAt) return; // a later renewal has already succeeded
    watch.provenAt = sentAt;
    ticket.renewed(sentAt, leaseMs);
    const isUnderWay = watch.state === "renewing" && watch.sentAt !== sentAt; // a later renewal
    if (isUnderWay) this.#become(watch, "renewing", this.#localDeadline(ticket));
    else this.#become(watch, "valid", this.#nextRenewal(ticket, now()));
    if (!isUnderWay && ticket.isUnsure === true) this.#renewSoon(ticket);
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

  #localDeadline(ticket: Watched, reason = "no renewal was answered within its lease"): Deadline {
    const noAnswer = (): void => this.#lose(ticket, reason);
    return this.#deadlines.set(ticket.leaseMs, noAnswer, ticket.until - ticket.leaseMs);
  }

  #lose(ticket: Watched, reason: string): void {
    this.unwatch(ticket);
    ticket.lose(reason);
  }
}

function byShard(tickets: readonly Watched[], backend: Renewing["backend"]): Iterable<readonly Watched[]> {
  if (backend.shardOf === undefined) return [tickets];
  const shards = new Map<number, Watched[]>();
  for (const ticket of tickets) {
    const shard = backend.shardOf(ticket.id);
    const known = shards.get(shard);
    if (known === undefined) shards.set(shard, [ticket]);
    else known.push(ticket);
  }
  return shards.values();
}

/** A user's own backend may throw synchronously. */
async function renewLocks(
  backend: Renewing["backend"],
  entries: readonly RenewEntry[],
): Promise<readonly ("renewed" | "lost")[]> {
  const answers: unknown = await backend.renewLocks(entries);
  if (!Array.isArray(answers)) throw new Error("renewLocks() must answer an array");
  return answers as readonly ("renewed" | "lost")[];
}
