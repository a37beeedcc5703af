// The server's wall clock jumps by an hour while several tickets hold a lock, or permits of a semaphore. Ahead, all leases
// are over. Back, live holders go on, the dead last longer (as an exclusive holder does on Redis), nobody else gets in, and
// fences rise.
//
// Seen failing with the defence taken out: lib/stamp.lua without the last stamp: "back". "Ahead" is defended twice, by the
// expiry of the lock's key and by the leases in the hash.

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { createRedisBackend } from "../../../src/backends/redis/backend.ts";
import { ContractClient } from "../../../src/testing/contract-client.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { FakeClock, hourMs } from "../../support/faults/index.ts";

vi.setConfig({ testTimeout: 30_000 });

let clock: FakeClock;
let server: RedisServer;
const clients: ContractClient[] = [];
beforeAll(async () => {
  clock = await FakeClock.make();
  server = await startRedis({ env: clock.env, prefixes: ["t:"] });
});
afterEach(async () => {
  clock.jumpTo(0);
  await Promise.all(clients.splice(0).map(({ backend }) => backend.close()));
});
afterAll(async () => {
  await server.stop();
  clock.end();
});

function connect(): ContractClient {
  const client = new ContractClient(
    createRedisBackend({ target: server.url, prefix: "t:", operationMs: 10_000 }),
  );
  clients.push(client);
  return client;
}

const shares = {
  "readers [L12]": { kind: "shared" },
  "permits [L13]": { kind: "permits", weight: 1, limit: 3 },
} as const;

test.each(Object.entries(shares))("[L3] [L10] ahead: the leases of all %s are over", async (id, share) => {
  const [a, b, c] = [connect(), connect(), connect()];
  const [one, two, next] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
  const fences = [await one.granted({ share }), await two.granted({ share })];
  clock.jumpTo(hourMs);
  expect(await one.renew()).toBe("lost");
  expect(await c.backend.inspectLock(id)).toBeNull();
  const whole = share.kind === "permits" ? { share: { ...share, weight: 3 } } : {};
  expect(await next.granted(whole)).toBeGreaterThan(Math.max(...fences));
  expect((await two.release()).status).toBe("lost");
  await next.released();
});

test.each(Object.entries(shares))("[L3] back: live %s go on, and nobody else gets in", async (id, share) => {
  clock.jumpTo(0);
  const [a, b, c] = [connect(), connect(), connect()];
  const [one, two, three, whole] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id), c.ticketFor(id)];
  const fences = [await one.granted({ share }), await two.granted({ share })];
  clock.jumpTo(-hourMs);
  expect(await one.renew()).toBe("renewed");
  const third = await three.granted({ share });
  expect(third).toBeGreaterThan(Math.max(...fences));
  const all = share.kind === "permits" ? { share: { ...share, weight: 3 } } : {};
  await whole.queued(all);
  expect(await three.renew()).toBe("renewed");
  await one.released();
  await three.released();
  expect((await whole.ask(all)).status).toBe("waiting"); // behind the one that may be dead
  await two.released();
  expect(await whole.granted(all)).toBeGreaterThan(third);
  await whole.released();
});
