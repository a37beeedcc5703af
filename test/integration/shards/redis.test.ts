// Stores of three shards on three servers: the marks, one server down, and the command that changes the number.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";

import { shardOf } from "../../../src/backends/shard-of.ts";
import { open, type OpenOptions, type StatesOptions, type Store } from "../../../src/index.ts";
import { documentedIndexRights } from "../../support/acl.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

let servers: RedisServer[] = [];
let urls: string[] = [];

beforeAll(async () => {
  const prefixes = ["holdfast:", "{holdfast:"];
  servers = await Promise.all([1, 2, 3].map(() => startRedis({ prefixes })));
  urls = servers.map(({ url }) => url);
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});
beforeEach(async () => {
  for (const server of servers) await server.command("FLUSHALL");
});

function opened(target: string | string[], options: OpenOptions = {}): Store {
  const store = open(target, options);
  onTestFinished(() => store.close({ drainMs: 0 }));
  return store;
}

async function refusal(target: string | string[], options?: OpenOptions): Promise<string> {
  const error: unknown = await opened(target, options)
    .ready()
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
  return (error as Error).message;
}

async function everyId(store: Store, options?: StatesOptions): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of store.states(options)) ids.push(id);
  return ids;
}

const idOn = (shard: number): string =>
  Array.from({ length: 99 }, (_, n) => `id-${n}`).find((id) => shardOf(id, 3) === shard)!;

describe("[S1] [L1] a store that was opened with three servers", () => {
  beforeEach(async () => {
    await (await open(urls).ready()).close();
  });

  test("cannot be opened with two of them, nor in another order", async () => {
    const [a, b, c] = urls as [string, string, string];
    expect(await refusal([a, b])).toMatch(
      /is shard [12] of 3, but this store was opened with it as shard [12] of 2/,
    );
    expect(await refusal([b, a, c])).toMatch(
      /is shard \d of 3, but this store was opened with it as shard \d of 3/,
    );
    expect(await refusal([a, b])).toContain("npx holdfast reshard");
  });

  test("cannot be opened on one of them alone", async () => {
    for (const url of urls) expect(await refusal(url)).toContain("holds one shard of a store");
    await opened(urls[0]!, { prefix: "holdfast:another:" }).ready();
  });

  test("a call is refused as well as ready()", async () => {
    const error: unknown = await opened(urls[0]!)
      .state("x")
      .load()
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
  });

  test("a server that came back empty gets its mark again", async () => {
    await servers[1]!.command("FLUSHALL");
    await opened(urls).ready();
    expect(await refusal(urls[1]!)).toContain("holds one shard of a store");
  });

  test("two addresses of one server are not two shards", async () => {
    const here = urls[0]!;
    await servers[0]!.command("FLUSHALL");
    expect(await refusal([here, here.replace("127.0.0.1", "localhost")])).toMatch(/is shard [12] of 2/);
  });
});

test("[S1] a store that was in use without shards cannot be opened with them", async () => {
  const store = opened(urls[0]!);
  for (const shard of [0, 1, 2]) await store.state(idOn(shard)).save(1);
  expect(await refusal(urls)).toContain("holds a store that was opened without shards: its state");
  await store.close();
});

test("[S1] shards on one server have prefixes of their own, with a hash tag each", async () => {
  const store = opened(urls[0]!, { shards: 3 });
  for (const shard of [0, 1, 2]) await store.state(idOn(shard)).save(shard);
  const states = (await servers[0]!.keys()).filter((key) => key.includes("state:{id"));
  expect(states.sort()).toEqual([0, 1, 2].map((shard) => `{holdfast:${shard + 1}}:state:{${idOn(shard)}}`));
  expect(await refusal(urls[0]!, { shards: 2 })).toMatch(/is shard [12] of 3/);
});

test.each([true, false])("[S1] a listing of shards without an order, index: %s", async (index) => {
  const server = await startRedis({ prefixes: ["{holdfast:"], rights: documentedIndexRights() });
  onTestFinished(() => server.stop());
  const store = opened(server.url, { shards: 3, index });
  const ids = Array.from({ length: 30 }, (_, n) => `id-${String(n).padStart(2, "0")}`);
  await store.saveMany(ids.map((id) => ({ id, value: 1 })));
  const listed = await everyId(store);
  expect(index ? listed : listed.toSorted()).toEqual(ids);
  const first = await everyId(store, { limit: 7 });
  expect(first).toHaveLength(7);
  if (index) expect(first).toEqual(ids.slice(0, 7));
});

describe("one server of three is down", () => {
  const options: OpenOptions = { operationMs: 800, leaseMs: 600 };
  let store: Store;
  beforeEach(async () => {
    store = opened(urls, options);
    for (const shard of [0, 1, 2]) await store.state(idOn(shard)).save(shard);
  });

  test.each([
    ["stopped", (server: RedisServer) => server.pause(), async (server: RedisServer) => server.resume()],
    ["killed", (server: RedisServer) => server.kill(), (server: RedisServer) => server.start()],
  ] as const)(
    "[P1] [L5] %s: the ids of the others go on, and their locks are renewed",
    async (_, harm, mend) => {
      const held = await store.lock(idOn(0)).acquire();
      const lost = await store.lock(idOn(1)).acquire();
      await harm(servers[1]!);
      try {
        const from = performance.now();
        while (performance.now() - from < 1_500)
          await store.state(idOn(2), { initial: () => 0 }).update((n) => n + 1);
        expect(lost.signal.aborted).toBe(true);
        expect(held.signal.aborted).toBe(false);
        await held.release();
        const error: unknown = await store
          .state(idOn(1))
          .save(5)
          .catch((cause: unknown) => cause);
        expect(error).toMatchObject({ code: "UNREACHABLE" });
        const listing: unknown = await everyId(store).catch((cause: unknown) => cause);
        expect(listing).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
        expect((listing as Error).message).toContain(`127.0.0.1:${servers[1]!.port}`);
      } finally {
        await mend(servers[1]!);
      }
    },
  );
});

test("[S1] [S2] [S7] holdfast reshard moves a store from one server to three and back", async () => {
  const main = join(import.meta.dirname, "../../../src/cli/main.ts");
  const run = async (...args: string[]): Promise<string> =>
    (
      await promisify(execFile)(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        main,
        "reshard",
        ...args,
      ])
    ).stdout;
  const ids = Array.from({ length: 60 }, (_, n) => `id-${n}`);
  const [a, b, c] = urls as [string, string, string];
  const one = open(a);
  const revisions = new Map<string, number>();
  for (const id of ids) revisions.set(id, await one.state(id, { ttlMs: 600_000 }).save("x".repeat(3_000)));
  await one.close();
  const to = [a, b, c].flatMap((url) => ["--to", url]);
  expect(await run("--from", a, ...to)).toMatch(/^The store has been moved: [2-5]\d states/);
  expect(await refusal(a)).toContain("holds one shard of a store");
  const three = open(urls);
  for (const id of ids) {
    const found = await three.state(id).read();
    expect(found?.revision).toBeGreaterThanOrEqual(revisions.get(id)!);
    expect(found?.expiresInMs).toBeGreaterThan(500_000);
    revisions.set(id, await three.state(id).save("y"));
    expect(revisions.get(id)).toBeGreaterThan(found!.revision);
  }
  await three.close();
  await servers[1]!.command("CONFIG", "SET", "slowlog-log-slower-than", "0");
  await run(...[a, b, c].flatMap((url) => ["--from", url]), "--to", a, "--declare-keys");
  expect(JSON.stringify(await servers[1]!.command("SLOWLOG", "GET", "100"))).toContain("holdfast:never");
  const back = opened(a);
  expect((await everyId(back)).sort()).toEqual([...ids].sort());
  for (const id of ids) expect(await back.state(id).save("z")).toBeGreaterThan(revisions.get(id)!);
  const wrong = await run("--from", a, "--to", "mysql://secret@x").catch((error: unknown) => error);
  expect((wrong as { stderr: string }).stderr).toContain('got a "mysql:" URL');
  expect((wrong as { stderr: string }).stderr).not.toContain("secret");
});
