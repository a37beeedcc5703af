/**
 * Semaphores as the locks of the bench: an acquire takes one of five permits.
 *
 * Holdfast's, and redis-semaphore 5.8's with ioredis and auto-pipelining, set up as its Mutex is (redis-semaphore.ts).
 */
import type * as Library from "holdfast";
import { ioredis, type IoRedis } from "./clients.ts";
import { loadHoldfast } from "./holdfast.ts";
import { ByHand, leaseMs, load, waitMs, type OpenPeer, type Peer } from "./peer.ts";

export const permits = 5;

export const openHoldfastSemaphore: OpenPeer = async (url) => {
  const { open } = await loadHoldfast();
  return new HoldfastSemaphores(await open(url).ready());
};

/** Nothing is kept under a semaphore, so only the lock's part is asked for. */
export class HoldfastSemaphores implements Peer<Library.PermitGrant> {
  readonly store: Library.Store;

  constructor(store: Library.Store) {
    this.store = store;
  }

  acquire(id: string): Promise<Library.PermitGrant> {
    return this.store.semaphore(id, { permits }).acquire();
  }

  async release(grant: Library.PermitGrant): Promise<void> {
    if (!(await grant.release())) throw new Error("the permits were lost before their release");
  }

  withLock<R>(id: string, body: () => Promise<R>): Promise<R> {
    return this.store.semaphore(id, { permits }).run(body);
  }

  update(): Promise<never> {
    return guardsNothing();
  }

  load(): Promise<never> {
    return guardsNothing();
  }

  save(): Promise<never> {
    return guardsNothing();
  }

  close(): Promise<void> {
    return this.store.close({ drainMs: 0 });
  }
}

function guardsNothing(): Promise<never> {
  return Promise.reject(new Error("a semaphore guards no value"));
}

interface Semaphore {
  acquire(): Promise<void>;
  release(): Promise<void>;
}

interface SemaphoreModule {
  Semaphore: new (client: IoRedis, key: string, limit: number, options: object) => Semaphore;
}

export const openRedisSemaphores: OpenPeer = async (url) => {
  const { Semaphore } = await load<SemaphoreModule>("redis-semaphore");
  const client = await ioredis(url);
  const options = { lockTimeout: leaseMs, acquireTimeout: waitMs, refreshInterval: 0 };
  return new PeersSemaphores(client, (id) => new Semaphore(client, id, permits, options));
};

class PeersSemaphores extends ByHand<Semaphore> {
  readonly #make: (id: string) => Semaphore;

  constructor(client: IoRedis, make: (id: string) => Semaphore) {
    super(client);
    this.#make = make;
  }

  async acquire(id: string): Promise<Semaphore> {
    const semaphore = this.#make(id);
    await semaphore.acquire();
    return semaphore;
  }

  release(semaphore: Semaphore): Promise<void> {
    return semaphore.release();
  }
}
