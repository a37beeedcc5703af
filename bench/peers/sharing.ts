/**
 * Locks that readers share: an acquire is a writer's, and acquireShared a reader's.
 *
 * No library for Node with such locks was found on the registry, so Holdfast's are compared with its exclusive lock and with
 * bare commands: two short scripts on ioredis with auto-pipelining, which count the readers, and ask again each millisecond.
 * Those let readers pass a writer that waits.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type * as Library from "holdfast";
import { ioredis, type IoRedis } from "./clients.ts";
import { HoldfastPeer, openHoldfast } from "./holdfast.ts";
import { ByHand, leaseMs, waitMs, type OpenPeer, type Peer } from "./peer.ts";

export interface SharingPeer<Held = unknown> extends Peer<Held> {
  acquireShared(id: string): Promise<Held>;
}

export const openHoldfastSharing: OpenPeer = async (url) => new Sharing((await openHoldfast(url)).store);

class Sharing extends HoldfastPeer implements SharingPeer<Library.Grant> {
  acquireShared(id: string): Promise<Library.Grant> {
    return this.store.lock(id).acquire({ shared: true });
  }
}

/** Readers exclude each other. */
export const openHoldfastExclusive: OpenPeer = async (url) => new Exclusive((await openHoldfast(url)).store);

class Exclusive extends HoldfastPeer implements SharingPeer<Library.Grant> {
  acquireShared(id: string): Promise<Library.Grant> {
    return this.acquire(id);
  }
}

/** KEYS: the lock; ARGV: lease. The lock is `writer`, or the number of readers. */
const scripts = {
  read: `if redis.call("GET", KEYS[1]) == "writer" then return 0 end
    redis.call("INCR", KEYS[1]) redis.call("PEXPIRE", KEYS[1], ARGV[1]) return 1`,
  write: `return redis.call("SET", KEYS[1], "writer", "NX", "PX", ARGV[1]) and 1 or 0`,
  leave: `if redis.call("GET", KEYS[1]) == "writer" then return redis.call("DEL", KEYS[1]) end
    if redis.call("DECR", KEYS[1]) <= 0 then redis.call("DEL", KEYS[1]) end return 1`,
} as const;

export const openSharingFloor: OpenPeer = async (url) => {
  const client = await ioredis(url);
  for (const script of Object.values(scripts)) await client.script("LOAD", script);
  return new SharingFloor(client);
};

class SharingFloor extends ByHand<string> implements SharingPeer<string> {
  readonly #client: IoRedis;

  constructor(client: IoRedis) {
    super(client);
    this.#client = client;
  }

  acquire(id: string): Promise<string> {
    return this.#take("write", `lock:${id}`);
  }

  acquireShared(id: string): Promise<string> {
    return this.#take("read", `lock:${id}`);
  }

  release(key: string): Promise<unknown> {
    return this.#run("leave", key);
  }

  async #take(how: "read" | "write", key: string): Promise<string> {
    for (const until = performance.now() + waitMs; performance.now() < until;) {
      if ((await this.#run(how, key)) === 1) return key;
      await sleep(1);
    }
    throw new Error(`the lock was held by others for ${waitMs} ms`);
  }

  #run(how: keyof typeof scripts, key: string): Promise<unknown> {
    return this.#client.evalsha(shas[how], 1, key, String(leaseMs));
  }
}

const shaOf = (script: string): string => createHash("sha1").update(script).digest("hex");
const shas = { read: shaOf(scripts.read), write: shaOf(scripts.write), leave: shaOf(scripts.leave) };
