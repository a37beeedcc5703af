/** Waits until enough replicas have a hold for the requests that it is for, which stay in their queue and may give up. */
import type { Durability } from "../backends/contract.ts";
import type { BackendCalls } from "../calls/backend-calls.ts";
import { tooFewForLock } from "../calls/durability.ts";
import { confirmHold } from "../leases/confirm-hold.ts";
import type { Hold } from "../leases/hold.ts";
import { now, pause } from "../timers.ts";
import type { LocalQueue } from "./local-queue.ts";
import type { Request } from "./request.ts";

/** How long all connections may take to notice that another server has taken over. */
export const elsewhereMs = 100;

export interface ReplicaWait {
  readonly calls: BackendCalls;
  readonly hold: Hold;
  readonly queue: LocalQueue;
  readonly durability: Durability;
  /** Which requests the hold is for. */
  readonly isFor: (request: Request) => boolean;
  /** Whether it is for them no more, when the replicas have answered. */
  readonly isOver?: () => boolean;
  /** Too few replicas have it: it must be released. */
  readonly giveUp: () => unknown;
}

/** Never rejects. Afterwards, the requests that are left are to be served: the hold may have been lost or given up. */
export async function awaitReplicas(wait: ReplicaWait): Promise<void> {
  const { calls, hold, queue, durability, isFor, isOver, giveUp } = wait;
  const from = now();
  // Requests that ask for no more, and that waited all this time, would get the same result.
  const isSame = (request: Request): boolean =>
    isFor(request) && request.arrivedAt <= from && (request.durability?.replicas ?? 0) >= durability.replicas;
  try {
    const replicas = await confirmHold(calls, hold, durability);
    if (isOver?.() === true) return;
    if (replicas === 0 && !hold.isLive) {
      // Another server answers, or soon will on all connections: requests with time left ask again.
      const error = tooFewForLock(hold.id, replicas, durability);
      queue.rejectAll(error, (request) => isSame(request) && request.isExpired);
      await pause(elsewhereMs); // avoids a busy loop
    } else if (replicas >= durability.replicas) hold.restartTime();
    else {
      const requests = queue.take(isSame);
      await giveUp(); // first: a caller that learns that it has no lock may inspect it
      for (const request of requests) request.fail(tooFewForLock(hold.id, replicas, durability));
    }
  } catch (error) {
    queue.rejectAll(error, isSame);
  }
}
