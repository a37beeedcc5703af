/** How long one ticket of this process may serve one request after another [L2]. */
import type { Hold } from "../leases/hold.ts";

/** Strict while other clients wait, generous otherwise. */
export const wantedBounds = { requests: 16, ms: 10 };
const freeBounds = { requests: 1_024, ms: 100 };

export function isWithinBounds(hold: Hold, at: number): boolean {
  const bounds = hold.isWanted ? wantedBounds : freeBounds;
  return hold.served < bounds.requests && at - hold.since < bounds.ms;
}

/** Whether permits may be handed on in this process; the grant has reserved fences for no more than 64 callers [L13]. */
export function permitsGoOn(hold: Hold, at: number): boolean {
  // Near the end of its lease, it is renewed first.
  const isRenewed = hold.until - at > hold.lease.grantedMs / 3;
  return hold.fencesLeft > 0 && at - hold.since < wantedBounds.ms && isRenewed;
}
