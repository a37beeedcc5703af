// Hints for those who watch a leader: the channels that they are sent on, and what happens when these are lost or denied.
//
// Seen failing with the defence taken out:
//   wake-subscription.ts without adding the channels to a new connection: "again after";
//   wake-subscription.ts without the wake "again" when it listens: "made while";
//   user-wakes.ts and own-client.ts that end the subscription when a channel is refused: "denied".

import { afterEach, expect, test } from "vitest";

import { open, type LeaderInfo, type Store } from "../../../../src/index.ts";
import { type RedisServer } from "../../../support/redis-server.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import { closeClients, failure, ownServers, TestClient } from "../clients.ts";

const operationMs = 3_000;
const never = 86_400_000;

const start = ownServers();
const stores: Store[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await closeClients();
});

function opened(url: string): Store {
  const store = open(url, { prefix: "t:", operationMs });
  stores.push(store);
  return store;
}

const hintChannels = async (server: RedisServer): Promise<string[]> =>
  (await server.command("PUBSUB", "CHANNELS", "t:changed:*")) as string[];

/** Watches a leader; each call returns the next value that it proclaims, `null` if there is none. */
function values(store: Store, intervalMs: number): () => Promise<unknown> {
  const changes = store.leader("x").watch({ intervalMs })[Symbol.asyncIterator]();
  return async () => {
    const { value } = (await changes.next()) as { value: LeaderInfo<unknown> | null };
    return value === null ? null : value.value;
  };
}

/** Leads until the returned function is called. */
function lead(store: Store, value: unknown): () => Promise<void> {
  const shutdown = new AbortController();
  const running = store
    .leader("x")
    .run((term) => new Promise<void>((resolve) => term.signal.addEventListener("abort", () => resolve())), {
      value,
      signal: shutdown.signal,
    })
    // What it proclaims may be seen before its function begins, and be ended then.
    .catch((error: unknown) => {
      if (error !== shutdown.signal.reason) throw error;
    });
  return () => {
    shutdown.abort();
    return running;
  };
}

test("[E1] [L8] a channel is listened on only once somebody watches, and there are few of them", async () => {
  const server = await start();
  const a = await new TestClient(server.url, { operationMs }).listening();
  await a.saved("x", save("1")); // seen by no client
  expect(await hintChannels(server)).toEqual([]);
  await a.backend.watch("x");
  await Promise.all([a.backend.watch("x"), a.saved("x", save("2"))]);
  expect(await a.wake("changed")).toEqual({ kind: "changed", id: "x" });
  expect(await hintChannels(server)).toHaveLength(1);
  for (let n = 0; n < 1_000; n += 1) await a.backend.watch(`leader ${String(n)}`);
  expect(await hintChannels(server)).toHaveLength(64);
});

test("[E1] again after a broken subscription: hints are pushed as before", async () => {
  const server = await start();
  const [a, b] = await Promise.all([1, 2].map(() => new TestClient(server.url, { operationMs }).listening()));
  await b!.backend.watch("x");
  for (const nth of [1, 2]) {
    b!.wakes.length = 0;
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await b!.wake("again");
    await b!.listens();
    await b!.wake("changed"); // what was changed until now may not have been published
    b!.wakes.length = 0;
    await a!.saved("x", save(String(nth)));
    await b!.wake("changed");
    expect(
      b!.wakes.filter(({ kind }) => kind === "changed"),
      String(nth),
    ).toHaveLength(1);
  }
});

test("[E1] a change that was made while the subscription was broken is seen when it is back", async () => {
  const server = await start();
  const [a, b] = [opened(server.url), opened(server.url)];
  const next = values(b, never);
  expect(await next()).toBeNull();
  for (const value of ["one", "two"]) {
    const change = next();
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    const end = lead(a, value);
    expect(await change).toBe(value);
    const over = next();
    await end();
    expect(await over).toBeNull();
  }
});

test("[E1] [L8] channels for hints are denied: watching asks, and wakes arrive as before", async () => {
  const rights = "on >pw ~t:* resetchannels &t:wake:* +@all -@dangerous +info";
  const server = await start({ acl: [`user some ${rights}`] });
  const url = `redis://some:pw@127.0.0.1:${String(server.port)}`;
  const a = await new TestClient(url, { operationMs }).listening();
  expect(await failure(a.backend.watch("x"))).toMatchObject({ code: "ACCESS_DENIED" });
  expect(a.backend.pushes).toBe(true);
  await server.command("CLIENT", "KILL", "TYPE", "pubsub");
  await a.wake("again");
  await a.listens();
  expect(await a.ticketFor("y").granted()).toBeGreaterThan(0);
  const next = values(opened(url), 20);
  expect(await next()).toBeNull();
  const end = lead(opened(url), "one");
  expect(await next()).toBe("one");
  await end();
  expect(await next()).toBeNull();
});
