/**
 * The room where all cohorts of one opened store stand: which ids have callers, which tickets are alive, where wakes
 * go, and how it all ends.
 *
 * A ticket is known here from before its first ask until it is settled on the backend, or surely cleared there by
 * itself; one that is no longer wanted is cancelled in the background [L7].
 */
import type { Wake } from "../backends/contract.ts";
import type { Conversations } from "../calls/backend-calls.ts";
import { ClosedError } from "../errors.ts";
import { now, pause } from "../timers.ts";
import { Cohort } from "./acquirer.ts";
import type { Job } from "./request.ts";
import type { Room } from "../leases/room.ts";
import { SleepDetector } from "../leases/sleep-detector.ts";
import { parseTicket, slotOf, TicketMaker } from "../leases/ticket.ts";
import { Turn } from "../leases/turn.ts";
import { Watchdog } from "../leases/watchdog.ts";

/** Backends that cannot push wakes cannot tell us either that others wait. */
const pushesFromMs = 1_000;
/** After its lease and this, a backend has forgotten a ticket that nobody asks for: no queue keeps a place for longer. */
const forgottenMs = 30_000;

/** So many cohorts without callers are kept. */
const maxIdle = 1_000;

export class Cohorts implements Room {
  readonly conversations: Conversations;
  readonly owner: object = this;
  #cohorts = new Map<string, Cohort>();
  /** How many of them have no callers. */
  #idle = 0;
  /** By slot. No map that many pass through: timers.ts says what that costs. */
  readonly #turns: (Turn | undefined)[] = [];
  #alive = 0;
  /** Tickets of dead turns of this client that a reply named, while they are being cancelled. */
  readonly #stray = new Set<string>();
  readonly #watchdog: Watchdog;
  readonly #sleep: SleepDetector;
  readonly #tickets: TicketMaker;
  #served = 0;
  readonly #onceIdle: (() => void)[] = [];
  readonly #onceSettled: (() => void)[] = [];
  #aborted = false;

  constructor(conversations: Conversations) {
    this.conversations = conversations;
    this.#watchdog = new Watchdog(conversations);
    this.#sleep = new SleepDetector(conversations.deadlines, {
      isNeeded: () => this.#alive > 0,
      onSleep: () => this.#renewAll(),
    });
    this.#tickets = new TicketMaker(conversations.backend.clientId);
    conversations.backend.onWake((wake) => this.#onWake(wake));
  }

  /** Puts the job in line for its id. */
  add(id: string, job: Job): void {
    let cohort = this.#cohorts.get(id);
    if (cohort === undefined) this.#cohorts.set(id, (cohort = new Cohort(id, this)));
    else if (cohort.isIdle) this.#idle -= 1;
    cohort.add(job);
  }

  /** Fails everybody who waits; those who are being served go on [P2]. */
  rejectWaiters(): void {
    for (const cohort of this.#cohorts.values()) cohort.rejectAll(new ClosedError("The store is closing."));
  }

  /** Resolves when no body runs any more: nobody has a grant, and no function is being applied. */
  bodiesOver(): Promise<void> {
    return this.#served === 0 ? Promise.resolve() : new Promise((resolve) => this.#onceIdle.push(resolve));
  }

  /** Resolves when every ticket is settled or given up. */
  settled(): Promise<void> {
    return this.#alive === 0 ? Promise.resolve() : new Promise((resolve) => this.#onceSettled.push(resolve));
  }

  /** Aborts what is still held: its lock is released, what was under way is refused. */
  abort(): void {
    this.#aborted = true;
    this.rejectWaiters();
    for (const turn of this.#turns) {
      if (turn === undefined) continue;
      const held = turn.state === "held";
      turn.lose(new ClosedError("The store was closed."));
      // At once: a function that is applied under it may go on for long. One that a caller had is over by now.
      if (held && !turn.isOver) this.abandonTurn(turn);
    }
  }

  get assumesWanted(): boolean {
    return this.conversations.backend.askAgainMs < pushesFromMs;
  }

  startTurn(id: string, leaseMs: number): Turn {
    const slot = this.conversations.takeSlot();
    slot.n += 1;
    const turn = new Turn({
      id,
      ticket: this.#tickets.make(slot.index),
      leaseMs,
      slot,
      owner: this.owner,
      assumeWanted: this.assumesWanted,
    });
    this.#turns[slot.index] = turn;
    this.#alive += 1;
    return turn;
  }

  watch(turn: Turn): void {
    this.#watchdog.watch(turn);
    this.#sleep.start();
  }

  unwatch(turn: Turn): void {
    this.#watchdog.unwatch(turn);
  }

  endTurn(turn: Turn): void {
    if (turn.state !== "over") turn.become("over");
    this.#watchdog.unwatch(turn);
    this.conversations.giveSlot(turn.slot);
    this.#turns[turn.slot.index] = undefined;
    this.#alive -= 1;
    if (this.#alive === 0) for (const resolve of this.#onceSettled.splice(0)) resolve();
  }

  abandonTurn(turn: Turn): void {
    this.#watchdog.unwatch(turn);
    turn.lose("it is no longer wanted");
    turn.become("over");
    void this.#cancel(turn);
  }

  noticeHolder(id: string, token: string): void {
    if (parseTicket(token).clientId !== this.conversations.backend.clientId) return;
    if (this.#turn(token) === undefined) void this.#cancelStray(id, token);
  }

  /** It stays for a while, since the next call for its id may come soon. */
  emptied(): void {
    this.#idle += 1;
    if (this.#idle < maxIdle || this.#idle * 2 < this.#cohorts.size) return;
    this.#cohorts = new Map([...this.#cohorts].filter(([, cohort]) => !cohort.isIdle));
    this.#idle = 0;
  }

  serve(): void {
    this.#served += 1;
  }

  served(): void {
    this.#served -= 1;
    if (this.#served === 0) for (const resolve of this.#onceIdle.splice(0)) resolve();
  }

  /** This ticket was just released by force: its holder here learns it at once, with or without a push. */
  forced(id: string, ticket: string): void {
    this.#onWake({ kind: "forced", id, ticket });
  }

  #renewAll(): void {
    for (const turn of this.#turns) if (turn?.watch !== undefined) this.#watchdog.renewNow(turn);
  }

  #onWake(wake: Wake): void {
    if (wake.kind === "again") {
      for (const turn of this.#turns) {
        turn?.hearWanted(); // that may be what was lost
        turn?.tell();
      }
      return;
    }
    const turn = this.#turn(wake.ticket);
    if (wake.kind === "granted") {
      if (turn === undefined) void this.#cancelStray(wake.id, wake.ticket);
      else if (turn.state === "asking" || turn.state === "waiting") turn.wake(wake);
    } else if (wake.kind === "wanted") {
      turn?.hearWanted();
    } else if (turn?.state === "held") {
      turn.lose("somebody released it by force");
    }
  }

  /** The turn of this ticket, while it is alive. */
  #turn(ticket: string): Turn | undefined {
    const turn = this.#turns[slotOf(ticket)];
    return turn?.ticket === ticket ? turn : undefined;
  }

  /** [L7] Until the backend has answered, or has surely cleared the ticket by itself. */
  async #cancel(turn: Turn): Promise<void> {
    const { backend } = this.conversations;
    const clearedAt = now() + turn.leaseMs + forgottenMs;
    turn.slot.n += 1; // it is another operation than a release that nobody answered [S5]
    const what = { doing: "Cancelling a ticket for the lock", id: turn.id };
    for (;;) {
      try {
        await this.conversations.tell(
          what,
          (receipt) => backend.cancelLock(turn.id, turn.ticket, receipt),
          turn.slot,
        );
        break;
      } catch {
        // Whoever wanted the ticket has been told already; here it only remains to clean up.
        if (this.#aborted || now() > clearedAt) break;
        await pause(this.conversations.operationMs);
      }
    }
    this.endTurn(turn);
  }

  /** A lost reply or a roll-back of the server left a ticket of ours there that nobody here knows. */
  async #cancelStray(id: string, ticket: string): Promise<void> {
    if (this.#stray.has(ticket)) return;
    this.#stray.add(ticket);
    const { backend } = this.conversations;
    const what = { doing: "Cancelling a ticket for the lock", id };
    await this.conversations
      .tell(what, (receipt) => backend.cancelLock(id, ticket, receipt))
      .catch(() => undefined); // the next reply that names it tries again; at the latest its lease ends
    this.#stray.delete(ticket);
  }
}
