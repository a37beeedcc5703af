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
import type { Borrower, KnownState } from "./lent.ts";
import type { OwnTicket, StoreOfTickets } from "./ticket.ts";
import { Unsure } from "./unsure.ts";
import type { Watch, Watched } from "./watchdog.ts";

export type HoldState = "held" | "releasing" | "lost" | "over";

const transitions: Readonly<Record<HoldState, readonly HoldState[]>> = {
  held: ["releasing", "lost"],
  releasing: ["held", "lost", "over"],
  lost: ["over"],
  over: [],
};

/** The lease is used up to a little before its end [L5]: timers run late, and no two clocks run equally fast. */
export const usablePart = 63 / 64;

/** Shared, since every hold begins and ends with it. */
const none: readonly Borrower[] = [];

type Fences = Pick<Granted, "fence" | "fences" | "leaseMs"> & { readonly state?: LoadedState | undefined };

export class Hold implements OwnTicket, Watched {
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
  readonly share: Share | undefined;
  readonly sequence: Sequence;
  readonly store: StoreOfTickets;
  /** The length of the first lease: the full one, or the short one of a hand-over. */
  #grantedMs: number;
  #until: number;
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
  #unsure: Unsure | undefined;
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
    this.leaseMs = of.leaseMs;
    this.share = of.share;
    this.sequence = of.sequence;
    this.store = of.store;
    this.#grantedMs = grant.leaseMs;
    this.#until = known.from + grant.leaseMs * usablePart;
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
    if (this.#state === "held" && at >= this.#until) this.lose("its lease ended before it could be renewed");
  }

  /** The local deadline, by the monotonic clock. */
  get until(): number {
    return this.#until;
  }

  get grantedMs(): number {
    return this.#grantedMs;
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
  renewed(sentAt: number): void {
    this.#until = sentAt + this.leaseMs * usablePart;
    this.#grantedMs = this.leaseMs;
    if (this.#unsure !== undefined && sentAt >= this.#unsure.since) this.#endUnsure();
  }

  /** The machine has slept: by the server's clock, the lease may have ended. */
  becomeUnsure(at: number): void {
    (this.#unsure ??= new Unsure()).since = at;
  }

  /** Whether nothing new may begin under it, since the machine has slept and no renewal was answered yet. */
  get isUnsure(): boolean {
    this.store.lookForSleep();
    return this.#unsure !== undefined;
  }

  /** Resolves once it is known whether it is still held. */
  async whenSure(): Promise<void> {
    await this.#unsure?.over;
  }

  #endUnsure(): void {
    this.#unsure?.end();
    this.#unsure = undefined;
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
    this.#endUnsure();
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
    this.#endUnsure();
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
