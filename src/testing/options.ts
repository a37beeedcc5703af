/** What a backend provides for the contract suites: a factory, its capabilities, and hooks that cause damage. */
import type { Backend } from "../backends/contract.ts";

/**
 * Ways to bypass the protocol, so that loss and damage can be tested. Omit one only if the backend cannot support it;
 * the cases that need it are then reported as skipped.
 */
export interface SuiteHooks {
  /** Removes the lock as if its lease had ended unnoticed; waiters stay in the queue. */
  readonly deleteLock?: ((id: string) => Promise<void>) | undefined;
  /** Takes the lock, if free, as a client with another protocol [L11]; `null`: no expiry. Returns whether it did. */
  readonly putForeignLock?:
    ((id: string, token: string, leaseMs: number | null) => Promise<boolean>) | undefined;
  /** Releases that client's lock, if its token is still there. Returns whether it was released. */
  readonly removeForeignLock?: ((id: string, token: string) => Promise<boolean>) | undefined;
  /** Stores data that is not a state under the state's name [S6]. */
  readonly putGarbage?: ((id: string) => Promise<void>) | undefined;
  /** Deletes everything, receipts and stamps included, like a server that restarts empty. */
  readonly flush?: (() => Promise<void>) | undefined;
}

/** Options of `stateSuite()` and `lockSuite()`. */
export interface SuiteOptions {
  /** Registers one test. Tests of one suite may run in any order, but one after the other. */
  readonly test: (name: string, fn: () => Promise<void>) => unknown;
  /** Reports a case that cannot run. Default: a test that passes, whose name ends with the reason. */
  readonly skip?: ((name: string, reason: string) => unknown) | undefined;
  /** Makes a new client of the same storage, which may contain data from earlier tests. */
  readonly createBackend: () => Backend | Promise<Backend>;
  /** Whether the backend pushes wakes. If not, waiters ask often. */
  readonly pushes: boolean;
  /** Ways to do harm. Cases that need one that is missing are reported as skipped. */
  readonly hooks?: SuiteHooks | undefined;
}
