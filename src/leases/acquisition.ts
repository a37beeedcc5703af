/**
 * A ticket that asks for a lock, until the lock is ours or no longer wanted.
 *
 * | state | entered | left |
 * |---|---|---|
 * | asking | when the ticket is made | for waiting: the backend answered that the ticket stands in its queue; for over |
 * | waiting | as above | for over |
 * | over | the lock was granted, from when on there is a {@link Hold}; or the ticket is no longer wanted | – |
 *
 * It does not talk with the backend: the acquirer asks, the registry cancels.
 */
import type { Granted, Holder, Ticket, Wake } from "../backends/contract.ts";
import type { Sequence } from "../calls/receipt-sequences.ts";
import { Hold } from "./hold.ts";
import type { OwnTicket } from "./ticket.ts";

export type AcquisitionState = "asking" | "waiting" | "over";

const transitions: Readonly<Record<AcquisitionState, readonly AcquisitionState[]>> = {
  asking: ["waiting", "over"],
  waiting: ["over"],
  over: [],
};

/** The wake that says that the lock was handed to its ticket. */
export type GrantedWake = Extract<Wake, { kind: "granted" }>;

export class Acquisition implements OwnTicket {
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
  readonly sequence: Sequence;
  readonly store: object;
  #state: AcquisitionState = "asking";
  #holder: Holder | undefined;
  #waitingSince: number | undefined;
  #asks = 0;
  #refused = false;
  #wanted: boolean;
  #wake: GrantedWake | undefined;
  #isChanged = false;
  #onChange: (() => void) | undefined;

  /** `assumeWanted`: others may wait for the lock without our being told. */
  constructor(of: OwnTicket, assumeWanted: boolean) {
    this.id = of.id;
    this.ticket = of.ticket;
    this.leaseMs = of.leaseMs;
    this.sequence = of.sequence;
    this.store = of.store;
    this.#wanted = assumeWanted;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Who holds the lock, by the last answer. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  /** When the last ask that was answered "waiting" was sent: the grant of a wake counts from then [L5]. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** Has it asked more than once, repetitions of an ask that got no answer included? */
  get hasAskedAgain(): boolean {
    return this.#asks > 1;
  }

  /** The backend knows nothing of this ticket: it has not asked, or its only ask was refused. */
  get isUnknownThere(): boolean {
    return this.#asks === 0 || (this.#asks === 1 && this.#refused);
  }

  /** An ask is sent. */
  asked(): void {
    this.#asks += 1;
  }

  /** An ask that was sent at `sentAt` was answered: another client has the lock, and we may stand in the queue. */
  answered(status: "waiting" | "busy", holder: Holder, sentAt: number): void {
    this.#holder = holder;
    if (status === "busy") {
      this.#refused = true;
      return;
    }
    if (this.#state === "asking") this.#become("waiting");
    this.#waitingSince = sentAt;
  }

  /** Others wait for the lock, or may do so. */
  noteWanted(): void {
    this.#wanted = true;
  }

  /** The lock is ours by the grant that was asked for (or woken) at `from`. */
  granted(grant: Omit<Granted, "status">, from: number): Hold {
    const hold = new Hold(this, grant, { from, wanted: this.#wanted || grant.waiting > 0 });
    this.#become("over");
    return hold;
  }

  /** No longer wanted. */
  end(): void {
    if (this.#state !== "over") this.#become("over");
  }

  /** The backend says that the lock was handed to this ticket. It may come before the reply to its ask. */
  wake(wake: GrantedWake): void {
    if (this.#state === "over") return;
    this.#wake = wake;
    this.notify();
  }

  takeWake(): GrantedWake | undefined {
    const wake = this.#wake;
    this.#wake = undefined;
    return wake;
  }

  /** Something changed that the acquirer should look at. */
  notify(): void {
    this.#isChanged = true;
    this.#onChange?.();
  }

  /** Resolves at the next {@link notify}; at once if there was one since the last time. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        this.#onChange = undefined;
        this.#isChanged = false;
        resolve();
      };
      if (this.#isChanged) this.#onChange();
    });
  }

  #become(next: AcquisitionState): void {
    if (!transitions[this.#state].includes(next))
      throw new Error(`HOLDFAST_ACQUISITION_TRANSITION: ${this.#state} → ${next} of ${this.id}`);
    this.#state = next;
  }
}
