/** How long a caller waits for a lock, the lease that it then gets, and how long it may hold it. */
import type { Durability } from "../backends/contract.ts";

export interface WaitOptions {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** How many replicas must have it before the caller's promise resolves; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
  /** Starts when it is granted; `undefined`: no limit. A nested grant has that of the outer one. */
  readonly maxHoldMs?: number | undefined;
}
