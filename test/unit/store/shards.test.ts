// What `open()` takes for a store of several shards, and what it refuses at once. Nothing here is connected.

import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open } from "../../../src/index.ts";

function refusal(target: unknown, options?: object): string {
  try {
    void open(target as string, options).close();
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
    return (error as Error).message;
  }
  throw new Error("should have been refused");
}

test.each([
  [[], "has 1 to 64; it is empty"],
  [Array.from({ length: 65 }, (_, n) => `redis://h${n}`), "has 1 to 64; it has 65"],
  [["redis://a", "redis://b", "redis://a:6379/0"], "has redis://a:6379 twice"],
  [["redis://a", "redis://user:secret@a"], "has redis://a:6379 twice"],
  [["sqlite:/x/a.db", "sqlite:/x/../x/a.db"], "has sqlite:/x/a.db twice"],
  [["memory:", undefined], "must not have undefined"],
  [["memory:", ["memory:"]], "open() takes"],
  [["memory:", "mysql://x"], 'got a "mysql:" URL'],
  [["memory:", new MemoryBackend()], "Your own backend cannot be one of several shards"],
])("the list %j is refused: %s", (targets, why) => {
  const message = refusal(targets);
  expect(message).toContain(why);
  expect(message).not.toContain("secret");
});

test("the same client twice is refused", () => {
  const client = new Redis({ lazyConnect: true });
  onTestFinished(() => client.disconnect());
  expect(refusal([client, client])).toContain("has the same client twice");
});

test.each([0, 65, 1.5, "3", null, NaN])("shards: %j is refused", (shards) => {
  expect(refusal("memory:", { shards })).toContain("shards must be a whole number from 1 to 64");
});

test("shards apply to one target that is not a backend of the user", () => {
  expect(refusal(["memory:", "memory:"], { shards: 2 })).toContain("omit the option shards");
  expect(refusal(new MemoryBackend(), { shards: 2 })).toContain("shards applies only to a URL");
  expect(refusal(new MemoryBackend(), { declareKeys: true })).toContain("declareKeys applies only to a URL");
});

test("the name of the store says how many shards it has", async () => {
  const named = async (...args: Parameters<typeof open>): Promise<string> => {
    const store = open(...args);
    await store.close();
    return store.name;
  };
  expect(await named(["redis://a"])).toBe("redis://a:6379");
  expect(await named("redis://a", { shards: 1 })).toBe("redis://a:6379");
  expect(await named(["redis://a", "redis://b"])).toBe("redis://a:6379, redis://b:6379 (2 shards)");
  expect(await named("redis://a", { shards: 3 })).toBe("redis://a:6379 (3 shards)");
  const many = ["a", "b", "c", "d", "e"].map((host) => `redis://${host}`);
  expect(await named(many)).toBe("redis://a:6379, redis://b:6379, redis://c:6379, … (5 shards)");
});

test("[S9] a transaction over states of different shards is refused at once, with the advice to use a tag", async () => {
  await using store = open("memory:", { shards: 3 });
  const [one, other] = [store.state<number>("x"), store.state<number>("y2")];
  const nothing = (): void => undefined;
  await expect(store.transact([one, other], nothing)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining(
      'common tag in braces, which then decides the shard: "{bank}:x"',
    ) as string,
  });
  await store.transact([store.state<number>("{bank}:x"), store.state<number>("{bank}:y2")], (drafts) => {
    drafts[0] = 1;
    drafts[1] = 2;
  });
  expect(await store.state("{bank}:y2").load()).toBe(2);
});

test("[S1] a store of three shards in memory lists what it saved", async () => {
  await using store = open(["memory:", "memory:", "memory:"]);
  const ids = Array.from({ length: 30 }, (_, n) => `id-${n}`);
  for (const id of ids) await store.state(id).save(id);
  for (const id of ids) expect(await store.state(id).load()).toBe(id);
  const listed: string[] = [];
  for await (const { id } of store.states()) listed.push(id);
  expect(listed.sort()).toEqual(ids.sort());
});

test("[S1] shards that keep an order are listed in it, so that pages by limit and after are complete", async () => {
  await using store = open(["memory:", "memory:", "memory:"]);
  const ids = Array.from({ length: 30 }, (_, n) => `id-${String(n).padStart(2, "0")}`);
  await store.saveMany(ids.map((id) => ({ id, value: 1 })));
  const page = async (after?: string): Promise<string[]> => {
    const listed: string[] = [];
    for await (const { id } of store.states({ idPrefix: "id-", limit: 7, after })) listed.push(id);
    return listed;
  };
  const pages: string[][] = [];
  do pages.push(await page(pages.at(-1)?.at(-1)));
  while (pages.at(-1)?.length === 7);
  expect(pages.flat()).toEqual(ids);
});
