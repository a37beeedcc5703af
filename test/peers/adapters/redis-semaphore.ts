// The interface of redis-semaphore 5: Mutex, Semaphore and MultiSemaphore.
//
// Not there: `identifier` with `acquiredExternally`, since the caller chooses it, and the token of a grant cannot be chosen; the
// Redlock classes, which need a majority of servers. Attempts are not made every `retryInterval`; a call waits in the queue for as long.

import type { Store } from "../../../src/index.ts";
import { Expiring, leaseFor, orNull, type Held } from "./expiring.ts";

export interface Options {
  readonly lockTimeout?: number;
  readonly acquireTimeout?: number;
  readonly acquireAttemptsLimit?: number;
  readonly retryInterval?: number;
  /** 0: the lock ends after `lockTimeout`. */
  readonly refreshInterval?: number;
  readonly onLockLost?: (error: LostLockError) => void;
}

interface How {
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

export class LostLockError extends Error {}
export class TimeoutError extends Error {}

abstract class PeerLock {
  readonly #options: Options;
  readonly #ttlMs: number;
  readonly #take: (how: How) => Promise<Held>;
  #held: Expiring | undefined;

  constructor(options: Options, take: (how: How) => Promise<Held>) {
    this.#options = options;
    this.#ttlMs = options.lockTimeout ?? 10_000;
    this.#take = take;
  }

  get isAcquired(): boolean {
    return this.#held?.isHeld ?? false;
  }

  async acquire(signal?: AbortSignal): Promise<void> {
    if (!(await this.tryAcquire(signal))) throw new TimeoutError("it was not free in time");
  }

  async tryAcquire(signal?: AbortSignal): Promise<boolean> {
    const { acquireTimeout = 10_000, acquireAttemptsLimit = Infinity, retryInterval = 10 } = this.#options;
    const waitMs = Math.min(acquireTimeout, (acquireAttemptsLimit - 1) * retryInterval);
    const how = { leaseMs: leaseFor(this.#ttlMs), waitMs, ...(signal && { signal }) };
    const grant = await orNull(this.#take(how));
    if (grant === null) return false;
    this.#held = new Expiring(grant, this.#options.refreshInterval === 0 ? this.#ttlMs : null);
    grant.signal.addEventListener("abort", () => this.#lost(new LostLockError("it was lost")));
    return true;
  }

  /** It ends after `lockTimeout`. */
  stopRefresh(): void {
    if (this.isAcquired) this.#held?.extend(this.#ttlMs);
  }

  async release(): Promise<void> {
    await this.#held?.release();
  }

  #lost(error: LostLockError): void {
    if (this.#options.onLockLost === undefined) throw error;
    this.#options.onLockLost(error);
  }
}

export class Mutex extends PeerLock {
  constructor(store: Store, key: string, options: Options = {}) {
    super(options, (how) => store.lock(key).acquire(how));
  }
}

export class MultiSemaphore extends PeerLock {
  constructor(
    store: Store,
    key: string,
    permits: readonly [max: number, weight: number],
    options: Options = {},
  ) {
    const [max, weight] = permits;
    super(options, (how) => store.semaphore(key, { permits: max }).acquire({ ...how, weight }));
  }
}

export class Semaphore extends MultiSemaphore {
  constructor(store: Store, key: string, maxCount: number, options: Options = {}) {
    super(store, key, [maxCount, 1], options);
  }
}
