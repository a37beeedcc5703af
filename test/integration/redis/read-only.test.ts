// A store on a replica: what only reads is served, for one command each; the primary is found as soon as it is needed.
//
// Seen failing: startup-checks.ts remembers nothing → each load sends the whole probe, and twice a second a new connection is made.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { startLink, type Link } from "../../support/faults/link.ts";
import { poll } from "../../support/poll.ts";
import { startProxy, type Proxy } from "../../support/proxy.ts";
import { type RedisServer } from "../../support/redis-server.ts";
import { failure, ownServers } from "./clients.ts";

vi.setConfig({ testTimeout: 60_000 });

const start = ownServers();
const observedMs = 4_000;
let primary: RedisServer;
let link: Link;
let proxy: Proxy;
let store: Store;
beforeEach(async () => {
  primary = await start({ more: ["--repl-diskless-sync-delay", "0"] });
  const replica = await start({ replicaOf: primary });
  await poll(async () => String(await replica.command("INFO", "replication"))).toContain("link_status:up");
  const writer = open(primary.url, { prefix: "t:" });
  await writer.state("x").save(1);
  await writer.close();
  await poll(() => replica.command("EXISTS", "t:state:{x}")).toBe(1);
  link = await startLink(replica);
  proxy = await startProxy({ port: link.port, credentials: replica.credentials });
  store = open(proxy.url, { prefix: "t:" });
});
afterEach(async () => {
  await store.close({ drainMs: 0 });
  await proxy.close();
  await link.close();
});

/** Loads again and again for a while; answers how often, and how long it took. */
async function loads(): Promise<{ count: number; tookMs: number }> {
  const begun = performance.now();
  for (let count = 1; ; count += 1) {
    expect(await store.state("x").load()).toBe(1);
    const tookMs = performance.now() - begun;
    if (tookMs > observedMs) return { count, tookMs };
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const seen = (name: string): number => proxy.seen.filter((command) => command.name === name).length;

test("[L8] loads from a replica cost one command each, and hardly a new connection", async () => {
  const { count, tookMs } = await loads();
  expect(seen("GET") + seen("load")).toBeLessThanOrEqual(count + seen("SET")); // each probe has one GET
  expect(seen("HELLO")).toBeLessThanOrEqual(4); // at first, and after 1, 3 and 7 s
  expect(seen("SET")).toBeLessThanOrEqual(seen("HELLO") + tookMs / 1_000 + 1); // probes
});

test.each(["save()", "ready()"])(
  "[S5] however long it has only read: %s finds the primary where the address leads by now",
  async (what) => {
    await loads();
    if (what === "save()") {
      expect(await failure(store.state("x").save(2))).toMatchObject({ code: "READ_ONLY", outcome: "none" });
    }
    link.repoint(primary, "stay");
    if (what === "save()") await store.state("x").save(2);
    else await store.ready();
    expect(await primary.command("GET", "t:state:{x}")).toMatch(what === "save()" ? /\n2$/ : /\n1$/);
    await poll(async () => {
      await store.state("x").load(); // the first use is made up for at one of the next operations
      return primary.command("PUBSUB", "CHANNELS");
    }).toHaveLength(1);
  },
);
