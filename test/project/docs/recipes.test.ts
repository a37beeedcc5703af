// The recipes are whole programs: each prints what it says on a SQLite file and on Redis. Each page says what happens when a
// process crashes, when one pauses, and when the store cannot be reached; and each is in the list of recipes.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { expectedLines, root, Workshop } from "./doc-blocks.ts";

const folder = join(root, "docs/recipes");
const recipes = readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "README.md");
const workshop = new Workshop();
const programs = workshop.blocks.filter(({ isRecipe, runs }) => isRecipe && runs);
const anywhere = programs.filter(({ needsRedis }) => !needsRedis);
const read = (file: string): string => readFileSync(join(folder, file), "utf8");

let redis: RedisServer;

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  redis = await startRedis({ more: ["--databases", "100"] });
}, 120_000);

afterAll(async () => {
  await redis.stop();
  rmSync(workshop.folder, { recursive: true, force: true });
});

test.concurrent.each(anywhere)("$name prints what it says on a SQLite file", async (block) => {
  expect(await workshop.run(block)).toEqual(expectedLines(block.code));
});

test.concurrent.each(programs)("$name prints what it says on Redis", async (block) => {
  const url = `${redis.adminUrl}/${String(programs.indexOf(block))}`;
  expect(await workshop.run(block, url, url)).toEqual(expectedLines(block.code));
});

describe.each(recipes)("%s", (file) => {
  const text = read(file);

  test("says what happens after a crash, after a pause and in an outage", () => {
    const [, after = ""] = text.split("\n## When something goes wrong\n");
    const rows = [...after.matchAll(/^\| \*\*(.*?)\*\*/gm)].map(([, name]) => name);
    expect(rows.slice(0, 3)).toEqual(["Crash", "Pause", "Outage"]);
  });

  test("has a program", () => {
    expect(text).toMatch(/^```ts/m);
  });

  test("is in the list of recipes", () => {
    expect(read("README.md")).toContain(`](${file})`);
  });
});
