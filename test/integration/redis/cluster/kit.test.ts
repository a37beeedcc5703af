// The cluster of the fault kit does what its methods say.

import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { RespConnection } from "../../../../src/backends/redis/client/resp-connection.ts";
import { open } from "../../../../src/index.ts";
import { startCluster, startProxy, type Cluster, type Proxy } from "../../../support/faults/index.ts";
import type { RedisServer } from "../../../support/redis-server.ts";

vi.setConfig({ testTimeout: 60_000 });

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

const key = "{holdfast}:x";
const valueAt = (node: RedisServer): Promise<unknown> => node.command("GET", key);

test("a slot moves at once or key by key, with its keys and their times to live", async () => {
  const first = await cluster.owner(key);
  const [replica] = await cluster.replicas(key);
  await first.command("SET", key, "kept", "PX", "600000");
  for (let n = 0; n < 30; n += 1) await first.command("SET", `${key}${String(n)}`, "kept");
  await cluster.moveAtOnce(key);
  const second = await cluster.owner(key);
  expect(second).not.toBe(first);
  await expect(valueAt(first)).rejects.toThrow(/^MOVED/);
  expect(await valueAt(second)).toBe("kept");
  expect(Number(await second.command("PTTL", key))).toBeGreaterThan(0);
  expect(await first.keys()).toEqual([]);
  expect(await replica?.keys()).toEqual([]);
  expect(await second.keys()).toHaveLength(31);
  await cluster.moveKeyByKey(key);
  const third = await cluster.owner(key);
  expect(third).not.toBe(second);
  expect(await valueAt(third)).toBe("kept");
  expect(await third.keys()).toHaveLength(31);
});

test("an owner changes places with its replica, is killed, hangs; and comes back as a replica", async () => {
  const owner = await cluster.owner(key);
  await owner.command("SET", key, "kept");
  await cluster.failOver(key);
  expect(await cluster.owner(key)).not.toBe(owner);
  expect(await cluster.replicas(key)).toContain(owner);
  const killed = await cluster.killOwner(key);
  expect(await valueAt(await cluster.owner(key))).toBe("kept");
  await cluster.revive(killed);
  const paused = await cluster.pauseOwner(key);
  expect(await valueAt(await cluster.owner(key))).toBe("kept");
  await cluster.revive(paused);
  expect(await cluster.replicas(key)).toContain(paused);
});

test("proxies before the nodes: replies name them, so that a store stays behind them", async () => {
  const proxies = new Map<number, Proxy>();
  for (const node of cluster.nodes) proxies.set(node.port, await startProxy(node));
  const before = (port: number): number => proxies.get(port)?.port ?? port;
  for (const proxy of proxies.values()) proxy.before = before;
  const store = open(cluster.urlOf(...proxies.values()), { operationMs: 15_000 });
  const owner = await cluster.owner(key);
  const other = cluster.nodes.find((node) => node !== owner);
  const server = { host: "127.0.0.1", port: before(other?.port ?? 0), tls: false };
  const connection = new RespConnection({ server, username: undefined, password: undefined });
  try {
    await (await store.lock("x").acquire()).release(); // asks CLUSTER SLOTS first
    expect(proxies.get(owner.port)?.seen.map(({ name }) => name)).toContain("acquire");
    await connection.connect();
    const moved = new RegExp(`^MOVED \\d+ 127\\.0\\.0\\.1:${String(before(owner.port))}$`);
    await expect(connection.sendCommand(["GET", key])).rejects.toThrow(moved);
  } finally {
    connection.destroy();
    await store.close({ drainMs: 0 });
    for (const proxy of proxies.values()) await proxy.close();
  }
});
