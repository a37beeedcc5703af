/** What a hold can be lent to, and the state that goes with it. */
import type { LoadedState } from "../backends/contract.ts";

/** A state that is known to have been stored at some time. */
export interface KnownState {
  readonly loaded: LoadedState;
  readonly at: number;
}

/** What a hold can be lent to. */
export interface Borrower {
  /** The lock is lost. `reason`: text for a LockLostError, or the error itself. */
  lose(reason: string | Error): void;
  /** Others may wait for the lock. */
  mayBeWanted?(): void;
  /** Its store is closing: if its caller does not use it, it is released. */
  closeIfIdle?(reason: Error): void;
}
