// A SQLite file that Python's sqlite3 has written is read and written, and the other way round.

import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open } from "holdfast";
import { SqliteBackend } from "holdfast/statefulpy";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { serializers, World } from "../backends.ts";
import { needs, Program, python } from "./python.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });
let world: World;
beforeEach(async () => {
  world = new World("sqlite");
  await world.start();
});
afterEach(() => world.stop());

describe.skipIf(python === undefined)(`a file of Python ${needs}`, () => {
  const py = (serializer: string, ...args: string[]): string =>
    execFileSync(python!, [join(import.meta.dirname, "database.py"), world.path, serializer, ...args], {
      encoding: "utf8",
    }).trim();

  test.each(serializers)("%s: is read and written, while Python has it open or not", async (serializer) => {
    py(serializer, "save", "module.fn", "{'n': 1, 'list': [1.5, None, 'é']}");
    const backend = world.open({ serializer });
    expect(await backend.loadState("module.fn")).toEqual({ n: 1, list: [1.5, null, "é"] });
    await backend.saveState("module.fn", { n: 2 });
    await backend.saveState("other", {});
    expect(py(serializer, "load", "module.fn")).toBe("{'n': 2}");
    expect(py(serializer, "load", "other")).toBe("{}");
    py(serializer, "save", "other", "{'n': 3}");
    expect(await backend.loadState("other")).toEqual({ n: 3 });
    expect(py(serializer, "load", "absent")).toBe("None");
    const found: unknown[] = [];
    for await (const entry of backend.list()) found.push(entry);
    expect(found).toEqual(
      ["module.fn", "other"].map((id) => ({ id, updatedAt: expect.any(Date) as unknown })),
    );
  });

  test("rows that no library writes are refused, or left out of a listing", async () => {
    py(
      "json",
      "run",
      "INSERT INTO stateful_state VALUES ('null', NULL, 'today'), ('text', '{\"a\": 1}', NULL), (NULL, x'00', NULL), ('7', 7, NULL)",
    );
    const backend = world.open();
    await expect(backend.loadState("null")).rejects.toEqual(code("CORRUPT_STATE"));
    await expect(backend.loadState("7")).rejects.toEqual(code("CORRUPT_STATE"));
    expect(await backend.loadState("text")).toEqual({ a: 1 });
    const found: unknown[] = [];
    for await (const entry of backend.list()) found.push(entry);
    expect(found).toEqual(["7", "null", "text"].map((id) => ({ id, updatedAt: undefined })));
  });
});

test("Node processes exclude each other on one file; the lock of one that is killed ends with its lease", async () => {
  const programs = [1, 2, 3].map(() => Program.node(world.path, "json", 1_000));
  await Promise.all(programs.map((program, n) => program.call("count", "counter", 30, String(n))));
  const backend = world.open();
  expect(await backend.loadState("counter")).toEqual({ count: 90 });
  const [holder] = programs;
  await holder?.call("acquire", "x", 5);
  await expect(backend.acquireLock("x", 0)).rejects.toThrow(/held by process \d+/);
  await holder?.kill();
  expect(await backend.acquireLock("x", 5)).toBe(true);
  await Promise.all(programs.map((program) => program.kill()));
});

test("many ids are listed in order, over several pages", async () => {
  const backend = world.open();
  const ids = Array.from({ length: 1_234 }, (_, n) => `id:${String(n).padStart(5, "0")}`);
  await Promise.all(ids.map((id) => backend.saveState(id, { id })));
  const found: string[] = [];
  for await (const { id } of backend.list({ idPrefix: "id:" })) found.push(id);
  expect(found).toEqual(ids);
});

test("a store of Holdfast, a file of something else, and a folder are refused and left as they are", async () => {
  const store = open(`sqlite:${world.path}`);
  await store.state("x").save({ a: 1 });
  await store.close();
  await expect(world.open().loadState("x")).rejects.toThrow("is a store of Holdfast");
  const text = `${world.path}.txt`;
  writeFileSync(text, "not a database, but long enough to be taken for one".repeat(100));
  await expect(new SqliteBackend({ dbPath: text, serializer: "json" }).loadState("x")).rejects.toEqual(
    code("CORRUPT_STATE"),
  );
  expect(readFileSync(text, "utf8")).toMatch(/^not a database/);
  const folder = join(world.path, "..");
  await expect(new SqliteBackend({ dbPath: folder, serializer: "json" }).loadState("x")).rejects.toEqual(
    code("ACCESS_DENIED"),
  );
});

test("nothing is created before the first call; a missing folder is", async () => {
  const dbPath = join(`${world.path}.d`, "deep", "s.db");
  const backend = new SqliteBackend({ dbPath, serializer: "json" });
  expect(existsSync(dbPath)).toBe(false);
  expect(await backend.loadState("x")).toBeNull();
  expect(existsSync(dbPath)).toBe(true);
  await backend.close();
});

test.skipIf(process.getuid?.() === 0)(
  "a file that may only be read can be read (not as root, who may write it)",
  async () => {
    const writer = world.open();
    await writer.saveState("x", { a: 1 });
    await writer.close();
    chmodSync(world.path, 0o444);
    const reader = world.open();
    expect(await reader.loadState("x")).toEqual({ a: 1 });
    await expect(reader.saveState("x", {})).rejects.toEqual(code("READ_ONLY"));
  },
);
