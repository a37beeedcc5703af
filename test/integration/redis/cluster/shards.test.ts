// A store of several shards on a cluster: each has a hash tag of its own, and so a slot, which may be on another node.

import { expect, test, vi } from "vitest";

import { slotOf } from "../../../../src/backends/redis/client/locate/key-slot.ts";
import { open } from "../../../../src/index.ts";
import { startCluster } from "../../../support/faults/index.ts";

vi.setConfig({ testTimeout: 60_000 });

test("three shards are in three slots, on more than one node, and make one store", async () => {
  const prefixes = [1, 2, 3].map((n) => `{holdfast:${String(n)}}:`);
  const cluster = await startCluster({ prefixes });
  const store = open(cluster.url, { shards: 3, operationMs: 15_000 });
  try {
    const ids = Array.from({ length: 30 }, (_, n) => `s${String(n)}`);
    await Promise.all(ids.map((id) => store.state(id, { initial: () => 0 }).update((n) => n + 1)));
    const listed: string[] = [];
    for await (const { id } of store.states()) listed.push(id);
    expect(listed.sort()).toEqual(ids.sort());

    const used = new Set<unknown>();
    for (const node of cluster.nodes) {
      const isReplica = String(await node.command("INFO", "replication")).includes("role:slave");
      if (!isReplica && (await node.keys()).some((key) => key.includes("state:{s"))) used.add(node);
    }
    expect(used.size).toBeGreaterThan(1);
    expect(new Set(prefixes.map(slotOf)).size).toBe(3);
    const grant = await store.lock("s1").acquire();
    expect(await grant.release()).toBe(true);
  } finally {
    await store.close({ drainMs: 0 });
    await cluster.stop();
  }
});

test("with shards, a prefix that has a hash tag is refused, since all would be in one slot", () => {
  expect(() => open("redis+cluster://a:1,b:1", { shards: 3, prefix: "{shop}:" })).toThrow(
    'With shards, prefix must have no hash tag, since each shard has one of its own: write "shop:" instead of "{shop}:".',
  );
});
