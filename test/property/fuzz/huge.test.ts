// Too much of everything under our keys: calls settle in time, with an answer or with an error of ours, and what was put
// there as a state is left as it is. What generators cannot make by the thousand is made here, once each.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { open, type HoldfastError, type Store } from "../../../src/index.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

let server: RedisServer;
let store: Store;
beforeAll(async () => {
  server = await startRedis({ prefixes: ["t:"] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command("FLUSHALL");
  store = open(server.url, { prefix: "t:", maxStateBytes: 1_000_000 });
  return () => store.close();
});

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "answered",
    (error: unknown) => (error as HoldfastError).code,
  );

test("[S1] [S6] a state of 24 MiB, and one that nests 100 000 levels", { timeout: 60_000 }, async () => {
  const put = (key: string, body: string): Promise<unknown> =>
    server.command(
      "EVAL",
      `return redis.call('SET', KEYS[1], 'hf1 5 json\\n' .. ${body})`,
      "1",
      `t:state:{${key}}`,
    );
  await put("big", `'"' .. string.rep('x', 24 * 1024 * 1024) .. '"'`);
  await put("deep", "string.rep('[', 100000) .. string.rep(']', 100000)");
  for (const id of ["big", "deep"]) {
    const before = await server.command("STRLEN", `t:state:{${id}}`);
    const state = store.state<unknown>(id, { initial: () => null });
    expect(await codeOf(state.load())).toBe("CORRUPT_STATE");
    expect(await codeOf(state.read())).toBe("CORRUPT_STATE");
    expect(await codeOf(state.update(() => 1))).toBe("CORRUPT_STATE");
    expect(await server.command("STRLEN", `t:state:{${id}}`)).toBe(before);
    expect(await store.lock(id).inspect()).toBeNull();
  }
  const ids: string[] = [];
  for await (const entry of store.states()) ids.push(entry.id);
  expect(ids.sort()).toEqual(["big", "deep"]);
});

const fillQueue = `
  for n = 1, 50000 do
    redis.call('ZADD', KEYS[1], n, 'h:1:abc:' .. n)
    if ARGV[1] ~= '' then redis.call('HSET', KEYS[2], 'h:1:abc:' .. n, ARGV[1]) end
  end`;
const now = (): string => `${String(Date.now())}000`;

test.each([
  ["that never asked", ""],
  ["that asked long ago", "1 1000 qp 1 1"],
  ["whose asks are garbage", "x".repeat(200)],
  ["that ask for wakes that nobody hears", "now 1000 qp 1 1"],
])("[L9] [L10] 50 000 waiters %s", { timeout: 60_000 }, async (_, ask) => {
  const asked = ask.replace("now", now());
  await server.command("EVAL", fillQueue, "2", "t:queue:{x}", "t:asks:{x}", asked);
  const fence = await store.lock("x").run((grant) => grant.fence, { waitMs: 30_000 });
  expect(fence).toBeGreaterThan(0);
  await store.state("x").save("free again");
  expect(await store.state("x").load()).toBe("free again");
});

test("a listing of 20 000 keys that are not ours is empty, and ends", { timeout: 60_000 }, async () => {
  const fill =
    "for n = 1, 10000 do redis.call('SET', 't:state:{' .. n .. '}', 'x') redis.call('LPUSH', 't:lock:{' .. n .. '}', 'x') end";
  await server.command("EVAL", fill, "0");
  for await (const { id } of store.states()) throw new Error(`a state ${id}`);
  for await (const { id } of store.locks()) throw new Error(`a lock ${id}`);
});
