/**
 * A lock that one of this client's tickets holds, by one grant. It is lent to its borrowers, one or many.
 *
 * | state | entered | left |
 * |---|---|---|
 * | held | when it is granted; again when a release with a write was refused, and the ticket still holds the lock | for releasing; for lost |
 * | releasing | when a release is sent | for held; for lost; for over: the lock was released, or kept by a new grant, which is another Hold |
 * | lost | when the lock is lost, or may be; the borrowers have been notified | for over |
 * | over | when settled; it must not be used any more | – |
 *
 * "Held" is what this process knows: it has the lock until `until` by the monotonic clock, which every call checks
 * first [L5].
 */
import type { Granted, LoadedState, ReleaseDone, Share, Ticket } from "../backends/contract.ts";
import type { Sequence } from "../calls/receipt-sequences.ts";
import { CorruptStateError, quoted, shownId } from "../errors.ts";
import { now } from "../timers.ts";
import { forgetHandedOut, noteHandedOut } from "./handed-out.ts";
import { Lease } from "./lease.ts";
import type { Borrower, KnownState } from "./lent.ts";
import type { OwnTicket, StoreOfTickets } from "./ticket.ts";
import type { Watch, Watched } from "./watchdog.ts";

export type HoldState = "held" | "releasing" | "lost" | "over";

const transitions: Readonly<Record<HoldState, readonly HoldState[]>> = {
  held: ["releasing", "lost"],
  releasing: ["held", "lost", "over"],
  lost: ["over"],
  over: [],
};

/** Shared, since every hold begins and ends with it. */
const none: readonly Borrower[] = [];

type Fences = Pick<Granted, "fence" | "fences" | "leaseMs"> & { readonly state?: LoadedState | undefined };

export class Hold implements OwnTicket, Watched {
  readonly id: string;
  readonly ticket: Ticket;
  readonly lease: Lease;
  readonly renews: boolean;
  readonly share: Share | undefined;
  readonly sequence: Sequence;
  readonly store: StoreOfTickets;
  /** From here the bound on its time is measured [L2]. */
  #since: number;
  #state: HoldState = "held";
  #nextFence: number;
  #fencesLeft: number;
  #known: KnownState | undefined;
  #served = 0;
  /** Others wait for the lock, as far as is known. */
  #wanted: boolean;
  /** A "wanted" wake came after the release was sent: it may have overtaken the reply "kept". */
  #wantedSinceRelease = false;
  #isTainted = false;
  #replicas = 0;
  #watch: Watch | undefined;
  #isHandedOut = false;
  #borrowers: readonly Borrower[] = none;
  #lostFor: string | Error | undefined;

  constructor(of: OwnTicket, grant: Fences, known: { readonly from: number; readonly wanted: boolean }) {
    // Fences come from stored data, which another program may have changed.
    if (!Number.isSafeInteger(grant.fence) || !(grant.fences >= 1))
      throw new CorruptStateError(
        `The lock ${quoted(of.id)} was granted without a usable fence (${grant.fence}, ${grant.fences}): ` +
          `find out what else writes its keys.`,
        { id: shownId(of.id) },
      );
    this.id = of.id;
    this.ticket = of.ticket;
    this.lease = new Lease(of.leaseMs, grant.leaseMs, known.from);
    this.renews = of.renews;
    this.share = of.share;
    this.sequence = of.sequence;
    this.store = of.store;
    this.#since = now();
    this.#nextFence = grant.fence;
    this.#fencesLeft = grant.fences;
    this.#wanted = known.wanted;
    if (grant.state !== undefined) this.#known = { loaded: grant.state, at: known.from };
  }

  /** The next grant, which came with the release, since no other client wanted the lock. */
  kept(reply: ReleaseDone, from: number, assumeWanted: boolean): Hold {
    const { fence = NaN, fences = NaN } = reply;
    const wanted = assumeWanted || this.#wantedSinceRelease;
    return new Hold(this, { fence, fences, leaseMs: this.leaseMs }, { from, wanted });
  }

  get state(): HoldState {
    return this.#state;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Held, by the clock as well. */
  get isLive(): boolean {
    return this.isLiveAt(now());
  }

  isLiveAt(at: number): boolean {
    this.checkExpiry(at);
    return this.#state === "held";
  }

  /** [L5] Holdfast's own calls check the clock first, since timers may be late. */
  checkExpiry(at: number = now()): void {
    if (this.#state !== "held" || at < this.lease.until) return;
    this.lose(this.renews ? "its lease ended before it could be renewed" : "its lease is over");
  }

  /** The local deadline, by the monotonic clock. */
  get until(): number {
    return this.lease.until;
  }

  get leaseMs(): number {
    return this.lease.ms;
  }

  get since(): number {
    return this.#since;
  }

  /** The number of requests that it has served. */
  get served(): number {
    return this.#served;
  }

  get isWanted(): boolean {
    return this.#wanted;
  }

  noteWanted(): void {
    this.#wanted = true;
    this.#wantedSinceRelease = true;
    for (const borrower of this.#borrowers) borrower.mayBeWanted?.();
  }

  get fencesLeft(): number {
    return this.#fencesLeft;
  }

  /** [L3] The next reserved fence: every grant has one of its own. */
  takeFence(): number {
    if (this.#fencesLeft === 0) throw new Error(`HOLDFAST_NO_FENCE: ${shownId(this.id)}`);
    this.#fencesLeft -= 1;
    return this.#nextFence++;
  }

  countServed(): void {
    this.#served += 1;
  }

  /** The state that came with the grant or was left by the last save. Given once. */
  takeKnownState(): KnownState | undefined {
    const known = this.#known;
    this.#known = undefined;
    return known;
  }

  forgetKnownState(): void {
    this.#known = undefined;
  }

  leaveKnownState(known: KnownState): void {
    this.#known = known;
  }

  /** A save under it got no reply: it must not serve another request. */
  get isTainted(): boolean {
    return this.#isTainted;
  }

  taint(): void {
    this.#isTainted = true;
  }

  /** The number of replicas that are known to have this grant. */
  get replicas(): number {
    return this.#replicas;
  }

  replicated(replicas: number): void {
    this.#replicas = replicas;
  }

  /** Restarts its time: until now, replicas were waited for [L2]. */
  restartTime(): void {
    this.#since = now();
  }

  get watch(): Watch | undefined {
    return this.#watch;
  }

  watchedBy(watch: Watch | undefined): void {
    this.#watch = watch;
  }

  /** A renewal that was sent at `sentAt` succeeded. */
  renewed(sentAt: number, leaseMs = this.leaseMs): void {
    this.lease.renewed(sentAt, leaseMs);
  }

  mayComeLate(leaseMs: number): void {
    this.lease.mayComeLate(leaseMs);
  }

  /** Whether nothing new may begin under it, since the machine has slept and no renewal was answered yet. */
  get isUnsure(): boolean {
    this.store.lookForSleep();
    return this.lease.isUnsure;
  }

  /** Its token was given away: the ticket serves no other request, and only its lease or its release ends it there. */
  handOut(): void {
    this.#isHandedOut = true;
    noteHandedOut(this.ticket, this);
  }

  get isHandedOut(): boolean {
    return this.#isHandedOut;
  }

  /** Whether it serves one request only: the next one would get less than it asked for, or lose it to a token. */
  get isForOne(): boolean {
    return !this.renews || this.#isHandedOut;
  }

  /** A release is being sent. */
  markReleasing(): void {
    this.#become("releasing");
    this.#wantedSinceRelease = false;
  }

  /** The write of a release was refused; the ticket still holds the lock. */
  stillHeld(): void {
    this.#become("held");
  }

  /** The lock is lost, or may be: notifies the borrowers. */
  lose(reason: string | Error): void {
    if (this.#state !== "held" && this.#state !== "releasing") return;
    this.#become("lost");
    this.lease.endUnsure();
    this.#lostFor = reason;
    const borrowers = this.#borrowers;
    this.#borrowers = none;
    for (const borrower of borrowers) borrower.lose(reason);
  }

  /** Why it was lost: text for a LockLostError, or the error itself. */
  get lostFor(): string | Error | undefined {
    return this.#lostFor;
  }

  /** Settled. */
  end(): void {
    if (this.#state !== "over") this.#become("over");
    this.#known = undefined; // it may be large
    this.lease.endUnsure();
    if (this.#isHandedOut) forgetHandedOut(this.ticket);
  }

  lendTo(borrower: Borrower): void {
    const others = this.#borrowers;
    this.#borrowers = others.length === 0 ? [borrower] : [...others, borrower];
  }

  giveBack(borrower: Borrower): void {
    const left = this.#borrowers;
    this.#borrowers =
      left.length === 1 && left[0] === borrower ? none : left.filter((one) => one !== borrower);
  }

  /** The store is closing: releases what was acquired by hand and is not used. */
  closeIdle(reason: Error): void {
    for (const borrower of this.#borrowers) borrower.closeIfIdle?.(reason);
  }

  /** The borrower has had it for too long. With it, the hold loses the lock, unless others have borrowed it as well. */
  takeBack(borrower: Borrower, reason: string): void {
    if (!this.#borrowers.includes(borrower)) return;
    if (this.#borrowers.length === 1) return this.lose(reason);
    this.giveBack(borrower);
    borrower.lose(reason);
  }

  #become(next: HoldState): void {
    if (!transitions[this.#state].includes(next))
      throw new Error(`HOLDFAST_HOLD_TRANSITION: ${this.#state} → ${next} of ${shownId(this.id)}`);
    this.#state = next;
  }
}
