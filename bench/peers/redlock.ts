/**
 * redlock 4.2 on one server, with ioredis and auto-pipelining.
 *
 * Retry delay and jitter at their defaults (200 ± 100 ms); 50 retries instead of 10, so that it waits as long as Holdfast.
 * It does not renew by itself. A refused attempt sends an unlock, too.
 */
import { ioredis, type IoRedis } from "./clients.ts";
import { ByHand, leaseMs, load, waitMs, type OpenPeer } from "./peer.ts";

interface Lock {
  unlock(): PromiseLike<void>;
}

interface Redlock {
  lock(id: string, ttl: number): PromiseLike<Lock>;
}

interface RedlockModule {
  default: new (clients: IoRedis[], options: { retryCount: number }) => Redlock;
}

export const openRedlock: OpenPeer = async (url) => {
  const { default: Redlock } = await load<RedlockModule>("redlock");
  const client = await ioredis(url);
  return new RedlockPeer(client, new Redlock([client], { retryCount: waitMs / 200 }));
};

class RedlockPeer extends ByHand<Lock> {
  readonly #redlock: Redlock;

  constructor(client: IoRedis, redlock: Redlock) {
    super(client);
    this.#redlock = redlock;
  }

  async acquire(id: string): Promise<Lock> {
    return await this.#redlock.lock(`lock:${id}`, leaseMs);
  }

  async release(lock: Lock): Promise<void> {
    await lock.unlock();
  }
}
