// A cluster without sharded channels, as before Redis 7: the commands for them are unknown to its nodes, and the user may not
// count their subscribers. Wakes go through plain channels of the owner of the slot. A plain message reaches subscribers at all
// nodes, so that only those at the owner are counted: others are not known to be there when it decides [L9].
//
// Seen failing: socket.ts without the plain channel → all; hand-over.lua without PUBLISH on a cluster → the first;
// wake-subscription.ts not asking who is counted, neither in its test nor in replies to asks (either is enough) → the last.

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { documentedClusterRights } from "../../../support/acl.ts";
import { startClusterProxy, type ClusterProxy } from "../../../support/faults/cluster-server.ts";
import { startCluster, type Cluster } from "../../../support/faults/index.ts";
import { poll } from "../../../support/poll.ts";
import type { RedisServer } from "../../../support/redis-server.ts";
import { seenByHints, wakes } from "../../../support/wakes.ts";

vi.setConfig({ testTimeout: 60_000 });

const ofRedis7 = ["SSUBSCRIBE", "SPUBLISH"];
let cluster: Cluster;
let proxy: ClusterProxy | undefined;
const stores: Store[] = [];
const connect = (url = cluster.url): Store => {
  const store = open(url, { operationMs: 15_000, waitMs: 30_000, leaseMs: 30_000 });
  stores.push(store);
  return store;
};
beforeAll(async () => {
  cluster = await startCluster({
    nodeTimeoutMs: 30_000, // no node fails here, however busy the machine is
    more: ofRedis7.flatMap((command) => ["--rename-command", command, ""]),
    rights: documentedClusterRights().filter((right) => right.startsWith("+cluster")),
  });
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await proxy?.close();
  proxy = undefined;
});
afterAll(() => cluster.stop());

const channelsAt = async (node: RedisServer): Promise<string[]> =>
  (await node.command("PUBSUB", "CHANNELS")) as string[];
/** What each waiter wants: `q`, and `p` if it relies on wakes. */
const asks = async (id: string): Promise<string> =>
  String(await (await cluster.owner()).command("HVALS", `{holdfast}:asks:{${id}}`));
const waiters = async (store: Store, id: string): Promise<number | undefined> =>
  (await store.lock(id).inspect())?.waiters;

test("[L8] [L9] waiters rely on plain channels at the owner of the slot, and are woken at once", async () => {
  const [a, b] = [connect(), connect()];
  await wakes(a, b);
  const owner = await cluster.owner();
  const channels = await channelsAt(owner);
  expect(channels).toHaveLength(2);
  for (const channel of channels) expect(channel).toMatch(/^\{holdfast\}:wake:/);
  for (const node of cluster.nodes) if (node !== owner) expect(await channelsAt(node)).toEqual([]);

  const grant = await a.lock("relied").acquire();
  const waiting = b.lock("relied").acquire();
  await poll(() => asks("relied")).toMatch(/ qp /);
  const published = (await owner.calls())["publish"] ?? 0;
  const from = performance.now();
  expect(await grant.release()).toBe(true);
  const theirs = await waiting;
  expect(performance.now() - from).toBeLessThan(2_000); // it would ask again after 5 s
  expect(theirs.fence).toBeGreaterThan(grant.fence);
  expect((await owner.calls())["publish"]).toBe(published + 1);
  expect(await theirs.release()).toBe(true);
});

test("[L8] when the slot moves, so do the subscriptions", async () => {
  const [a, b] = [connect(), connect()];
  await wakes(a, b);
  const old = await cluster.owner();
  await cluster.moveAtOnce();
  await wakes(a, b);
  await poll(async () => channelsAt(await cluster.owner())).toHaveLength(2);
  await poll(() => channelsAt(old)).toEqual([]);
});

test("[E1] a leader is watched over plain channels, also when the slot moves", async () => {
  const [a, b] = [connect(), connect()];
  await seenByHints(a, b, async () => {
    await wakes(a, b);
    await cluster.moveAtOnce();
    await wakes(a, b);
  });
});

test("[L9] [L8] [L1] a subscription at another node hears every message, but is not counted: its client polls", async () => {
  proxy = await startClusterProxy({ cluster });
  const owner = await cluster.owner();
  const [other] = cluster.nodes.filter((node) => node !== owner) as [RedisServer];
  proxy.subscribersTo = other;
  const [a, b] = [connect(), connect(proxy.url)];
  const grant = await a.lock("elsewhere").acquire();
  const waiting = b.lock("elsewhere").acquire();
  waiting.catch(() => undefined); // awaited below
  await poll(() => waiters(a, "elsewhere")).toBe(1);
  await poll(() => channelsAt(other)).toHaveLength(1);
  const tests = (): number => proxy?.seen.filter(({ name }) => name === "PUBLISH").length ?? 0;
  await poll(tests).toBeGreaterThanOrEqual(3); // it has looked again and again, and been heard each time
  expect(await asks("elsewhere")).toMatch(/ q /);
  const from = performance.now();
  expect(await grant.release()).toBe(true);
  const theirs = await waiting;
  expect(performance.now() - from).toBeLessThan(2_000);
  expect(theirs.fence).toBeGreaterThan(grant.fence);
  expect(await theirs.release()).toBe(true);
});
