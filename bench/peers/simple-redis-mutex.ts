/**
 * simple-redis-mutex 3, with the client that it asks for: node-redis 6.
 *
 * Timeout (30 s) and polling interval (10 s) at their defaults: a release wakes all who wait. It waits without end unless
 * told otherwise; here it fails after as long as Holdfast. It does not renew by itself.
 */
import { nodeRedis, type OwnClient } from "./clients.ts";
import { ByHand, leaseMs, load, waitMs, type OpenPeer, type Strings } from "./peer.ts";

type Release = () => Promise<void>;

interface MutexModule {
  lock(client: OwnClient, id: string, options: { timeout: number; failAfter: number }): Promise<Release>;
}

export const openSimpleRedisMutex: OpenPeer = async (url) => {
  const module = await load<MutexModule>("simple-redis-mutex");
  const { client, strings } = await nodeRedis(url, "redis");
  const peer = new SimplePeer(strings, (id) =>
    module.lock(client, id, { timeout: leaseMs, failAfter: waitMs }),
  );
  // Each of several first calls at once would open a subscriber of its own: one goes first.
  await peer.release(await peer.acquire("first"));
  return peer;
};

class SimplePeer extends ByHand<Release> {
  readonly #lock: (id: string) => Promise<Release>;

  constructor(strings: Strings, lock: (id: string) => Promise<Release>) {
    super(strings);
    this.#lock = lock;
  }

  acquire(id: string): Promise<Release> {
    return this.#lock(id);
  }

  release(release: Release): Promise<void> {
    return release();
  }
}
