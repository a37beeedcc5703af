/**
 * @sesamecare-oss/redlock 1.4 on one server, with ioredis and auto-pipelining.
 *
 * Retry delay and jitter at their defaults (200 ± 100 ms); 50 retries instead of 10, so that it waits as long as Holdfast.
 * `acquire` and `release` instead of `using`: without its renewal timer it is faster.
 */
import { ioredis, type IoRedis } from "./clients.ts";
import { ByHand, leaseMs, load, waitMs, type OpenPeer } from "./peer.ts";

interface Lock {
  release(): Promise<unknown>;
}

interface Redlock {
  acquire(ids: string[], ttl: number): Promise<Lock>;
}

interface RedlockModule {
  Redlock: new (clients: IoRedis[], options: { retryCount: number }) => Redlock;
}

export const openSesamecareRedlock: OpenPeer = async (url) => {
  const { Redlock } = await load<RedlockModule>("@sesamecare-oss/redlock");
  const client = await ioredis(url);
  return new SesamecarePeer(client, new Redlock([client], { retryCount: waitMs / 200 }));
};

class SesamecarePeer extends ByHand<Lock> {
  readonly #redlock: Redlock;

  constructor(client: IoRedis, redlock: Redlock) {
    super(client);
    this.#redlock = redlock;
  }

  acquire(id: string): Promise<Lock> {
    return this.#redlock.acquire([`lock:${id}`], leaseMs);
  }

  release(lock: Lock): Promise<unknown> {
    return lock.release();
  }
}
