// A grant that ends when its time is over, as locks of most libraries do.
//
// Holdfast renews a grant for as long as it is held, so the time is kept here. The lease is as long as that time: it is what
// ends the grant if the process dies.

import { LockTimeoutError, type Grant } from "../../../src/index.ts";

/** What a grant of a lock, of several locks and of permits have in common. */
export type Held = Pick<Grant, "signal" | "release">;

/** 25 days. What lasts longer outlives its process, or is released. */
const longestTimerMs = 2 ** 31 - 1;

export class Expiring {
  readonly #grant: Held;
  #timer: NodeJS.Timeout | undefined;
  #expiresAt = Infinity;

  /** `ttlMs`: `null` if it does not end by itself. */
  constructor(grant: Held, ttlMs: number | null) {
    this.#grant = grant;
    this.extend(ttlMs);
  }

  get isHeld(): boolean {
    return performance.now() < this.#expiresAt && !this.#grant.signal.aborted;
  }

  /** `null` if it does not end by itself. */
  get remainingMs(): number | null {
    return this.#expiresAt === Infinity ? null : this.#expiresAt - performance.now();
  }

  extend(ttlMs: number | null): void {
    clearTimeout(this.#timer);
    this.#expiresAt = performance.now() + (ttlMs ?? Infinity);
    if (ttlMs === null || ttlMs > longestTimerMs) return;
    this.#timer = setTimeout(() => void this.release().catch(() => undefined), ttlMs); // or else its lease ends
    this.#timer.unref();
  }

  /** Returns whether it was still held. */
  async release(): Promise<boolean> {
    const wasHeld = this.isHeld;
    clearTimeout(this.#timer);
    this.#expiresAt = -Infinity;
    return (await this.#grant.release()) && wasHeld;
  }
}

/** How long the server keeps a grant with this time to live if its process dies. */
export function leaseFor(ttlMs: number | null): number {
  return Math.min(Math.max(Math.ceil(ttlMs ?? 10_000), 100), 86_400_000);
}

/** `null` if others held it for too long. */
export async function orNull<T>(acquired: Promise<T>): Promise<T | null> {
  try {
    return await acquired;
  } catch (error) {
    if (error instanceof LockTimeoutError) return null;
    throw error;
  }
}
