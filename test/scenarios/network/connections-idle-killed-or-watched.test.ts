// The server closes idle connections (`timeout`), a tool kills them by type, and a monitoring tool
// subscribes to everything. Nobody notices; the dead are passed over as fast as ever.
//
// Seen failing with the defence taken out:
//   hand-over.lua taking the answer of PUBLISH for the number of those who listen: "watches everything".

import { createClient } from "@redis/client";
import { afterEach, expect, test, vi } from "vitest";

import { diagnostics } from "../../../src/diagnostics/events.ts";
import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import type { RedisOptions } from "../../support/redis-server.ts";
import { isOnCluster, prefix, startServer, wakesBy, type TestServer } from "../../support/setting.ts";
import { killAll, Worker } from "../../support/workers.ts";
import { waiters } from "../support/locks.ts";

vi.setConfig({ testTimeout: 60_000 });

const long = { leaseMs: 120_000, waitMs: 60_000 };

let server: TestServer;
const stores: Store[] = [];
const warned: unknown[] = [];
const onWarning = (event: unknown): number => warned.push(event);

async function start(options: RedisOptions = {}): Promise<void> {
  server = await startServer(options);
  warned.length = 0;
  diagnostics.warning.subscribe(onWarning);
}
afterEach(async () => {
  diagnostics.warning.unsubscribe(onWarning);
  await killAll();
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await server.stop();
});
const connect = (): Store => {
  const store = open(server.url);
  stores.push(store);
  return store;
};

/** The ids of the connections for commands that the server has of ours. */
async function commandConnections(): Promise<string[]> {
  const lines = String(await server.command("CLIENT", "LIST")).split("\n");
  const ours = lines.filter((line) => line.includes("name=holdfast ") && line.includes(" sub=0 "));
  return ours.map((line) => /id=(\d+)/.exec(line)?.[1] ?? "");
}

test("[L8] [L9] a dead waiter is passed over at once, though a tool watches everything", async () => {
  await start();
  const monitor = createClient({ url: server.adminUrl, disableClientInfo: true });
  monitor.on("error", () => {});
  await monitor.connect();
  const seen: string[] = [];
  await monitor.pSubscribe("*", (message) => seen.push(message));
  const holder = connect();
  const held = await holder.lock("x").acquire(long);
  const [next, behind] = [new Worker(server.url), new Worker(server.url)];
  next.order("acquire", { id: "x", as: "next", how: long }).catch(() => undefined); // it is killed
  const wishes = async (): Promise<unknown> => String(await server.command("HVALS", `${prefix}asks:{x}`));
  await poll(wishes).toMatch(/ qp /);
  const entered = behind.order("acquire", { id: "x", as: "behind", how: long });
  await poll(wishes).toMatch(/ qp .* qp /);
  await next.kill();
  const channels = async (): Promise<number> =>
    ((await server.command("PUBSUB", wakesBy.channels)) as string[]).length;
  await poll(channels).toBe(2);
  expect(await held.release()).toBe(true);
  // In the same step: whatever the machine does, it stands there when the release is answered.
  expect(await holder.lock("x").inspect()).toMatchObject({ holder: { pid: behind.pid } });
  await entered;
  expect(seen.filter((message) => message.startsWith("granted"))).toHaveLength(isOnCluster ? 0 : 1); // patterns do not match sharded channels
  monitor.destroy();
});

test.each(["timeout 1", "CLIENT KILL TYPE normal"])(
  "[L1] [L5] [L8] [S3] idle connections are closed (%s), and nobody notices",
  async (how) => {
    await start(how === "timeout 1" ? { more: ["--timeout", "1"] } : {});
    const [holder, waiter, idle] = [connect(), connect(), connect()];
    await Promise.all([holder, waiter, idle].map((store) => store.ready()));
    const count = idle.state("count", { initial: () => 0 });
    for (let round = 1; round <= 3; round += 1) {
      const held = await holder.lock("x").acquire({ leaseMs: 30_000 });
      const waiting = waiter.lock("x").acquire(long);
      await poll(() => waiters(holder, "x")).toBe(1);
      const before = await commandConnections();
      if (how !== "timeout 1") await server.command("CLIENT", "KILL", "TYPE", "normal");
      await poll(async () => (await commandConnections()).filter((id) => before.includes(id))).toEqual([]);
      expect(await count.update((n) => n + 1)).toBe(round);
      expect(await held.release()).toBe(true);
      expect(await (await waiting).release()).toBe(true);
    }
    expect(await holder.lock("x").inspect()).toBeNull();
    expect(warned).toEqual([]);
  },
);
