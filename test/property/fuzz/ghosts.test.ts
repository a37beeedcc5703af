// A waiter that never was, put into a queue by a neighbour, with an ask that none of ours could have: it must not spoil
// the release that meets it. Found by reading, after the fuzz targets had made us look.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

let server: RedisServer;
let store: Store;
beforeAll(async () => {
  server = await startRedis({ prefixes: ["t:"] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command("FLUSHALL");
  store = open(server.url, { prefix: "t:" });
  return () => store.close();
});

const asks = [
  "0 q 1",
  "99999999999999999999 q 1",
  "1000 q 0",
  "1000 q 99999999999999999999",
  "1000 qp 9007199254740991",
];

test.each(asks)("[S5] [L6] a release that meets a ghost that asks for %s", async (ask) => {
  const grant = await store.lock("x").acquire();
  await ghost(ask);
  expect(await grant.release()).toBe(true);
  await expect(store.lock("x").run(({ fence }) => fence)).resolves.toBeGreaterThan(grant.fence);
});

test.each(asks)("[S3] [S5] an update that meets a ghost that asks for %s", async (ask) => {
  const state = store.state("x", { initial: () => 0 });
  const after = await state.update(async (n) => {
    await ghost(ask);
    return n + 1;
  });
  expect(after).toBe(1);
  expect(await state.load()).toBe(1);
});

async function ghost(ask: string): Promise<void> {
  const now = `${String(Date.now())}000`;
  await server.command("ZADD", "t:queue:{x}", "1", "h:1:abc:1");
  await server.command("HSET", "t:asks:{x}", "h:1:abc:1", `${now} ${ask} ${now}`);
}
