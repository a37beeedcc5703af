/** How long a caller waits for a lock, and the lease that it then gets. */
import type { Durability } from "../backends/contract.ts";

export interface WaitOptions {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** How many replicas must have it before the caller's promise resolves; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
}
