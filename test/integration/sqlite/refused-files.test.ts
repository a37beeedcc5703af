// Files that are refused, that cannot be opened or not written, and what the errors say.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";

import { loadDriver } from "../../../src/backends/sqlite/driver.ts";
import { save } from "../../../src/testing/contract-client.ts";
import { failure, sqliteFolder } from "./sqlite-folder.ts";

const docs = join(import.meta.dirname, "../../../docs/sqlite.md");
/** The tables of format 1 that its states are in. */
const formatOne = `
  CREATE TABLE stamps (last INTEGER NOT NULL) STRICT;
  INSERT INTO stamps VALUES (0);
  CREATE TABLE states (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, serializer TEXT NOT NULL, expires_at INTEGER,
    bytes BLOB NOT NULL) STRICT;
  PRAGMA application_id = 0x486f6c64;
  PRAGMA user_version = 1`;

const unavailable = (code: string) => ({ name: "UnavailableError", code, outcome: "none" });

describe("[S6] what is not ours is refused, and left as it is", () => {
  test("a file that is no database", async () => {
    const folder = sqliteFolder();
    const garbage = "This is a text, and not a database. ".repeat(100);
    writeFileSync(folder.path, garbage);
    const client = folder.connect();
    expect(await failure(client.backend.ready())).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
    expect(await failure(client.write("x", save("1")))).toMatchObject({ code: "CORRUPT_STATE" });
    expect(readFileSync(folder.path, "utf8")).toBe(garbage);
    expect(readdirSync(dirname(folder.path))).toEqual(["store.db"]);
  });

  test("a newer format", async () => {
    const folder = sqliteFolder();
    const first = folder.connect();
    await first.saved("x", save("1"));
    await first.backend.close();
    const db = folder.raw();
    db.exec("PRAGMA user_version = 4");
    db.close();
    const before = readFileSync(folder.path);
    const error = await failure(folder.connect().write("x", save("2")));
    expect(error).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
    expect((error as Error).message).toMatch(/format 4.*Use the version of Holdfast/);
    expect(readFileSync(folder.path).equals(before)).toBe(true);
  });

  test("format 1, whose names cannot be told apart, with the way to take its states over", async () => {
    const folder = sqliteFolder();
    const old = new DatabaseSync(folder.path);
    old.exec(formatOne);
    old.exec(
      "INSERT INTO states VALUES ('shop:eu:cart', 7, 'json', NULL, x'31'); UPDATE stamps SET last = 7",
    );
    old.close();
    const before = readFileSync(folder.path);
    const error = await failure(folder.connect().write("x", save("2")));
    expect(error).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
    expect((error as Error).message).toMatch(/format 1.*docs\/sqlite\.md/);
    expect(readFileSync(folder.path).equals(before)).toBe(true);

    const path = `${folder.path}.new`;
    const client = folder.connect({ path, prefix: "shop:eu:" });
    await client.backend.ready();
    const sql = /```sql\n(.*?)```/s.exec(readFileSync(docs, "utf8"))?.[1] ?? "";
    expect(sql).toContain("'old.db'");
    const db = new DatabaseSync(path);
    db.exec(sql.replaceAll("old.db", folder.path).replaceAll("holdfast:", "shop:eu:"));
    db.close();
    expect(await client.load("cart")).toBe("1");
    expect((await client.backend.listStates(null, { idPrefix: "", limit: 9 })).entries).toMatchObject([
      { id: "cart", revision: 7 },
    ]);
  });

  test("a database of another program", async () => {
    const folder = sqliteFolder();
    const db = folder.raw();
    db.exec("CREATE TABLE users (name TEXT)");
    db.close();
    const before = readFileSync(folder.path);
    const error = await failure(folder.connect().backend.ready());
    expect(error).toMatchObject({ code: "CORRUPT_STATE" });
    expect((error as Error).message).toContain("another program");
    expect(readFileSync(folder.path).equals(before)).toBe(true);
  });

  test("a damaged file of ours", async () => {
    const folder = sqliteFolder();
    const first = folder.connect();
    for (let n = 0; n < 200; n += 1) await first.saved(`x${String(n)}`, save("y".repeat(200)));
    await first.backend.close();
    const bytes = readFileSync(folder.path);
    writeFileSync(folder.path, bytes.fill(0xaa, 4096));
    expect(await failure(folder.connect().load("x7"))).toMatchObject({ code: "CORRUPT_STATE" });
    expect(readFileSync(folder.path).equals(bytes)).toBe(true);
  });
});

describe("what cannot be opened or written", () => {
  test("a directory, and a path below a file", async () => {
    const folder = sqliteFolder();
    mkdirSync(folder.path);
    const error = await failure(folder.connect().backend.ready());
    expect(error).toMatchObject(unavailable("ACCESS_DENIED"));
    expect((error as Error).message).toContain("is a directory");
    writeFileSync(join(folder.path, "file"), "");
    const below = folder.connect({ path: join(folder.path, "file/store.db") });
    expect(await failure(below.backend.ready())).toMatchObject(unavailable("ACCESS_DENIED"));
  });

  test("a folder without rights", async () => {
    const folder = sqliteFolder();
    const isRoot = process.geteuid?.() === 0;
    chmodSync(dirname(folder.path), isRoot ? 0o700 : 0o000);
    if (isRoot) process.seteuid?.(65_534); // root may do everything, so be nobody for a moment
    try {
      const error = await failure(folder.connect().backend.ready());
      expect(error).toMatchObject(unavailable("ACCESS_DENIED"));
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(dirname(folder.path), 0o700);
    }
  });

  // In a process of its own, which mkdirSync would block: it does not return if the parent exists and mkdir says ENOENT.
  test.runIf(process.platform === "linux").each([
    ["sqlite:/proc/holdfast/a/store.db", "/"],
    ["", "/proc"],
  ])(
    "a file system that creates no folders: open(%j) in %s",
    (target, cwd) => {
      const open = join(import.meta.dirname, "../../../src/open.ts");
      const code = `import { open } from ${JSON.stringify(open)};
      const error = await open(${target && JSON.stringify(target)}).ready().catch((error) => error);
      console.log(error.code, error.message);`;
      const env = { ...process.env, NODE_ENV: "test", HOLDFAST_URL: "" };
      const args = ["--input-type=module", "-e", code];
      const { stdout } = spawnSync(process.execPath, args, { cwd, env, encoding: "utf8", timeout: 10_000 });
      expect(stdout).toMatch(/^ACCESS_DENIED .*ENOENT.*open\(target\)/);
    },
    30_000,
  );

  test("a file that may only be read is read", async () => {
    const folder = sqliteFolder();
    const writer = folder.connect();
    await writer.saved("x", save("1"));
    class ReadOnly extends DatabaseSync {
      constructor(path: string) {
        super(path, { readOnly: true });
      }
    }
    const reader = folder.connect({ driver: ReadOnly });
    expect(await reader.load("x")).toBe("1");
    expect(await reader.backend.inspectLock("x")).toBeNull();
    expect(await failure(reader.write("x", save("2")))).toMatchObject(unavailable("READ_ONLY"));
    expect(await failure(reader.ticketFor("x").ask())).toMatchObject(unavailable("READ_ONLY"));
    await writer.saved("x", save("3"));
    expect(await reader.load("x")).toBe("3");
  });

  test("a Node without SQLite uses the peer package; without that, the error says what to install", async () => {
    const { getBuiltinModule } = process;
    process.getBuiltinModule = () => undefined;
    try {
      const db = new (await loadDriver())(sqliteFolder().path);
      expect(db.schema).toBe("file");
      db.close();
      vi.doMock("@photostructure/sqlite", () => {
        throw new Error("not installed");
      });
      vi.resetModules();
      const { loadDriver: loadWithout } = await import("../../../src/backends/sqlite/driver.ts");
      const error = await failure(loadWithout());
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
      expect((error as Error).message).toContain("npm install @photostructure/sqlite@1");
      expect((error as Error).message).toContain(process.version);
    } finally {
      process.getBuiltinModule = getBuiltinModule;
      vi.doUnmock("@photostructure/sqlite");
    }
    expect(await loadDriver()).toBe(DatabaseSync);
  });
});
