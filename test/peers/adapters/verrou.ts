// The interface of verrou: named locks with an owner and a time to live, in milliseconds.
//
// Not there: a lock that was acquired in one process and restored in another, since a grant cannot be passed on.

import type { Store } from "../../../src/index.ts";
import { Expiring, leaseFor, orNull } from "./expiring.ts";

/** How long to go on trying; the least of them counts. */
export type Retry = Readonly<Partial<Record<"attempts" | "delay" | "timeout", number>>>;

export interface SerializedLock {
  readonly key: string;
  readonly owner: string;
  readonly ttl: number | null;
}

export class NotOwnedError extends Error {
  readonly code = "E_LOCK_NOT_OWNED";
}

/** What the owners of this process hold. */
const heldOn = new WeakMap<Store, Map<string, Expiring>>();

export class LockFactory {
  readonly store: Store;
  readonly retry: Retry;
  readonly held: Map<string, Expiring>;

  constructor(store: Store, { retry = {} }: { readonly retry?: Retry } = {}) {
    this.store = store;
    this.retry = retry;
    this.held = heldOn.get(store) ?? new Map<string, Expiring>();
    heldOn.set(store, this.held);
  }

  /** `ttl`: `null` if it does not end by itself. */
  createLock(key: string, ttl: number | null = 30_000): Lock {
    return this.restoreLock({ key, owner: crypto.randomUUID(), ttl });
  }

  restoreLock(serialized: SerializedLock): Lock {
    return new Lock(this, serialized);
  }
}

export class Lock {
  readonly #factory: LockFactory;
  readonly #own: SerializedLock;

  constructor(factory: LockFactory, own: SerializedLock) {
    this.#factory = factory;
    this.#own = own;
  }

  get #held(): Expiring | undefined {
    return this.#factory.held.get(this.#own.owner);
  }

  getOwner = (): string => this.#own.owner;
  serialize = (): SerializedLock => this.#own;
  isExpired = (): boolean => (this.#held?.remainingMs ?? Infinity) <= 0;
  getRemainingTime = (): number | null => this.#held?.remainingMs ?? null;
  isLocked = async (): Promise<boolean> => (await this.#factory.store.lock(this.#own.key).inspect()) !== null;
  forceRelease = (): Promise<boolean> => this.#factory.store.lock(this.#own.key).forceRelease();
  acquireImmediately = (): Promise<boolean> => this.acquire({ retry: { attempts: 1 } });

  async acquire({ retry = {} }: { readonly retry?: Retry } = {}): Promise<boolean> {
    const { attempts = Infinity, delay = 250, timeout = Infinity } = { ...this.#factory.retry, ...retry };
    const { key, owner, ttl } = this.#own;
    const how = { leaseMs: leaseFor(ttl), waitMs: Math.min(timeout, (attempts - 1) * delay) };
    const grant = await orNull(this.#factory.store.lock(key).acquire(how));
    if (grant !== null) this.#factory.held.set(owner, new Expiring(grant, ttl));
    return grant !== null;
  }

  async run<T>(callback: () => Promise<T>, retry: Retry = {}): Promise<[true, T] | [false, null]> {
    if (!(await this.acquire({ retry }))) return [false, null];
    try {
      return [true, await callback()];
    } finally {
      await this.release();
    }
  }

  runImmediately = <T>(callback: () => Promise<T>): Promise<[true, T] | [false, null]> =>
    this.run(callback, { attempts: 1 });

  async extend(ttl = this.#own.ttl): Promise<void> {
    if (ttl === null) throw new Error("it does not end by itself");
    if (this.#held?.isHeld !== true) throw new NotOwnedError("it is not held by this owner");
    this.#held.extend(ttl);
  }

  async release(): Promise<void> {
    const held = this.#held;
    this.#factory.held.delete(this.#own.owner);
    if ((await held?.release()) !== true) throw new NotOwnedError("it is not held by this owner");
  }
}
