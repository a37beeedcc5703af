/**
 * One turn: a ticket from before its first ask until it is settled, and what is locally known of it.
 *
 * | state | what | may become |
 * |---|---|---|
 * | asking | made; no answer yet | waiting, held, over |
 * | waiting | in the backend's queue | held, over |
 * | held | ours until `until`, by the monotonic clock; may be lent to callers | releasing, lost |
 * | releasing | the release is under way | held (kept), lost, over |
 * | lost | no longer ours, or nobody knows; what it was lent to has been told | over |
 * | over | settled; nothing may be done with it | – |
 *
 * It does not talk with the backend: the cohort asks, serving releases, the room cancels.
 */
import type { Granted, Holder, LoadedState, ReleaseDone, Ticket, Wake } from "../backends/contract.ts";
import { CorruptStateError } from "../errors.ts";
import type { Slot } from "../calls/backend-calls.ts";
import { now } from "../timers.ts";
import type { Watch, Watched } from "./watchdog.ts";

export type TurnState = "asking" | "waiting" | "held" | "releasing" | "lost" | "over";

const transitions: Readonly<Record<TurnState, readonly TurnState[]>> = {
  asking: ["waiting", "held", "over"],
  waiting: ["held", "over"],
  held: ["releasing", "lost"],
  releasing: ["held", "lost", "over"],
  lost: ["over"],
  over: [],
};

/** We stop a little before the lease is over [L5]: timers come late, and no two clocks run equally fast. */
const usablePart = 63 / 64;

/** What a turn was lent to, told when it is lost. */
export interface Borrower {
  /** `reason`: words for a LockLostError, or the error itself. */
  lose(reason: string | Error): void;
}

export class Turn implements Watched {
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
  readonly slot: Slot;
  /** The opened store that this turn is of. */
  readonly owner: object;

  /** Who holds the lock, by the last answer; for the message of a timeout. */
  holder: Holder | undefined;
  /** When the last ask that was answered "waiting" was sent: a wake's grant counts from then [L5]. */
  waitingSince: number | undefined;
  /** How often it was sent to the backend as an ask, repetitions of one that got no answer included. */
  asks = 0;
  /** The state as it came with the grant, or was left by the last save; taken once. */
  loaded: LoadedState | undefined;
  /** From when on it is known to have been so. */
  loadedAt = 0;
  /** Others wait for this lock, as far as we know; where nobody would tell us, we assume it [L2]. */
  wanted: boolean;
  /** It may have overtaken the answer to a release that keeps the lock, which says that nobody waits. */
  #heardSinceRelease = false;
  /** The backend knows nothing of this ticket: it was refused, and that was its only ask. */
  traceless = false;
  /** How many jobs this turn has served, and since when, for its bounds [L2]. */
  served = 0;
  heldSince = 0;
  /** A save under this turn has no answer: it must not serve another job. */
  tainted = false;
  /** So many replicas are known to have this grant. */
  replicas = 0;
  until = 0;
  watch: Watch | undefined;
  /** How long the last grant was for: the full lease, or the short one of a hand-over. */
  grantedMs = 0;

  #state: TurnState = "asking";
  #nextFence = 0;
  #fencesLeft = 0;
  #wake: Extract<Wake, { kind: "granted" }> | undefined;
  #askAgain = false;
  #news: (() => void) | undefined;
  /** All that it is lent to: a function may run on while those before it are applied again. */
  #borrowers: readonly Borrower[] = [];
  #lostFor: string | Error | undefined;

  constructor(what: {
    id: string;
    ticket: Ticket;
    leaseMs: number;
    slot: Slot;
    owner: object;
    assumeWanted: boolean;
  }) {
    this.id = what.id;
    this.ticket = what.ticket;
    this.leaseMs = what.leaseMs;
    this.slot = what.slot;
    this.owner = what.owner;
    this.wanted = what.assumeWanted;
  }

  get state(): TurnState {
    return this.#state;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  become(next: TurnState): void {
    if (!transitions[this.#state].includes(next)) {
      throw new Error(`HOLDFAST_TURN_TRANSITION: ${this.#state} → ${next} of ${this.id}`);
    }
    this.#state = next;
    if (next === "releasing") this.#heardSinceRelease = false;
  }

  /** Others wait for it, or may do so. */
  hearWanted(): void {
    this.wanted = true;
    this.#heardSinceRelease = true;
  }

  /** Ours now, as long as the grant that was asked for (or woken) at `from` lasts. */
  hold(grant: Omit<Granted, "status" | "state" | "waiting">, from: number): void {
    // Fences are made of what is stored, and a neighbour may have written there.
    if (!Number.isSafeInteger(grant.fence) || !(grant.fences >= 1))
      throw new CorruptStateError(
        `The lock ${JSON.stringify(this.id)} was granted without a usable fence (${grant.fence}, ${grant.fences}): ` +
          `find out who else writes its keys.`,
      );
    this.become("held");
    this.holder = undefined; // whoever it was, it is us now
    this.until = from + grant.leaseMs * usablePart;
    this.grantedMs = grant.leaseMs;
    this.#nextFence = grant.fence;
    this.#fencesLeft = grant.fences;
    this.served = 0;
    this.replicas = 0;
    this.heldSince = now();
  }

  /** So many replicas have the grant. They were waited for, which is not part of what the turn may take [L2]. */
  servesFrom(at: number, replicas: number): void {
    this.heldSince = at;
    this.replicas = replicas;
  }

  /** An ask that was sent at `sentAt` was answered: we stand in the queue. */
  waits(sentAt: number): void {
    if (this.#state === "asking") this.become("waiting");
    this.waitingSince = sentAt;
  }

  /** Released and got back in the same step, since nobody else waits: a full lease and new fences. */
  keep(reply: ReleaseDone, sentAt: number, assumeWanted: boolean): void {
    const { fence = NaN, fences = NaN } = reply;
    this.hold({ fence, fences, leaseMs: this.leaseMs }, sentAt);
    this.wanted = assumeWanted || this.#heardSinceRelease;
  }

  /** A save or release was refused though the lock is still ours. */
  stillHeld(): void {
    this.become("held");
  }

  get fencesLeft(): number {
    return this.#fencesLeft;
  }

  /** [L3] The next reserved fence; every grant of the turn gets one of its own. */
  takeFence(): number {
    if (this.#fencesLeft === 0) throw new Error(`HOLDFAST_NO_FENCE: ${this.id}`);
    this.#fencesLeft -= 1;
    return this.#nextFence++;
  }

  renewed(sentAt: number): void {
    this.until = sentAt + this.leaseMs * usablePart;
    this.grantedMs = this.leaseMs;
  }

  /** [L5] Our own calls look at the clock before anything else: timers may be late. */
  look(at: number = now()): void {
    if (this.#state === "held" && at >= this.until) this.lose("its lease ended before it could be renewed");
  }

  /** Held, and surely so by the clock. */
  get live(): boolean {
    return this.liveAt(now());
  }

  liveAt(at: number): boolean {
    this.look(at);
    return this.#state === "held";
  }

  /** No longer ours, or nobody knows: whoever it was lent to learns it now. */
  lose(reason: string | Error): void {
    if (this.#state !== "held" && this.#state !== "releasing") return;
    this.become("lost");
    this.#lostFor = reason;
    const borrowers = this.#borrowers;
    this.#borrowers = [];
    for (const borrower of borrowers) borrower.lose(reason);
  }

  /** Why it was lost: words for a LockLostError, or the error itself. */
  get lostFor(): string | Error | undefined {
    return this.#lostFor;
  }

  lend(borrower: Borrower): void {
    this.#borrowers = [...this.#borrowers, borrower];
  }

  giveBack(borrower: Borrower): void {
    this.#borrowers = this.#borrowers.filter((one) => one !== borrower);
  }

  /** The backend says that this ticket holds the lock. It may come before the reply to its ask. */
  wake(wake: Extract<Wake, { kind: "granted" }>): void {
    this.#wake = wake;
    this.tell();
  }

  takeWake(): Extract<Wake, { kind: "granted" }> | undefined {
    const wake = this.#wake;
    this.#wake = undefined;
    return wake;
  }

  /** Something changed that the waiting cohort should look at. */
  tell(): void {
    this.#askAgain = true;
    this.#news?.();
  }

  /** Resolves at the next news; at once if there were some since the last time. */
  news(): Promise<void> {
    return new Promise((resolve) => {
      this.#news = () => {
        this.#news = undefined;
        this.#askAgain = false;
        resolve();
      };
      if (this.#askAgain) this.#news();
    });
  }
}
