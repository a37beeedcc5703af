// States of holdfast/statefulpy: on both backends, with both serializers.

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { rawStates } from "../../../src/statefulpy/raw.ts";
import { kinds, serializers, World } from "./backends.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const cases = kinds.flatMap((kind) => serializers.map((serializer) => ({ kind, serializer })));

describe.each(cases)("$kind, $serializer", ({ kind, serializer }) => {
  const world = new World(kind);
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  test("an absent state is null; what was saved is loaded, by another backend too", async () => {
    const [one, two] = [world.open({ serializer }), world.open({ serializer })];
    expect(await one.loadState("a.b")).toBeNull();
    const value = { n: 1, big: 2n ** 70n, text: "é\u0001😀", list: [1.5, null, true, {}], empty: {} };
    expect(await one.saveState("a.b", value)).toBe(true);
    expect(await two.loadState("a.b")).toEqual(value);
    expect(await two.saveState("a.b", {})).toBe(true);
    expect(await one.loadState("a.b")).toEqual({});
  });

  test("null is no state", async () => {
    const backend = world.open({ serializer });
    await expect(backend.saveState("null", null)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await backend.loadState("null")).toBeNull();
  });

  test("list has the ids with a prefix, and the bytes can be read as they are", async () => {
    const backend = world.open({ serializer });
    const ids = ["list:a", "list:b*", "list:{c}", "list:é"];
    for (const id of [...ids, "other"]) await backend.saveState(id, { id });
    const found = await all(backend.list({ idPrefix: "list:" }));
    expect(found.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const { updatedAt } of found)
      if (kind === "sqlite") expect(Math.abs(Number(updatedAt) - Date.now())).toBeLessThan(60_000);
    const raw = rawStates(backend);
    expect(Buffer.from((await raw.loadBytes("other"))!).toString()).toContain("other");
    expect(await raw.loadBytes("missing")).toBeNull();
  });

  test("healthcheck leaves nothing behind", async () => {
    const backend = world.open({ serializer });
    const before = await all(backend.list());
    expect(await backend.healthcheck()).toBe(true);
    expect(await all(backend.list())).toEqual(before);
    if (kind === "redis")
      expect((await world.redis.keys()).filter((key) => key.includes("lock:"))).toEqual([]);
  });

  test("a state of the other serializer is refused, and the error names that one", async () => {
    const other = serializer === "json" ? "pickle" : "json";
    await world.open({ serializer: other }).saveState("mixed", { n: 1 });
    await expect(world.open({ serializer }).loadState("mixed")).rejects.toMatchObject({
      code: "CORRUPT_STATE",
      message: expect.stringMatching(other === "json" ? /serializer: "json"\.$/ : /pickle/) as unknown,
    });
    expect(await world.open({ serializer: other }).loadState("mixed")).toEqual({ n: 1 });
  });
});
