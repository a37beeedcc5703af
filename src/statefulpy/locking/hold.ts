/**
 * A lock that an owner of this process holds, by one token, counted by its nested acquireLock() calls.
 *
 * | state | entered | left |
 * |---|---|---|
 * | held | when it is granted | for releasing; for lost |
 * | releasing | when its last release is sent; it is not renewed any more | for over |
 * | lost | when it is lost, or may be; its owner's signal was aborted | for over |
 * | over | when it was released, or its owner has given it up | – |
 *
 * "Held" is what this process knows: until `until` by the monotonic clock, which comes before the server's end of the
 * lease.
 */
import { shownId } from "../../errors.ts";
import { usablePart } from "../../leases/lease.ts";
import type { Watch, Watched } from "../../leases/watchdog.ts";
import { now } from "../../timers.ts";

type HoldState = "held" | "releasing" | "lost" | "over";

const transitions: Readonly<Record<HoldState, readonly HoldState[]>> = {
  held: ["releasing", "lost"],
  releasing: ["over"],
  lost: ["over"],
  over: [],
};

/** What it knows of its owner. */
export interface HoldOwner {
  readonly isAnonymous: boolean;
}

export interface Granted {
  readonly id: string;
  readonly token: string;
  readonly leaseMs: number;
  /** When the ask was sent: the lease began no earlier. */
  readonly sentAt: number;
  readonly owner: HoldOwner;
  /** Called once if it is lost. */
  readonly onLost: (hold: PlainHold) => void;
}

export class PlainHold implements Watched {
  readonly id: string;
  readonly ticket: string;
  readonly leaseMs: number;
  readonly owner: HoldOwner;
  readonly #onLost: (hold: PlainHold) => void;
  #state: HoldState = "held";
  #count = 1;
  #until: number;
  #watch: Watch | undefined;
  #lostFor = "";

  constructor({ id, token, leaseMs, sentAt, owner, onLost }: Granted) {
    this.id = id;
    this.ticket = token;
    this.leaseMs = leaseMs;
    this.owner = owner;
    this.#onLost = onLost;
    this.#until = sentAt + leaseMs * usablePart;
  }

  /** By its own clock as well: a timer that is late must not let a save through. */
  get isLive(): boolean {
    if (this.#state === "held" && now() >= this.#until)
      this.lose("its lease ended before it could be renewed (was the event loop blocked?)");
    return this.#state === "held";
  }

  get isLost(): boolean {
    return this.#state === "lost";
  }

  /** Why it was lost. */
  get lostFor(): string {
    return this.#lostFor;
  }

  get until(): number {
    return this.#until;
  }

  get watch(): Watch | undefined {
    return this.#watch;
  }

  watchedBy(watch: Watch | undefined): void {
    this.#watch = watch;
  }

  renewed(sentAt: number): void {
    this.#until = sentAt + this.leaseMs * usablePart;
  }

  /** A nested acquireLock(). */
  enter(): void {
    this.#count += 1;
  }

  /** A release. Returns whether it was the last one. */
  leave(): boolean {
    this.#count -= 1;
    return this.#count <= 0;
  }

  lose(reason: string): void {
    if (this.#state !== "held") return;
    this.#become("lost");
    this.#lostFor = reason;
    this.#onLost(this);
  }

  markReleasing(): void {
    this.#become("releasing");
  }

  end(): void {
    if (this.#state !== "over") this.#become("over");
  }

  #become(next: HoldState): void {
    if (!transitions[this.#state].includes(next))
      throw new Error(`HOLDFAST_PLAIN_HOLD_TRANSITION: ${this.#state} → ${next} of ${shownId(this.id)}`);
    this.#state = next;
  }
}
