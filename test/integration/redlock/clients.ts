// A real server, and clients of each kind that programs with `redlock` have, or may have.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@redis/client";
import { Redis } from "ioredis";
import { Redis as Redis6 } from "ioredis-6";
import { createClient as createClient5 } from "redis-client-5";
import { Redlock, type ExecutionError, type GivenSettings, type RedlockClient } from "holdfast/redlock";

import { open, type Store } from "../../../src/index.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const connect = {
  "ioredis 5": (url: string): RedlockClient => new Redis(url),
  "ioredis 6": (url: string): RedlockClient => new Redis6(url),
  "@redis/client 5": (url: string): Promise<RedlockClient> =>
    official(createClient5 as unknown as typeof createClient, url),
  "@redis/client 6": (url: string): Promise<RedlockClient> => official(createClient, url),
} as const;

async function official(create: typeof createClient, url: string): Promise<RedlockClient> {
  const client = create({ url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

export type ClientKind = keyof typeof connect;
export const clientKinds = Object.keys(connect) as ClientKind[];

export class World {
  /** What an operator, and other code on the same server, would use. */
  store!: Store;
  server!: RedisServer;
  readonly kind: ClientKind;
  #clients: RedlockClient[] = [];

  constructor(kind: ClientKind) {
    this.kind = kind;
  }

  async start(): Promise<void> {
    this.server = await startRedis();
    this.store = open(this.server.url);
  }

  async stop(): Promise<void> {
    await this.store.close();
    await this.end();
    await this.server.stop();
  }

  /** Ends all clients. */
  async end(): Promise<void> {
    for (const client of this.#clients) {
      const { quit } = client as unknown as { quit: () => Promise<unknown> };
      await quit.call(client).catch(() => undefined); // a test may have ended it
    }
    this.#clients = [];
  }

  async client(): Promise<RedlockClient> {
    const client = await connect[this.kind](this.server.url);
    this.#clients.push(client);
    return client;
  }

  async redlock(settings?: GivenSettings): Promise<Redlock> {
    return new Redlock([await this.client()], settings);
  }

  /** The same, when wakes reach it: from then on, a lock that is taken away is noticed at once. */
  async hearing(settings?: GivenSettings): Promise<Redlock> {
    const redlock = await this.redlock(settings);
    for (let n = 0; ; n += 1) {
      const canary = `canary:${String(n)}`;
      const { signal } = await redlock.acquire([canary], 60_000);
      await this.store.lock(canary).forceRelease();
      await Promise.race([aborted(signal), sleep(500)]);
      if (signal.aborted) return redlock;
    }
  }

  /** Whether nobody has the lock. */
  async isFree(id: string): Promise<boolean> {
    return (await this.store.lock(id).inspect()) === null;
  }
}

interface Failure extends Error {
  readonly code?: string;
  readonly attempts?: ExecutionError["attempts"];
}

/** The error that a call must fail with. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const [end] = await Promise.allSettled([call]);
  if (end.status === "rejected") return end.reason as Failure;
  throw new Error(`it was fulfilled: ${String(end.value)}`);
}

/** Resolves when the signal has aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, "abort");
}
