/**
 * What every backend must do with states: the contract, reply by reply, and whole stores that use it.
 */
import { commitCases } from "./state-suite/commits.ts";
import { replacesCases } from "./state-suite/formats/replaces.ts";
import { schemaCases } from "./state-suite/formats/schemas.ts";
import { versionCases } from "./state-suite/formats/versions.ts";
import { dataCases } from "./state-suite/stored-data.ts";
import { manyContractCases } from "./state-suite/many/contract.ts";
import { deleteAllCases } from "./state-suite/many/delete-all.ts";
import { manyCases } from "./state-suite/many/stores.ts";
import { deletingCases } from "./state-suite/deleting-and-life/deleting.ts";
import { equalBytesCases } from "./state-suite/deleting-and-life/equal-bytes.ts";
import { expiresAtCases } from "./state-suite/deleting-and-life/expires-at.ts";
import { lostDeleteCases } from "./state-suite/deleting-and-life/lost-replies.ts";
import { listingCases } from "./state-suite/listings/calls.ts";
import { grantCases } from "./state-suite/grants.ts";
import { lostReplyCases } from "./state-suite/lost-replies.ts";
import { onceAttemptCases } from "./state-suite/once-attempts.ts";
import { onceCases } from "./state-suite/once.ts";
import { neighbourCases } from "./state-suite/shared-batch.ts";
import { appliedAgainCases } from "./state-suite/applied-again.ts";
import { programOrderCases } from "./state-suite/reads/program-order.ts";
import { receiptCases } from "./state-suite/receipts.ts";
import { serializerCases } from "./state-suite/serializers.ts";
import { transactCases } from "./state-suite/transact/changes.ts";
import { transactFailureCases } from "./state-suite/transact/failures.ts";
import { updateCases } from "./state-suite/updates.ts";
import { valueCases } from "./state-suite/values.ts";
import { ttlCases } from "./state-suite/ttl.ts";
import { viewCases } from "./state-suite/views/isolation.ts";
import { watchCases } from "./state-suite/watching/changes.ts";
import { hintCases } from "./state-suite/watching/hints.ts";
import { writeCases } from "./state-suite/writes.ts";
import type { SuiteOptions } from "./options.ts";
import { register } from "./suite.ts";

/**
 * Tests the state promises [S1]…[S9], [O1] and [E2] of a backend. The name of each test begins with the promises that it tests.
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
    ...programOrderCases,
    ...commitCases,
    ...manyContractCases,
    ...manyCases,
    ...deleteAllCases,
    ...dataCases,
    ...listingCases,
    ...valueCases,
    ...ttlCases,
    ...deletingCases,
    ...equalBytesCases,
    ...expiresAtCases,
    ...lostDeleteCases,
    ...serializerCases,
    ...replacesCases,
    ...versionCases,
    ...schemaCases,
    ...updateCases,
    ...neighbourCases,
    ...appliedAgainCases,
    ...grantCases,
    ...lostReplyCases,
    ...onceCases,
    ...onceAttemptCases,
    ...transactCases,
    ...transactFailureCases,
    ...viewCases,
    ...hintCases,
    ...watchCases,
  ]);
}
