/** How a caller waits for a lock, and for how long it then has it unless it is renewed. */
import type { Durability } from "../backends/contract.ts";

export interface WaitOptions {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** What must have reached replicas before the caller's promise resolves; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
}
