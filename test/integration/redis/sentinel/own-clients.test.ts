// Sentinels, through a client of the user's that asks them where the primary is: a store on it goes on when the primary is
// killed, and when another server takes over in good order.

import { createSentinel as createSentinel6 } from "@redis/client";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis-6";
import { createSentinel as createSentinel5 } from "redis-client-5";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { appUser } from "../../../support/acl.ts";
import { primaryName, startSentinels, type SentinelGroup } from "../../../support/faults/index.ts";
import { poll } from "../../../support/poll.ts";
import { wakes } from "../../../support/wakes.ts";
import type { RedisServer } from "../../../support/redis-server.ts";

vi.setConfig({ testTimeout: 90_000 });

let group: SentinelGroup;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  group = await startSentinels();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await group.stop();
});

type Target = NonNullable<Parameters<typeof open>[0]>;

const sentinels = (): { host: string; port: number }[] =>
  group.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));

const app = { username: appUser.name, password: appUser.password };

function ofIoredis(Redis: typeof Redis5): Target {
  const client = new Redis({ sentinels: sentinels(), name: primaryName, ...app, disableClientInfo: true });
  client.on("error", () => {});
  ends.push(() => client.disconnect());
  return client;
}

async function official(create: typeof createSentinel6): Promise<Target> {
  const client = create({
    name: primaryName,
    sentinelRootNodes: sentinels(),
    nodeClientOptions: app,
  });
  client.on("error", () => {});
  ends.push(() => client.destroy());
  await client.connect();
  return client;
}

const kinds: Record<string, () => Promise<Target>> = {
  "createSentinel() of @redis/client 6": () => official(createSentinel6),
  "createSentinel() of @redis/client 5": () => official(createSentinel5 as unknown as typeof createSentinel6),
  "ioredis 5": async () => ofIoredis(Redis5),
  "ioredis 6": async () => ofIoredis(Redis6 as unknown as typeof Redis5),
};

async function use(make: () => Promise<Target>): Promise<Store> {
  const store = open(await make(), { operationMs: 20_000, leaseMs: 30_000 });
  ends.push(() => store.close({ drainMs: 0 }));
  return store;
}

describe.each(Object.entries(kinds))("%s", (_, make) => {
  test("[S3] [L8] the primary is killed: calls go on with the replica that took over, and waiters are woken there", async () => {
    const [a, b] = [await use(make), await use(make)];
    const count = a.state<number>("count", { initial: () => 0 });
    await count.update((n) => n + 1);
    const before = await group.primary();
    await poll(async () => replicated(before)).toBe(true);
    const killed = group.killPrimary();
    expect(await count.update((n) => n + 1)).toBe(2);
    await killed;
    await wakes(a, b);
  });
});

/** It takes long, so that the older majors are left out. */
const newest = Object.entries(kinds).filter(([name]) => name.endsWith("6"));

describe.each(newest)("%s", (_, make) => {
  test("[S3] [L8] another server takes over in good order: calls go on with it, and waiters are woken there", async () => {
    const [a, b] = [await use(make), await use(make)];
    const count = a.state<number>("count", { initial: () => 0 });
    await count.update((n) => n + 1);
    const before = await group.primary();
    await poll(async () => replicated(before)).toBe(true);
    await group.failOver();
    await demoted(before);
    expect(await count.update((n) => n + 1)).toBe(2);
    expect(await (await group.primary()).command("GET", "holdfast:state:{count}")).toMatch(/\n2$/);
    await wakes(a, b);
  });
});

/** Sentinels look at a server every ten seconds; until then the old primary does not know that it is one no more. */
async function demoted(server: RedisServer): Promise<void> {
  const role = async (): Promise<string> => String(await server.command("ROLE"));
  await expect.poll(role, { timeout: 45_000, interval: 50 }).toMatch(/^slave/);
}

/** Its replicas have what it has. */
async function replicated(primary: RedisServer): Promise<boolean> {
  const info = String(await primary.command("INFO", "replication"));
  const [, offset] = /master_repl_offset:(\d+)/.exec(info) ?? [];
  return offset !== undefined && info.split(`offset=${offset},`).length === 3;
}
