// On a primary with Sentinels: clients of all kinds, among them one that has no quit(), and what happens to a lock when the
// primary is killed.
//
// Seen failing: src/redlock/redlock.ts whose quit() calls only the client's own quit(), which the client of @redis/client for
// Sentinels does not have.

import { createSentinel as createSentinel6 } from "@redis/client";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis-6";
import { createSentinel as createSentinel5 } from "redis-client-5";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Redlock, type RedlockClient } from "holdfast/redlock";

import { appUser } from "../../support/acl.ts";
import { primaryName, startSentinels, type SentinelGroup } from "../../support/faults/index.ts";
import { poll } from "../../support/poll.ts";
import { endOf, everyCallWorks, quitEndsIt } from "./every-call.ts";

vi.setConfig({ testTimeout: 90_000 });

let group: SentinelGroup;
const ends: (() => Promise<void>)[] = [];
beforeAll(async () => {
  group = await startSentinels();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => group.stop());

const app = { username: appUser.name, password: appUser.password };
const sentinels = (): { host: string; port: number }[] =>
  group.sentinels.map(({ port }) => ({ host: "127.0.0.1", port }));

function ofIoredis(Class: typeof Redis5): RedlockClient {
  const client = new Class({ sentinels: sentinels(), name: primaryName, ...app, disableClientInfo: true });
  client.on("error", () => {});
  ends.push(() => endOf(client));
  return client;
}

async function official(create: typeof createSentinel6): Promise<RedlockClient> {
  const client = create({ name: primaryName, sentinelRootNodes: sentinels(), nodeClientOptions: app });
  client.on("error", () => {});
  await client.connect();
  ends.push(() => endOf(client));
  return client;
}

const kinds: Record<string, () => RedlockClient | Promise<RedlockClient>> = {
  "createSentinel() of @redis/client 6": () => official(createSentinel6),
  "createSentinel() of @redis/client 5": () => official(createSentinel5 as unknown as typeof createSentinel6),
  "ioredis 5": () => ofIoredis(Redis5),
  "ioredis 6": () => ofIoredis(Redis6 as unknown as typeof Redis5),
};

describe.each(Object.entries(kinds))("%s", (_, make) => {
  test("every call works", async () => {
    await everyCallWorks(await make(), await make());
  });

  test("quit() releases the locks and ends the client", async () => {
    await quitEndsIt(await make(), await make());
  });
});

test("the primary is killed: a lock that the replicas have is kept, and extended where they took over", async () => {
  const [one, other] = [new Redlock([await official(createSentinel6)]), new Redlock([ofIoredis(Redis5)])];
  const rarely = { automaticExtensionThreshold: 56_000 }; // the replicas tell once a second how far they are
  await one.using(["kept:1"], 60_000, rarely, (signal1, context1) =>
    other.using(["kept:2"], 60_000, rarely, async (signal2, context2) => {
      await replicated();
      await group.killPrimary();
      const before = [context1.extensions, context2.extensions] as const;
      await poll(() => context1.extensions).toBeGreaterThan(before[0]);
      await poll(() => context2.extensions).toBeGreaterThan(before[1]);
      expect([signal1.aborted, signal2.aborted]).toEqual([false, false]);
    }),
  );
});

/** The replicas have what the primary has. */
async function replicated(): Promise<void> {
  const primary = await group.primary();
  await poll(async () => {
    const info = String(await primary.command("INFO", "replication"));
    const [, offset] = /master_repl_offset:(\d+)/.exec(info) ?? [];
    return info.split(`offset=${String(offset)},`).length === 3;
  }).toBe(true);
}
