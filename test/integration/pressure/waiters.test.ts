// Ten thousand callers in eight processes wait, for one lock or for many: each gets its turn, the server is asked a bounded number of
// times, and nothing is left.

import { afterAll, beforeAll, expect, test } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { expectNothingLeft, live } from "./lives.ts";
import { sizes, timeout } from "./sizes.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

test.each([
  // A turn serves 16 of a process and costs a release, at worst an ask before and one after it; the rest is patience.
  { locks: 1, atMost: (sizes.waiters / 16) * 4 + 1_000 },
  // Each waiter is a ticket of its own: it asks, and releases.
  { locks: 1_250, atMost: sizes.waiters * 3 },
])(
  `[L1] [L2] [L7] [L8] ${String(sizes.waiters)} waiters in ${String(sizes.waitingProcesses)} processes for $locks lock(s)`,
  { timeout },
  async ({ locks, atMost }) => {
    await using store = open(server.url, { leaseMs: 60_000 });
    const ids = Array.from({ length: locks }, (_, n) => `wanted:${String(n)}`);
    const grants = await Promise.all(ids.map((id) => store.lock(id).acquire()));
    const count = sizes.waiters / sizes.waitingProcesses;
    const options = { url: server.url, count, lanes: locks, open: { operationMs: 60_000 } };
    const lives = Promise.all(Array.from({ length: sizes.waitingProcesses }, () => live("waiters", options)));
    lives.catch(() => {}); // looked at below
    await expect
      .poll(() => waiting(store), { timeout: 60_000, interval: 50 })
      .toBe(sizes.waitingProcesses * locks);
    const looked = await scripts();
    const from = performance.now();
    await Promise.all(grants.map((grant) => grant.release()));
    const reports = await lives;
    const ms = performance.now() - from;
    console.log(
      `served in ${ms.toFixed(0)} ms, ends included; ${String((await scripts()) - looked)} scripts`,
    );
    for (const { figures } of reports) expect(figures["served"]).toBe(count);
    expect((await scripts()) - looked).toBeLessThan(atMost);
    await expectNothingLeft(server);
  },
);

/** How many tickets stand in queues. */
async function waiting(store: Store): Promise<number> {
  let waiters = 0;
  for await (const lock of store.locks({ idPrefix: "wanted:" })) waiters += lock.waiters;
  return waiters;
}

async function scripts(): Promise<number> {
  return (await server.calls())["evalsha"] ?? 0;
}
