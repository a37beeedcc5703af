// A store of several shards in one SQLite file.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { shardOf } from "../../../src/backends/shard-of.ts";
import { open } from "../../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-shards-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("[S5] all shards of one file can be used, and are found again", async () => {
  const target = `sqlite:${join(folder, "store.db")}`;
  const ids = ["a", "b", "c", "d", "e", "f"];
  expect(new Set(ids.map((id) => shardOf(id, 3))).size).toBe(3);
  for (const round of [1, 2]) {
    await using store = open(target, { shards: 3 });
    await Promise.all(ids.map((id) => store.state<number>(id).update((n = 0) => n + 1)));
    const loaded = await store.loadMany(ids);
    expect(loaded.map(({ value }) => value)).toEqual(ids.map(() => round));
  }
  const other = open(target, { shards: 2 });
  await expect(other.state("a").load()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await other.close();
});
