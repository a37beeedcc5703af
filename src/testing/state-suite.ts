/**
 * What every backend must do with states: the contract, reply by reply, and whole stores that use it.
 */
import { commitCases } from "./state-suite/commits.ts";
import { dataCases } from "./state-suite/stored-data.ts";
import { listingCases } from "./state-suite/listings/calls.ts";
import { grantCases } from "./state-suite/grants.ts";
import { lostReplyCases } from "./state-suite/lost-replies.ts";
import { onceAttemptCases } from "./state-suite/once-attempts.ts";
import { onceCases } from "./state-suite/once.ts";
import { neighbourCases } from "./state-suite/shared-batch.ts";
import { appliedAgainCases } from "./state-suite/applied-again.ts";
import { receiptCases } from "./state-suite/receipts.ts";
import { serializerCases } from "./state-suite/serializers.ts";
import { transactCases } from "./state-suite/transact/changes.ts";
import { transactFailureCases } from "./state-suite/transact/failures.ts";
import { updateCases } from "./state-suite/updates.ts";
import { valueCases } from "./state-suite/values.ts";
import { ttlCases } from "./state-suite/ttl.ts";
import { writeCases } from "./state-suite/writes.ts";
import type { SuiteOptions } from "./options.ts";
import { register } from "./suite.ts";

/**
 * Tests the state promises [S1]…[S9] and [O1] of a backend. The name of each test begins with the promises that it tests.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { stateSuite } from "holdfast/testing";
 *
 * const storage = new MyStorage();
 * stateSuite({ test, createBackend: () => new MyBackend(storage), pushes: false });
 * ```
 */
export function stateSuite(options: SuiteOptions): void {
  register(options, [
    ...writeCases,
    ...receiptCases,
    ...commitCases,
    ...dataCases,
    ...listingCases,
    ...valueCases,
    ...ttlCases,
    ...serializerCases,
    ...updateCases,
    ...neighbourCases,
    ...appliedAgainCases,
    ...grantCases,
    ...lostReplyCases,
    ...onceCases,
    ...onceAttemptCases,
    ...transactCases,
    ...transactFailureCases,
  ]);
}
