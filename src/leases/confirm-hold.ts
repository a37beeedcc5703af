/** How many replicas know that this client holds the lock: asks the backend, and notes the number in the hold. */
import type { Durability } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { awaitingLock, countReplicas } from "../calls/durability.ts";
import type { Hold } from "./hold.ts";

/**
 * Waits for the replicas that `durability` asks for. If the server that answers does not know the grant, the hold is
 * lost, and the result is 0.
 */
export async function confirmHold(calls: BackendCalls, hold: Hold, durability: Durability): Promise<number> {
  const { id, ticket, leaseMs } = hold;
  const replicas = await calls.idempotent({ doing: awaitingLock, id }, () =>
    countReplicas(calls.backend, { id, ticket, leaseMs }, durability),
  );
  if (replicas === "gone") {
    hold.lose("the server does not know it");
    return 0;
  }
  hold.replicated(replicas);
  return replicas;
}
