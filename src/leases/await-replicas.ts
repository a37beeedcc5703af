/** How many replicas know that the lock is ours: asked of the backend, and noted with the hold. */
import type { Durability } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { awaitingLock, countReplicas } from "../calls/durability.ts";
import type { Hold } from "./hold.ts";

/**
 * Waits for the replicas that `durability` asks for. Where the server that answers now does not know the grant, it is lost;
 * that counts as no replica.
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
