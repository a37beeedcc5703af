/** What stands beside a grant: its lender, which is told when it ends, and the store that closes what is held by hand. */
import type { Receipt } from "../backends/contract.ts";

/** The lender of a grant. */
export interface Lending<Grant> {
  /** Called once, after `release()`, when nothing is in progress under the grant. Returns whether it was still held. */
  onRelease(grant: Grant): Promise<boolean>;
  /** The grant was lost while it was held. */
  onLose?(grant: Grant): void;
  /** The lock is released by a commit; `undefined` if it is not, but by `onRelease()` alone, after the commit. */
  joinRelease?(grant: Grant): JoinedRelease | undefined;
  /** Whether callers of this process wait for the lock behind the grant. */
  othersWait?(): boolean;
}

/** A lock that is being released by a commit of several states. One of the two is called, unless the hold is lost. */
export interface JoinedRelease {
  /** It settles the ticket. */
  readonly receipt: Receipt;
  readonly released: () => void;
  /** The commit was refused: the lock is still held. */
  readonly refused: () => void;
}

export interface HeldByHand {
  /** Whether no call is in progress under it. */
  readonly isIdle: boolean;
  /** Its store is closing: aborts its signal and releases it. */
  close(reason: Error): unknown;
}
