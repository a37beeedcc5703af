/** How long one ticket of this process may serve one request after another [L2]. */
import type { Hold } from "../leases/hold.ts";

/** Strict while other clients wait, generous otherwise. */
export const wantedBounds = { requests: 16, ms: 10 };
const freeBounds = { requests: 1_024, ms: 100 };

export function isWithinBounds(hold: Hold, at: number): boolean {
  const bounds = hold.isWanted ? wantedBounds : freeBounds;
  return hold.served < bounds.requests && at - hold.since < bounds.ms;
}
