/**
 * What every backend must do with locks: the contract, reply by reply, and whole stores that use it.
 */
import { callCases } from "./lock-suite/calls.ts";
import { closingCases } from "./lock-suite/closing.ts";
import { contractCases } from "./lock-suite/contract.ts";
import { permitCases } from "./lock-suite/shares/contract-permits.ts";
import { sharedCases } from "./lock-suite/shares/contract-shared.ts";
import { releaseCases } from "./lock-suite/contract-release.ts";
import { deadlockCases } from "./lock-suite/deadlocks/calls.ts";
import { deadlockContractCases } from "./lock-suite/deadlocks/contract.ts";
import { leftBehindCases } from "./lock-suite/deadlocks/left-behind.ts";
import { eventLoopCases } from "./lock-suite/event-loop.ts";
import { holdLimitCases } from "./lock-suite/hold-limit.ts";
import { leaderClosingCases } from "./lock-suite/leader/closing.ts";
import { leaderCases } from "./lock-suite/leader/terms.ts";
import { leaderWatchCases } from "./lock-suite/leader/watching.ts";
import { adoptCases } from "./lock-suite/leases/contract-adopt.ts";
import { adoptingCases } from "./lock-suite/leases/adopting.ts";
import { unrenewedCases } from "./lock-suite/leases/unrenewed.ts";
import { wantedCases } from "./lock-suite/leases/wanted.ts";
import { lossCases } from "./lock-suite/loss.ts";
import { givingUpCases } from "./lock-suite/giving-up.ts";
import { lostReplyCases } from "./lock-suite/lost-replies.ts";
import { ownerCases } from "./lock-suite/owners.ts";
import { semaphoreCases } from "./lock-suite/shares/semaphores.ts";
import { sharedLockCases } from "./lock-suite/shares/shared-locks.ts";
import { queueCases } from "./lock-suite/queue.ts";
import { acquiringSeveralCases } from "./lock-suite/several/acquiring.ts";
import { holdingSeveralCases } from "./lock-suite/several/holding.ts";
import type { SuiteOptions } from "./options.ts";
import { register } from "./suite.ts";

/**
 * Tests the lock promises [L1]…[L15] and [E1] of a backend. The name of each test begins with the promises that it tests.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { lockSuite } from "holdfast/testing";
 *
 * const storage = new MyStorage();
 * lockSuite({
 *   test,
 *   createBackend: () => new MyBackend(storage),
 *   pushes: false,
 *   hooks: { deleteLock: (id) => storage.remove(`lock:${id}`) },
 * });
 * ```
 */
export function lockSuite(options: SuiteOptions): void {
  register(options, [
    ...contractCases,
    ...releaseCases,
    ...adoptCases,
    ...sharedCases,
    ...permitCases,
    ...deadlockContractCases,
    ...sharedLockCases,
    ...semaphoreCases,
    ...queueCases,
    ...callCases,
    ...closingCases,
    ...eventLoopCases,
    ...ownerCases,
    ...lossCases,
    ...adoptingCases,
    ...unrenewedCases,
    ...wantedCases,
    ...givingUpCases,
    ...lostReplyCases,
    ...acquiringSeveralCases,
    ...holdingSeveralCases,
    ...deadlockCases,
    ...leftBehindCases,
    ...holdLimitCases,
    ...leaderCases,
    ...leaderClosingCases,
    ...leaderWatchCases,
  ]);
}
