/**
 * A ticket that asks for a lock, until the lock is granted or no longer wanted.
 *
 * | state | entered | left |
 * |---|---|---|
 * | asking | when the ticket is made | for waiting: the backend replied that the ticket is in its queue; for over |
 * | waiting | as above | for over |
 * | over | the lock was granted, and there is now a {@link Hold}; or the ticket is no longer wanted | – |
 *
 * It does not call the backend: the acquirer asks, the registry cancels.
 */
import type { Granted, Holder, Share, Ticket, Waiting, Wake } from "../backends/contract.ts";
import type { Sequence } from "../calls/receipt-sequences.ts";
import { shownId } from "../errors.ts";
import { Hold } from "./hold.ts";
import type { OwnTicket, StoreOfTickets } from "./ticket.ts";

export type AcquisitionState = "asking" | "waiting" | "over";

const transitions: Readonly<Record<AcquisitionState, readonly AcquisitionState[]>> = {
  asking: ["waiting", "over"],
  waiting: ["over"],
  over: [],
};

/** The wake that reports that the lock was handed to its ticket. */
export type GrantedWake = Extract<Wake, { kind: "granted" }>;

export class Acquisition implements OwnTicket {
  readonly id: string;
  readonly ticket: Ticket;
  readonly leaseMs: number;
  readonly renews: boolean;
  readonly share: Share | undefined;
  readonly sequence: Sequence;
  readonly store: StoreOfTickets;
  #state: AcquisitionState = "asking";
  #holder: Holder | undefined;
  #ahead = 0;
  #waitingSince: number | undefined;
  #asks = 0;
  #answers = 0;
  #refused = false;
  #wanted: boolean;
  #wake: GrantedWake | undefined;
  #isChanged = false;
  #onChange: (() => void) | undefined;

  /** `assumeWanted`: others may wait for the lock without this client being notified. */
  constructor(of: OwnTicket, assumeWanted: boolean) {
    this.id = of.id;
    this.ticket = of.ticket;
    this.leaseMs = of.leaseMs;
    this.renews = of.renews;
    this.share = of.share;
    this.sequence = of.sequence;
    this.store = of.store;
    this.#wanted = assumeWanted;
  }

  /** Whether the backend has it in its queue. */
  get isWaiting(): boolean {
    return this.#state === "waiting";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Who holds the lock, as last reported. */
  get holder(): Holder | undefined {
    return this.#holder;
  }

  /** The tickets before it in the backend's queue, as last reported. */
  get ahead(): number {
    return this.#ahead;
  }

  /** When the last ask with the reply "waiting" was sent: the lease of a woken grant counts from then [L5]. */
  get waitingSince(): number | undefined {
    return this.#waitingSince;
  }

  /** Whether it has asked more than once. Retries of an ask without a reply count. */
  get hasAskedAgain(): boolean {
    return this.#asks > 1;
  }

  /** Whether the backend does not know this ticket: it has not asked, or its only ask was refused. */
  get isUnknownThere(): boolean {
    return this.#asks === 0 || (this.#asks === 1 && this.#refused);
  }

  /** An ask is being sent. */
  asked(): void {
    this.#asks += 1;
  }

  /** An ask sent at `sentAt` got its reply: another client has the lock, and this ticket may be in the queue. */
  answered({ status, holder, ahead }: Waiting, sentAt: number): void {
    this.#answers += 1;
    this.#holder = holder;
    this.#ahead = ahead;
    if (status === "busy") {
      this.#refused = true;
      return;
    }
    if (this.#state === "asking") this.#become("waiting");
    this.#waitingSince = sentAt;
  }

  /** Other clients wait for the lock, or may do so. */
  noteWanted(): void {
    this.#wanted = true;
  }

  /** The lock is granted; its lease counts from `from`. */
  granted(grant: Omit<Granted, "status">, from: number): Hold {
    const hold = new Hold(this, grant, { from, wanted: this.#wanted || grant.waiting > 0 });
    if (this.#asks - this.#answers > 1) hold.mayComeLate(this.leaseMs); // more than the one that was granted
    this.#become("over");
    return hold;
  }

  /** The ticket is no longer wanted. */
  end(): void {
    if (this.#state !== "over") this.#become("over");
  }

  /** The backend reports that the lock was handed to this ticket. The wake may come before the reply to its ask. */
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

  /** Something has changed that the acquirer must check. */
  notify(): void {
    this.#isChanged = true;
    this.#onChange?.();
  }

  /** Resolves at the next {@link notify}; at once if there has been one since the last call. */
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
      throw new Error(`HOLDFAST_ACQUISITION_TRANSITION: ${this.#state} → ${next} of ${shownId(this.id)}`);
    this.#state = next;
  }
}
