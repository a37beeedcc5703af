/**
 * The floor: what Redis's documentation shows, bare. SET NX PX to lock, compare-and-delete by EVALSHA to unlock, on ioredis
 * with auto-pipelining and on @redis/client. Nothing is renewed, fenced, queued or retried after an error.
 *
 * Where others hold the lock it asks again each millisecond, since something must be done.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ioredis, nodeRedis, type OwnClient } from "./clients.ts";
import { ByHand, leaseMs, waitMs, type Bare, type OpenPeer, type Strings } from "./peer.ts";

const script = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`;
const sha = createHash("sha1").update(script).digest("hex");

interface Held {
  readonly key: string;
  readonly token: string;
}

interface Commands {
  /** "OK", or null. */
  take(held: Held): Promise<unknown>;
  /** 1, or 0. */
  drop(held: Held): Promise<unknown>;
}

export const openIoredisFloor: OpenPeer = async (url) => {
  const client = await ioredis(url);
  await client.script("LOAD", script);
  return new Floor(client, {
    take: ({ key, token }) => client.set(key, token, "PX", leaseMs, "NX"),
    drop: ({ key, token }) => client.evalsha(sha, 1, key, token),
  });
};

export const openNodeRedisFloor: OpenPeer = async (url) => {
  const { client, strings } = await nodeRedis(url, "@redis/client");
  await client.sendCommand(["SCRIPT", "LOAD", script]);
  return new Floor(strings, bareNodeRedis(client));
};

function bareNodeRedis(client: OwnClient): Commands {
  const lease = String(leaseMs);
  return {
    take: ({ key, token }) => client.sendCommand(["SET", key, token, "NX", "PX", lease]),
    drop: ({ key, token }) => client.sendCommand(["EVALSHA", sha, "1", key, token]),
  };
}

class Floor extends ByHand<Held> implements Bare {
  readonly #commands: Commands;
  readonly #name = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  #tokens = 0;

  constructor(strings: Strings, commands: Commands) {
    super(strings);
    this.#commands = commands;
  }

  async acquire(id: string): Promise<Held> {
    const held = { key: `lock:${id}`, token: `${this.#name}-${this.#tokens++}` };
    if ((await this.#commands.take(held)) !== null) return held;
    for (const until = performance.now() + waitMs; performance.now() < until;) {
      await sleep(1);
      if ((await this.#commands.take(held)) !== null) return held;
    }
    throw new Error(`the lock was held by others for ${waitMs} ms`);
  }

  async release(held: Held): Promise<void> {
    if ((await this.#commands.drop(held)) !== 1) throw new Error("the lock was lost before its release");
  }

  ping(): Promise<unknown> {
    return this.strings.ping();
  }

  get(id: string): Promise<string | null> {
    return this.strings.get(`value:${id}`);
  }
}
