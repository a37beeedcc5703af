// Two hundred clients wait for one lock, which is released again and again. They enter in the order in
// which they asked, and the server's own counters say that a release costs the same however many wait: one script, one
// wake to one waiter, and no herd. Each waiter besides asks every 5 s, which is not counted against the releases.
//
// Seen failing with the defence taken out:
//   queue.lua giving the lock to the last that came (tables.ts: the same): the order, on each backend;
//   hand-over.lua telling every waiter of each hand-over: the number of PUBLISH.

import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { isOnCluster, wakesBy, startServer, type TestServer } from "../../support/setting.ts";
import { served, type Served } from "../../support/served.ts";
import { waiters } from "../support/locks.ts";

vi.setConfig({ testTimeout: 60_000 });

let server: TestServer;
let file: Served;
const stores: Store[] = [];
const connect = (url: string): Store => {
  const store = open(url);
  stores.push(store);
  return store;
};
beforeAll(async () => {
  server = await startServer();
  file = await served.SQLite();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});
afterAll(async () => {
  await server.stop();
  await file.end();
});

/** So many clients, each of which enters in its turn and goes at once. Resolves with who entered, in order. */
async function lineUp(url: string, id: string, count: number) {
  const [holder, ...others] = Array.from({ length: count + 1 }, () => connect(url));
  const grant = await holder!.lock(id).acquire();
  await Promise.all(others.map((store) => store.ready()));
  const order: number[] = [];
  const fences: number[] = [];
  const entering: Promise<void>[] = [];
  for (const [n, store] of others.entries()) {
    const enter = store.lock(id).run(
      ({ fence }) => {
        order.push(n);
        fences.push(fence);
      },
      { waitMs: 60_000 },
    );
    entering.push(enter);
    while ((await waiters(holder!, id)) <= n) await new Promise(setImmediate); // it stands in the queue
  }
  return { holder: holder!, grant, order, fences, entering };
}

const inOrder = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("[L8] [L2] [L3] 200 waiters, one release at a time: first come, first served, and a bounded number of commands per release", async () => {
  const costs: number[] = [];
  for (const count of [20, 200]) {
    const id = `${String(count)} waiters`;
    const { holder, grant, order, fences, entering } = await lineUp(server.url, id, count);
    await server.command("CONFIG", "RESETSTAT");
    const from = performance.now();
    expect(await grant.release()).toBe(true);
    await Promise.all(entering);
    const asks = count * Math.ceil((performance.now() - from) / 5_000); // at most: each of them every 5 s
    const calls = await server.calls();
    expect(order).toEqual(inOrder(count));
    expect(fences).toEqual(fences.toSorted((a, b) => a - b));
    expect(await holder.lock(id).inspect()).toBeNull();

    const releases = count + 1;
    expect(calls[wakesBy.publish.toLowerCase()]).toBe(count); // one wake for each release but the last, which finds nobody
    const scripts = calls["evalsha"] ?? 0;
    expect(scripts).toBeGreaterThanOrEqual(releases);
    expect(scripts).toBeLessThanOrEqual(releases + asks + count + 5); // once more each when its subscription stands
    const others = /^(info|config|hello|client|auth)/; // the test's own, and connecting
    const all = Object.entries(calls).filter(([name]) => !others.test(name));
    costs.push(all.reduce((sum, [, n]) => sum + n, 0) / releases);
  }
  // Commands inside the scripts count, too: they do not become more when ten times as many wait.
  const [few = 0, many = 0] = costs;
  expect(many).toBeLessThan(40);
  expect(many).toBeLessThan(few * 2 + 10);
});

test.skipIf(isOnCluster)("[L2] [L3] many waiters on SQLite: first come, first served", async () => {
  const count = 40;
  const { holder, grant, order, fences, entering } = await lineUp(file.url, "many", count);
  expect(await grant.release()).toBe(true);
  await Promise.all(entering);
  expect(order).toEqual(inOrder(count));
  expect(fences).toEqual(fences.toSorted((a, b) => a - b));
  expect(await holder.lock("many").inspect()).toBeNull();
});
