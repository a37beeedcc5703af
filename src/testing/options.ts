/** What a backend brings to the contract suites: a factory, what it can, and hooks that break things. */
import type { Backend } from "../backends/contract.ts";

/**
 * Ways to reach behind the protocol, so that loss and damage can be tested. Leave one out only where the backend
 * truly cannot; the cases that need it are then named as skipped.
 */
export interface SuiteHooks {
  /** Removes the lock as if its lease had ended unseen; who waits for it stays in the queue. */
  readonly deleteLock?: (id: string) => Promise<void>;
  /** A client that does not speak this protocol takes the free lock [L11]; `null`: forever. Returns whether it got it. */
  readonly putForeignLock?: (id: string, token: string, leaseMs: number | null) => Promise<boolean>;
  /** That client gives it back, if the token is still there. */
  readonly removeForeignLock?: (id: string, token: string) => Promise<boolean>;
  /** Puts something under the state's name that is no state [S6]. */
  readonly putGarbage?: (id: string) => Promise<void>;
  /** Forgets everything, receipts and stamps included, as a server does that restarts empty. */
  readonly flush?: () => Promise<void>;
}

export interface SuiteOptions {
  /** Registers one test. Tests of one suite may run in any order, but one after the other. */
  readonly test: (name: string, fn: () => Promise<void>) => unknown;
  /** Tells of a case that cannot run; by default a test that passes, whose name ends with the reason. */
  readonly skip?: (name: string, reason: string) => unknown;
  /** A fresh client of one and the same storage, which may hold what earlier tests left there. */
  readonly createBackend: () => Backend | Promise<Backend>;
  /** Does the backend push wakes? Where it does not, waiters ask often. */
  readonly pushes: boolean;
  readonly hooks?: SuiteHooks;
}
