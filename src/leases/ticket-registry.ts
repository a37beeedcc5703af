/**
 * The live tickets of one opened store, each from before its first ask until the backend has settled it or has
 * certainly forgotten it. Wakes find their ticket here. A ticket that is no longer wanted is cancelled in the
 * background [L7].
 */
import { setMaxListeners } from "node:events";
import type { Granted, ReleaseDone, Wake } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { ClosedError } from "../errors.ts";
import { InFlight } from "../calls/in-flight-counter.ts";
import { now, pause } from "../timers.ts";
import { Acquisition } from "./acquisition.ts";
import { unknownPlace, type StorePlace } from "./grant-token.ts";
import { Hold } from "./hold.ts";
import { usablePart } from "./lease.ts";
import { lookAfterSleep } from "./lease-calls.ts";
import { SleepDetector } from "./sleep-detector.ts";
import {
  indexOf,
  parseTicket,
  TicketMaker,
  type OwnTicket,
  type RegistryOptions,
  type StoreOfTickets,
} from "./ticket.ts";
import { Watchdog } from "./watchdog.ts";

/**
 * This long after its lease, a backend has forgotten a ticket that no longer asks: no queue keeps its place for longer.
 */
const forgottenMs = 30_000;

type Entry = Acquisition | Hold;

const adopted = "it was adopted elsewhere, by its token, or force-released";
/** How much later than that a reply may say that a lease has begun. */
const leftMs = 1_000;

const never = new AbortController().signal;
setMaxListeners(0, never);

export class TicketRegistry implements StoreOfTickets {
  readonly calls: BackendCalls;
  readonly place: StorePlace;
  /** Identifies the opened store in async contexts. */
  readonly store: StoreOfTickets = this;
  /** By the index of the sequence. An array, since a Map with such traffic is slow (see linked-list.ts). */
  readonly #entries: (Entry | undefined)[] = [];
  readonly #alive = new InFlight();
  /** Tickets that are not live but were named in a reply, while they are being cancelled: this client's, and dead ones. */
  readonly #stray = new Map<string, Promise<void>>();
  readonly #watchdog: Watchdog;
  readonly #sleep: SleepDetector;
  readonly #tickets: TicketMaker;
  /** Weakly, since listeners on its signal may refer to the store, which the tickets must not keep: its session does. */
  readonly #closing: WeakRef<AbortController>;
  #isAborted = false;
  /** When it was noticed last that the machine had slept. */
  #sleptAt = -Infinity;

  constructor(calls: BackendCalls, { isMarked, closing, place = unknownPlace }: RegistryOptions) {
    this.calls = calls;
    this.place = place;
    this.#closing = new WeakRef(closing);
    this.#watchdog = new Watchdog(calls);
    this.#sleep = new SleepDetector(calls.deadlines, {
      isNeeded: () => this.#alive.count > 0,
      onSleep: () => this.#renewAll(),
    });
    this.#tickets = new TicketMaker(calls.backend.clientId, isMarked);
    setMaxListeners(0, closing.signal); // each running function may have some
    calls.backend.onWake((wake) => this.#onWake(wake));
  }

  /** Aborts with a ClosedError when the store begins to close. */
  get closing(): AbortSignal {
    return this.#closing.deref()?.signal ?? never; // what no code can use any more cannot be closed
  }

  lookForSleep(): void {
    this.#sleep.lookNow();
  }

  /** Whether the machine has slept since then: a lease that counts from there may have ended. */
  hasSleptSince(at: number): boolean {
    this.lookForSleep();
    return at <= this.#sleptAt;
  }

  /** The store begins to close: tells the functions that run. */
  beginToClose(): void {
    this.#closing.deref()?.abort(new ClosedError("The store is closing."));
  }

  /** Releases what callers acquired by hand and do not use. `reason`: what their signals abort with. */
  closeIdle(reason: ClosedError): void {
    for (const entry of this.#entries) if (entry instanceof Hold) entry.closeIdle(reason);
  }

  /** Whether other clients may wait for a lock of this client without it being notified [L2]. This may change. */
  get assumesWanted(): boolean {
    return !this.calls.backend.pushes;
  }

  /** Makes a new ticket. `renews`: whether its hold is to be renewed; if not, it may outlive this process. */
  start(id: string, leaseMs: number, { share, renews = true }: Partial<OwnTicket> = {}): Acquisition {
    const sequence = this.calls.sequences.take();
    const { store } = this;
    const ticket = this.#tickets.make(sequence.index, !renews);
    const own: OwnTicket = { id, ticket, leaseMs, renews, share, sequence, store };
    const acquisition = new Acquisition(own, this.assumesWanted);
    this.#entries[sequence.index] = acquisition;
    this.#alive.begin();
    this.#sleep.start(); // from before its first ask
    return acquisition;
  }

  /** The ticket was granted the lock. Throws CorruptStateError if the grant cannot be used. */
  granted(acquisition: Acquisition, grant: Omit<Granted, "status">, from: number): Hold {
    const hold = acquisition.granted(grant, from);
    this.#register(hold);
    return hold;
  }

  /** A release kept the lock with a new grant. Throws CorruptStateError if the grant cannot be used. */
  keep(hold: Hold, reply: ReleaseDone, from: number): Hold {
    const next = hold.kept(reply, from, this.assumesWanted);
    hold.end();
    this.#register(next);
    if (from <= this.#sleptAt) this.#renewUnsure(next);
    return next;
  }

  #register(hold: Hold): void {
    this.#entries[hold.sequence.index] = hold;
    if (hold.isLiveAt(hold.since)) this.watch(hold, hold.since);
  }

  /** Renews its lease from now on, if it is to be renewed. `at`: the current time, if the caller has just read it. */
  watch(hold: Hold, at?: number): void {
    if (hold.renews) this.#watchdog.watch(hold, at);
    else this.#watchdog.watchEnd(hold);
  }

  watchAgain({ ticket }: OwnTicket): void {
    const entry = this.#entry(ticket);
    if (entry instanceof Hold && entry.isLive) this.watch(entry);
  }

  unwatch(hold: Hold): void {
    this.#watchdog.unwatch(hold);
  }

  /** The backend has settled it, or never knew it. */
  end(entry: Entry): void {
    entry.end();
    if (entry instanceof Hold) this.#watchdog.unwatch(entry);
    const { sequence } = entry;
    this.calls.sequences.giveBack(sequence);
    this.#entries[sequence.index] = undefined;
    this.#alive.end();
  }

  /** It is no longer wanted, whether or not the backend knows it: cancels it in the background [L7]. */
  abandon(entry: Entry): void {
    if (entry instanceof Hold) {
      this.#watchdog.unwatch(entry);
      entry.lose("it is no longer wanted");
    }
    entry.end();
    if (entry instanceof Hold && entry.isHandedOut) this.#leave(entry);
    else void this.#cancel(entry);
  }

  /** Its token may be adopted until its lease has ended there, so it is not cancelled before. */
  #leave(hold: Hold): void {
    if (this.#isAborted) return this.end(hold);
    const afterMs = Math.max(hold.until - now(), 0) + hold.leaseMs * (1 - usablePart) + leftMs;
    this.calls.deadlines.set(afterMs, () => {
      if (this.#entry(hold.ticket) === hold) void this.#cancel(hold);
    });
  }

  /** A reply names this ticket as the holder. If it belongs to this client and is not live, it is cancelled. */
  noteHolder(id: string, token: string): void {
    if (parseTicket(token).clientId !== this.calls.backend.clientId) return;
    if (this.#entry(token) === undefined) void this.#cancelStray(id, token);
  }

  /** [L10] The process that made this ticket is gone: ends it, wherever it stands, and passes the lock on. */
  passOver(id: string, ticket: string): Promise<void> {
    return this.#cancelStray(id, ticket);
  }

  /** This ticket was just released by force: its holder in this process is notified at once, with or without wakes. */
  forced(id: string, ticket: string): void {
    this.#onWake({ kind: "forced", id, ticket });
  }

  /** Resolves when every ticket is settled or has been given up. */
  settled(): Promise<void> {
    return this.#alive.none();
  }

  /** The store is closed: every hold is lost to its borrowers, and released. */
  abort(): void {
    this.#isAborted = true;
    for (const entry of this.#entries) {
      if (!(entry instanceof Hold)) continue;
      if (entry.isOver && entry.isHandedOut) this.end(entry);
      const wasHeld = entry.state === "held";
      entry.lose(new ClosedError("The store was closed."));
      // At once: a function that is applied under it may run for long. A caller's grant has been released by now.
      if (wasHeld && !entry.isOver) this.abandon(entry);
    }
  }

  /** The last of them is over, or has been given up. */
  close(): void {
    this.#watchdog.close();
  }

  #renewAll(): void {
    this.#sleptAt = now();
    for (const entry of this.#entries) if (entry instanceof Hold) this.#renewUnsure(entry);
  }

  #renewUnsure(hold: Hold): void {
    if (hold.watch === undefined) return;
    hold.lease.becomeUnsure(this.#sleptAt);
    if (hold.renews) this.#watchdog.renewNow(hold);
    else void lookAfterSleep(hold);
  }

  #onWake(wake: Wake): void {
    if (wake.kind === "changed") return this.calls.watchers.changed(wake.id);
    if (wake.kind === "again") {
      this.calls.watchers.changedAll();
      for (const entry of this.#entries) {
        entry?.noteWanted(); // such a wake may be what was lost
        if (entry instanceof Acquisition) entry.notify();
      }
      return;
    }
    const entry = this.#entry(wake.ticket);
    if (wake.kind === "granted") {
      if (entry === undefined) void this.#cancelStray(wake.id, wake.ticket);
      else if (entry instanceof Acquisition) entry.wake(wake);
    } else if (wake.kind === "wanted") entry?.noteWanted();
    else if (wake.kind === "ask") {
      if (entry instanceof Acquisition) entry.notify();
    } else if (entry instanceof Hold && entry.state === "held")
      entry.lose(entry.isHandedOut ? adopted : "it was force-released");
  }

  #entry(ticket: string): Entry | undefined {
    const entry = this.#entries[indexOf(ticket)];
    return entry?.ticket === ticket ? entry : undefined;
  }

  /** [L7] Cancels until the backend has replied, or has certainly forgotten the ticket. */
  async #cancel(entry: Entry): Promise<void> {
    const { backend, operationMs } = this.calls;
    const { id, ticket, sequence, leaseMs } = entry;
    const clearedAt = now() + leaseMs + forgottenMs;
    const operation = { doing: "Cancelling a ticket for the lock", id, sequence };
    for (;;) {
      sequence.next(); // this is a different operation from a release or cancel that got no reply [S5]
      try {
        await this.calls.exactlyOnce(operation, (receipt) => backend.cancelLock(id, ticket, receipt));
        break;
      } catch {
        // Callers that wanted the ticket already have their error; this only cleans up.
        if (this.#isAborted || now() > clearedAt) break;
        await pause(operationMs);
      }
    }
    if (this.#entry(ticket) === entry) this.end(entry); // closing may have ended it
  }

  /**
   * A lost reply, or a server that lost recent data, left a ticket that this client no longer knows; or a dead process
   * left it.
   */
  #cancelStray(id: string, ticket: string): Promise<void> {
    const known = this.#stray.get(ticket);
    if (known !== undefined) return known;
    const { backend } = this.calls;
    const operation = { doing: "Cancelling a ticket for the lock", id };
    const cancelled = this.calls
      .exactlyOnce(operation, (receipt) => backend.cancelLock(id, ticket, receipt))
      .catch(() => undefined) // the next reply that names it tries again; failing that, its lease ends
      .then(() => void this.#stray.delete(ticket));
    this.#stray.set(ticket, cancelled);
    return cancelled;
  }
}
