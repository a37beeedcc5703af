// The interface of redlock 5: locks of several resources with a duration, which can be extended, and `using`, which extends
// them by itself.
//
// Not there: a majority of several servers, and an "error" event for each attempt, since a call waits in a queue instead.

import type { GrantSet, Store } from "../../../src/index.ts";
import { Expiring, leaseFor, orNull } from "./expiring.ts";

export interface Settings {
  readonly retryCount?: number;
  readonly retryDelay?: number;
}

export class ExecutionError extends Error {}

export type RedlockAbortSignal = AbortSignal & { error?: unknown };

export class Redlock {
  readonly #store: Store;
  readonly #settings: Settings;

  constructor(store: Store, settings: Settings = {}) {
    this.#store = store;
    this.#settings = settings;
  }

  async acquire(resources: readonly string[], duration: number, settings?: Settings): Promise<Lock> {
    const grant = await this.#take(resources, duration, settings);
    return new Lock(grant, new Expiring(grant, duration));
  }

  async using<T>(
    resources: readonly string[],
    duration: number,
    routine: (signal: RedlockAbortSignal) => Promise<T>,
  ): Promise<T> {
    const grant = await this.#take(resources, duration);
    const signal: RedlockAbortSignal = grant.signal;
    signal.addEventListener("abort", () => {
      signal.error = signal.reason;
    });
    try {
      return await routine(signal);
    } finally {
      await grant.release();
    }
  }

  async #take(resources: readonly string[], duration: number, settings?: Settings): Promise<GrantSet> {
    if (!Number.isInteger(duration)) throw new Error("the duration must be an integer");
    const { retryCount = 10, retryDelay = 200 } = { ...this.#settings, ...settings };
    const waitMs = retryCount === -1 ? Infinity : retryCount * retryDelay;
    const how = { leaseMs: leaseFor(duration), waitMs };
    const grant = await orNull(this.#store.lockAll(resources).acquire(how));
    if (grant === null) throw new ExecutionError("a resource was not free in time");
    return grant;
  }
}

export class Lock {
  readonly resources: readonly string[];
  readonly #grant: GrantSet;
  readonly #held: Expiring;
  #isReplaced = false;

  constructor(grant: GrantSet, held: Expiring) {
    this.resources = grant.ids;
    this.#grant = grant;
    this.#held = held;
  }

  /** By the clock; 0 once it was released or extended. */
  get expiration(): number {
    return this.#held.isHeld && !this.#isReplaced ? Date.now() + (this.#held.remainingMs ?? 0) : 0;
  }

  /** Returns the lock with its new time; this one is over. */
  async extend(duration: number): Promise<Lock> {
    if (!this.#held.isHeld || this.#isReplaced) throw new ExecutionError("it has ended");
    this.#isReplaced = true;
    this.#held.extend(duration);
    return new Lock(this.#grant, this.#held);
  }

  async release(): Promise<void> {
    if (!(await this.#held.release())) throw new ExecutionError("it had ended before");
  }
}
