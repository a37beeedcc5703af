/** What a caller wants of a lock, how long it waits for it, the lease that it then gets, and how long it may hold it. */
import type { Durability, Share } from "../backends/contract.ts";
import type { HeldGrant } from "./grant.ts";

export interface WaitOptions {
  readonly leaseMs: number;
  /** Whether the lease is renewed. Default: true. */
  readonly renew?: boolean | undefined;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** What is wanted of the lock; `undefined`: the whole of it. */
  readonly share?: Share | undefined;
  /** Whether the state is wanted with the grant. Default: false. */
  readonly load?: boolean | undefined;
  /** How many replicas must have it before the caller's promise resolves; `undefined`: none are waited for. */
  readonly durability?: Durability | undefined;
  /** Starts when it is granted; `undefined`: no limit. A nested grant has that of the outer one. */
  readonly maxHoldMs?: number | undefined;
  /** What the same call has acquired already, and gives back if it fails. */
  readonly acquired?: readonly HeldGrant[] | undefined;
}
