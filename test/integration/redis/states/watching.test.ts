// `state.watch()` on Redis: the newest value is seen although connections break, the server restarts or messages are lost;
// and what is noted on the server for it.
//
// Seen failing with the defence taken out:
//   hints.ts without noteAgain(): "restarts";
//   changes.ts without its interval: "silent".

import { afterEach, expect, test } from "vitest";

import {
  open,
  type Snapshot,
  type State,
  type Store,
  type WatchStateOptions,
} from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { startProxy } from "../../../support/proxy.ts";
import type { RedisServer } from "../../../support/redis-server.ts";
import { ownServers } from "../clients.ts";

const start = ownServers();
const stores: Store[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});

function opened(url: string): Store {
  const store = open(url, { prefix: "t:", operationMs: 5_000 });
  stores.push(store);
  return store;
}

/** What is not pushed is not seen. */
const withoutAsking = { intervalMs: 86_400_000 };

interface Watching {
  next(): Promise<number | undefined>;
  end(): Promise<unknown>;
}

function watching(state: State<number>, options?: WatchStateOptions): Watching {
  const changes = state.watch(options)[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { done, value } = (await changes.next()) as IteratorResult<
        Snapshot<number> | undefined,
        undefined
      >;
      if (done === true) throw new Error("the loop has ended");
      return value?.value;
    },
    end: async () => changes.return?.(),
  };
}

/** Reads on until it sees the value. */
async function sees(watch: Watching, value: number): Promise<void> {
  while ((await watch.next()) !== value);
}

const watchKeys = async (server: RedisServer): Promise<string[]> =>
  (await server.keys()).filter((key) => key.startsWith("t:watch:"));

const published = async (server: RedisServer): Promise<number> => (await server.calls())["publish"] ?? 0;

test("[E2] what is watched is noted for a while; only then, changes are published", async () => {
  const server = await start();
  const [a, b] = [opened(server.url), opened(server.url)];
  await Promise.all([a.ready(), b.ready()]);
  const watch = watching(b.state("x"));
  expect(await watch.next()).toBeUndefined();
  await poll(() => watchKeys(server)).toEqual(["t:watch:{x}"]);
  const life = Number(await server.command("PTTL", "t:watch:{x}"));
  expect(life).toBeGreaterThan(30_000);
  expect(life).toBeLessThanOrEqual(60_000);
  const before = await published(server);
  for (const n of [1, 2, 3]) await a.state<number>("other").save(n);
  await a.state("other", { initial: () => 0 }).update((n) => n + 1);
  expect(await published(server)).toBe(before);
  await a.state<number>("x").save(1);
  expect(await published(server)).toBe(before + 1);
  await watch.end();
});

test("[E2] the subscription breaks just before a save: the value is seen", async () => {
  const server = await start();
  const [a, b] = [opened(server.url), opened(server.url)];
  const watch = watching(b.state("x"), withoutAsking);
  expect(await watch.next()).toBeUndefined();
  for (let n = 1; n <= 5; n += 1) {
    const seen = sees(watch, n);
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await a.state<number>("x").save(n);
    await seen;
  }
  await watch.end();
});

test("[E2] the subscription falls silent: the value is seen within the interval", async () => {
  const server = await start();
  const proxy = await startProxy(server);
  const [a, b] = [opened(server.url), opened(proxy.url)];
  const watch = watching(b.state("x"), { intervalMs: 200 });
  expect(await watch.next()).toBeUndefined();
  await a.state<number>("x").save(1);
  expect(await watch.next()).toBe(1);
  await poll(() => watchKeys(server)).toEqual(["t:watch:{x}"]);
  const looks = (): number => proxy.seen.filter(({ name }) => name === "load").length;
  const before = looks();
  const seen = sees(watch, 2);
  await poll(looks).toBeGreaterThan(before); // from now on it waits
  proxy.orphanSubscribers();
  const from = performance.now();
  await a.state<number>("x").save(2);
  await seen;
  expect(performance.now() - from).toBeLessThan(3_000); // it notices later that the connection is silent
  await watch.end();
  await proxy.close();
});

test("[E2] the server restarts, with its data or without: changes are seen without asking", async () => {
  const server = await start();
  const [a, b] = [opened(server.url), opened(server.url)];
  const watch = watching(b.state("x"), withoutAsking);
  expect(await watch.next()).toBeUndefined();
  for (const [n, memory] of [
    [1, "keep"],
    [2, "empty"],
  ] as const) {
    const seen = sees(watch, n);
    await server.restart(memory);
    await poll(() => watchKeys(server)).toEqual(["t:watch:{x}"]); // long before it would be renewed
    await a.state<number>("x").save(n);
    await seen;
  }
  await watch.end();
});

test("[E2] a thousand ids are watched: each sees its changes, on few channels", async () => {
  const server = await start();
  const [a, b] = [opened(server.url), opened(server.url)];
  const ids = Array.from({ length: 1_000 }, (_, n) => `id:${String(n)}`);
  const watches = ids.map((id) => watching(b.state(id), withoutAsking));
  await Promise.all(watches.map((watch) => watch.next()));
  const seen = Promise.all(watches.map((watch, n) => sees(watch, n)));
  await poll(async () => (await watchKeys(server)).length).toBe(1_000);
  const channels = (await server.command("PUBSUB", "CHANNELS", "t:changed:*")) as string[];
  expect(channels).toHaveLength(64);
  await Promise.all(ids.map((id, n) => a.state<number>(id).save(n)));
  await seen;
  await Promise.all(watches.map((watch) => watch.end()));
});
