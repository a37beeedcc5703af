/**
 * redlock-universal 0.8.5, its lock on one server in "lean" mode (its fastest), with ioredis and auto-pipelining.
 *
 * Retry delay at its default (100 ms); 100 retries instead of 3, so that it waits as long as Holdfast. `acquire` and
 * `release` instead of `using`: without its renewal timer it is faster.
 */
import { ioredis, type IoRedis } from "./clients.ts";
import { ByHand, leaseMs, load, waitMs, type OpenPeer } from "./peer.ts";

interface Handle {
  readonly key: string;
}

interface Lock {
  acquire(): Promise<Handle>;
  release(handle: Handle): Promise<boolean>;
}

interface LockConfig {
  adapter: object;
  key: string;
  ttl: number;
  retryAttempts: number;
  performance: "lean";
}

interface UniversalModule {
  IoredisAdapter: new (client: IoRedis) => object;
  readonly createLock: (config: LockConfig) => Lock;
}

interface Held {
  readonly lock: Lock;
  readonly handle: Handle;
}

export const openRedlockUniversal: OpenPeer = async (url) => {
  const { IoredisAdapter, createLock } = await load<UniversalModule>("redlock-universal");
  const client = await ioredis(url);
  const rest = { ttl: leaseMs, retryAttempts: waitMs / 100, performance: "lean" } as const;
  const adapter = new IoredisAdapter(client);
  return new UniversalPeer(client, (id) => createLock({ adapter, key: `lock:${id}`, ...rest }));
};

class UniversalPeer extends ByHand<Held> {
  readonly #make: (id: string) => Lock;

  constructor(client: IoRedis, make: (id: string) => Lock) {
    super(client);
    this.#make = make;
  }

  async acquire(id: string): Promise<Held> {
    const lock = this.#make(id);
    return { lock, handle: await lock.acquire() };
  }

  async release({ lock, handle }: Held): Promise<void> {
    if (!(await lock.release(handle))) throw new Error("the lock was lost before its release");
  }
}
