// The cluster of the fault kit does what its methods say.

import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { startCluster, type Cluster } from "../../../support/faults/index.ts";
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
