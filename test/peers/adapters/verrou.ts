// The interface of verrou: named locks with an owner and a time to live, in milliseconds. The owner of a lock that is held is the
// token of its grant, so that the lock can be restored in another process, which then has it.

import { HoldfastError, type Grant, type Lock as HoldfastLock, type Store } from "../../../src/index.ts";
import { leaseFor, orNull } from "./expiring.ts";

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
const heldOn = new WeakMap<Store, Map<string, Grant>>();

export class LockFactory {
  readonly store: Store;
  readonly retry: Retry;
  readonly held: Map<string, Grant>;

  constructor(store: Store, { retry = {} }: { readonly retry?: Retry } = {}) {
    this.store = store;
    this.retry = retry;
    this.held = heldOn.get(store) ?? new Map<string, Grant>();
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
  #own: SerializedLock;

  constructor(factory: LockFactory, own: SerializedLock) {
    this.#factory = factory;
    this.#own = own;
  }

  get #lock(): HoldfastLock {
    const { key, ttl } = this.#own;
    return this.#factory.store.lock(key, { leaseMs: leaseFor(ttl) });
  }

  get #grant(): Grant | undefined {
    return this.#factory.held.get(this.#own.owner);
  }

  getOwner = (): string => this.#own.owner;
  serialize = (): SerializedLock => this.#own;
  isExpired = (): boolean => this.#grant?.held === false;
  getRemainingTime = (): number | null =>
    this.#own.ttl === null ? null : (this.#grant?.expiresInMs ?? null);
  isLocked = async (): Promise<boolean> => (await this.#lock.inspect()) !== null;
  forceRelease = (): Promise<boolean> => this.#lock.forceRelease();
  acquireImmediately = (): Promise<boolean> => this.acquire({ retry: { attempts: 1 } });

  async acquire({ retry = {} }: { readonly retry?: Retry } = {}): Promise<boolean> {
    const { attempts = Infinity, delay = 250, timeout = Infinity } = { ...this.#factory.retry, ...retry };
    const waitMs = Math.min(timeout, (attempts - 1) * delay);
    const grant = await orNull(this.#lock.acquire({ renew: this.#own.ttl === null, waitMs }));
    if (grant !== null) this.#hold(grant);
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
    const grant = await this.#owned();
    await ifOwned(grant.extend(leaseFor(ttl)));
  }

  async release(): Promise<void> {
    const grant = await this.#owned();
    this.#factory.held.delete(this.#own.owner);
    if (!(await grant.release())) throw notOwned();
  }

  /** Of this process, or taken over from another one. */
  async #owned(): Promise<Grant> {
    if (this.#grant === undefined)
      this.#hold(await ifOwned(this.#lock.adopt(this.#own.owner, { renew: this.#own.ttl === null })));
    return this.#grant ?? Promise.reject(notOwned());
  }

  #hold(grant: Grant): void {
    this.#own = { ...this.#own, owner: grant.token() };
    this.#factory.held.set(this.#own.owner, grant);
  }
}

async function ifOwned<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof HoldfastError && ["LOCK_LOST", "INVALID_ARGUMENT"].includes(error.code))
      throw notOwned();
    throw error;
  }
}

function notOwned(): NotOwnedError {
  return new NotOwnedError("it is not held by this owner");
}
