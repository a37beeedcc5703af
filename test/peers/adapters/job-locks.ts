// A provider of locks as frameworks that run jobs ask for one: a job under all of its keys, and keys that an owner acquires and
// releases by name. Times are in seconds, as there.
//
// Not there: an owner that releases in one process what it acquired in another.

import type { Store } from "../../../src/index.ts";
import { Expiring, leaseFor } from "./expiring.ts";

export interface Owner {
  readonly ownerId?: string;
}

interface Owned {
  readonly owner: string | undefined;
  readonly held: Expiring;
}

export class JobLocks {
  readonly #store: Store;
  readonly #owned = new Map<string, Owned>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** `timeout`: how long the job may wait for its keys. */
  execute<T>(
    keys: readonly string[],
    job: (signal?: AbortSignal) => Promise<T>,
    { timeout = 5 }: { readonly timeout?: number } = {},
  ): Promise<T> {
    if (keys.length === 0) return job();
    return this.#store.lockAll(keys).run(({ signal }) => job(signal), { waitMs: timeout * 1_000 });
  }

  /** Does not wait. What the owner holds already is extended. Without `expire`, it does not end by itself. */
  async acquire(
    keys: readonly string[],
    { ownerId, expire }: Owner & { readonly expire?: number } = {},
  ): Promise<void> {
    const ttlMs = expire === undefined ? null : expire * 1_000;
    const added: string[] = [];
    for (const key of keys) {
      const owned = this.#heldBy(key, ownerId);
      if (owned !== undefined) {
        owned.held.extend(ttlMs);
        continue;
      }
      const grant = await this.#store.lock(key).tryAcquire({ leaseMs: leaseFor(ttlMs) });
      if (grant === null) {
        await this.#release(added, ownerId);
        throw new Error(`${key} is held by others`);
      }
      added.push(key);
      this.#owned.set(key, { owner: ownerId, held: new Expiring(grant, ttlMs) });
    }
  }

  /** Returns whether the owner held all of them. */
  release(keys: readonly string[], { ownerId }: Owner = {}): Promise<boolean> {
    return this.#release(keys, ownerId);
  }

  async releaseAll({ ownerId }: Owner = {}): Promise<void> {
    const keys = [...this.#owned].flatMap(([key, { owner }]) => (owner === ownerId ? [key] : []));
    await this.#release(keys, ownerId);
  }

  async #release(keys: readonly string[], ownerId: string | undefined): Promise<boolean> {
    const released = await Promise.all(
      keys.map((key) => this.#heldBy(key, ownerId)?.held.release() ?? Promise.resolve(false)),
    );
    return released.every(Boolean);
  }

  #heldBy(key: string, ownerId: string | undefined): Owned | undefined {
    const owned = this.#owned.get(key);
    return owned?.held.isHeld === true && owned.owner === ownerId ? owned : undefined;
  }
}
