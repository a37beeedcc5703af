// What RedisBackend can be opened on: URLs as redis-py takes them, and clients, which it never closes.

import { join } from "node:path";
import { createClient, createCluster } from "@redis/client";
import { RedisBackend, SqliteBackend, type RedisBackendOptions } from "holdfast/statefulpy";
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const invalid = (text: string | RegExp): unknown =>
  expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(text) as string });
const json = { serializer: "json" } as const;

let redis: RedisServer;
let socket: string;
beforeAll(async () => {
  redis = await startRedis({
    prefixes: ["statefulpy:"],
    rights: ["+select", "+dbsize"],
    more: ["--unixsocket", "redis.sock"],
  });
  socket = join(redis.folder, "redis.sock");
});
afterAll(() => redis.stop());

test("URLs name the same database as in redis-py", async () => {
  const at = `${redis.credentials}@127.0.0.1:${String(redis.port)}`;
  const urls = [
    `redis://${at}/3`,
    `redis://${at}?db=3`,
    `redis://${at}/?db=3`,
    `redis://${at}/3?db=3`,
    `unix://${redis.credentials}@${socket}?db=3`,
    `unix://${socket}?db=3`,
    `redis+unix://${socket}?db=3`,
  ];
  for (const [n, redisUrl] of urls.entries()) {
    const backend = new RedisBackend({ redisUrl, ...json });
    expect(await backend.loadState("last")).toEqual(n === 0 ? null : { n: n - 1 });
    await backend.saveState("last", { n });
    await backend.close();
  }
  expect(await redis.command("DBSIZE")).toBe(0);
});

test.each([
  ["redis://h/1?db=2", /one database in its path and another/],
  ["redis://h?socket_timeout=5", /only one db=number/],
  ["redis://:secret@h?db=x", /only one db=number/],
  ["unix:///s?db=1&x=2", /only one db=number/],
  ["unix://host/s", /a socket has no host/],
  ["http://h", /protocol/],
  ["redis://user@h", /needs a password/],
  ["redis+cluster://a:1,b:2", /does not work with a Redis Cluster/],
  ["", /Invalid Redis URL/],
])("%s is refused at once, without its password", (redisUrl, message) => {
  expect(() => new RedisBackend({ redisUrl, ...json })).toThrow(invalid(message));
  expect(() => new RedisBackend({ redisUrl, ...json })).not.toThrow(/secret/);
});

test("a client that is passed in is used, and stays open", async () => {
  const official = createClient({ url: redis.url });
  official.on("error", () => {}); // the server is stopped
  await official.connect();
  const io = new Redis(redis.url);
  for (const client of [official, io]) {
    const backend = new RedisBackend({ client, ...json });
    expect(await backend.healthcheck()).toBe(true);
    await backend.acquireLock("x");
    await backend.close();
    await expect(backend.loadState("x")).rejects.toMatchObject({ code: "CLOSED" });
  }
  expect(await official.sendCommand(["DBSIZE"])).toBe(0);
  expect(await io.dbsize()).toBe(0);
  official.destroy();
  io.disconnect();
});

test("clients that cannot serve are refused, with a remedy", () => {
  const lazy = { lazyConnect: true } as const;
  const wrong: [RedisBackendOptions, RegExp][] = [
    [{ client: createCluster({ rootNodes: [] }) as never }, /Redis Cluster/],
    [{ client: new Cluster([], lazy) as never }, /Redis Cluster/],
    [{ client: Promise.resolve() as never }, /^new RedisBackend\(\) got a promise/],
    [{ client: new Redis({ ...lazy, keyPrefix: "a:" }) }, /new RedisBackend\(\{ client, prefix \}\)/],
    [{ client: {} as never }, /must be a connected client/],
    [{ client: new Redis(lazy), redisUrl: "redis://h" }, /not both/],
    [{ prefix: "a\ud800" }, /lone surrogates/],
    [{ lockTimeout: 10 }, /^lockTimeout must be a whole number of milliseconds/],
    [{ serializer: "yaml" as never }, /"pickle", "json"/],
    [{ serializer: "pickle", allowNaN: true }, /only to serializer: "json"/],
    [{ redis_url: "x" } as never, /no option "redis_url"/],
  ];
  for (const [options, message] of wrong) expect(() => new RedisBackend(options)).toThrow(invalid(message));
  for (const dbPath of ["", ":memory:", "a\0b", 7 as never])
    expect(() => new SqliteBackend({ dbPath })).toThrow(invalid("path of a file"));
});

test("bad arguments are refused before anything is sent", async () => {
  const backend = new RedisBackend({ redisUrl: "redis://127.0.0.1:1" });
  const calls = [
    ...["", "x".repeat(513), "a\0b", "\ud800", 7 as never].map((id) => backend.loadState(id)),
    ...[-1, NaN, "1" as never, null as never].map((seconds) => backend.acquireLock("x", seconds)),
    backend.acquireLock("x", 1, { timeout: 1 } as never),
    backend.saveState("x", {}, { owner: 7 as never }),
    backend.saveState("x", undefined),
    backend.owner(7 as never),
    backend.list({ idPrefix: 7 as never }).next(),
  ];
  for (const call of calls) await expect(call).rejects.toEqual(invalid(""));
  await backend.close();
});

test("a prefix may be anything, and separates states and locks", async () => {
  const url = redis.adminUrl;
  const [one, two] = ["", "{a}[*]?\\:"].map((prefix) => new RedisBackend({ redisUrl: url, prefix, ...json }));
  await one?.saveState("id", { n: 1 });
  await two?.saveState("id", { n: 2 });
  await one?.acquireLock("id", 0);
  await two?.acquireLock("id", 0);
  expect(await redis.keys()).toEqual(["lock:id", "state:id", "{a}[*]?\\:lock:id", "{a}[*]?\\:state:id"]);
  for (const backend of [one, two]) {
    const ids: string[] = [];
    for await (const { id } of backend?.list() ?? []) ids.push(id);
    expect(ids).toEqual(["id"]);
    await backend?.close();
  }
});

test("a cluster is refused, even one of a single node, and whatever it may be asked", async () => {
  const cluster = await startRedis({ prefixes: ["statefulpy:"], more: ["--cluster-enabled", "yes"] });
  for (const redisUrl of [cluster.url, cluster.adminUrl]) {
    const backend = new RedisBackend({ redisUrl, ...json });
    await expect(backend.loadState("x")).rejects.toEqual(invalid("part of a Redis Cluster"));
    await expect(backend.acquireLock("x", 0)).rejects.toEqual(invalid("part of a Redis Cluster"));
    await backend.close();
  }
  await cluster.stop();
});
