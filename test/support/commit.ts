// A commit of several states under the tickets of a test's client.

import type { CommitEntry, CommitReply, Receipt, StateWrite } from "../../src/backends/contract.ts";
import type { ContractClient, ContractTicket } from "../../src/testing/contract-client.ts";

/** What happens to the state of one ticket. */
export interface Change {
  readonly write?: StateWrite;
  readonly ifRevision?: number | "absent";
  /** Its lock is held on. Default: false. */
  readonly keeps?: boolean;
}

/** The changes are those of the tickets, in their order; a missing one only releases. */
export function commit(
  { client, receipt = client.receipt() }: { readonly client: ContractClient; readonly receipt?: Receipt },
  tickets: readonly ContractTicket[],
  changes: readonly Change[] = [],
): Promise<CommitReply> {
  const entries = tickets.map(({ id, ticket, receipt: release }, index): CommitEntry => {
    const { keeps = false, ...change } = changes[index] ?? {};
    return { id, ticket, release: keeps ? undefined : release, ...change };
  });
  return client.backend.commitStates(entries, receipt);
}
