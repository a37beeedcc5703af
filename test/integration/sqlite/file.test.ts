// Which files are opened, which are refused, and what the errors say.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { chmodSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test, vi } from "vitest";

import type { WarningEvent } from "../../../src/diagnostics.ts";
import { loadDriver, type SqlDriver } from "../../../src/backends/sqlite/driver.ts";
import { setUp } from "../../../src/backends/sqlite/schema.ts";
import { hasWalResetBug } from "../../../src/backends/sqlite/version.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";
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

describe("opening", () => {
  test("the file and its directories are made", async () => {
    const folder = sqliteFolder();
    const path = join(dirname(folder.path), "a/b/c.db");
    const client = folder.connect({ path });
    expect(client.backend.name).toBe(`sqlite:${path}`);
    await client.backend.ready();
    await client.saved("x", save("1"));
    expect(await folder.connect({ path }).load("x")).toBe("1");
  });

  test("[S3] the log is ahead of the file, and every commit is synced", async () => {
    const folder = sqliteFolder();
    const seen: unknown[] = [];
    class Spy extends DatabaseSync {
      override close(): void {
        seen.push(this.prepare("PRAGMA synchronous").get(), this.prepare("PRAGMA busy_timeout").get());
        super.close();
      }
    }
    const client = folder.connect({ driver: Spy });
    await client.saved("x", save("1"));
    expect(folder.raw().prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    await client.backend.close();
    expect(seen).toEqual([{ synchronous: 2 }, { timeout: 20 }]);
  });

  test("an empty file is a fresh one", async () => {
    const folder = sqliteFolder();
    writeFileSync(folder.path, "");
    const client = folder.connect();
    await client.saved("x", save("1"));
    expect(await client.load("x")).toBe("1");
  });

  test("[S6] a file that another process sets up in the middle of our look is no stranger's", async () => {
    const folder = sqliteFolder();
    let isFirst = true;
    class Interrupted extends DatabaseSync {
      override prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
        if (sql.includes("sqlite_schema") && isFirst) {
          isFirst = false;
          const other = folder.raw();
          try {
            setUp(other, "other");
          } catch {
            // It is locked while we look; there it would be tried again.
          }
        }
        return super.prepare(sql);
      }
    }
    const client = folder.connect({ driver: Interrupted });
    await client.saved("x", save("1"));
    expect(await client.load("x")).toBe("1");
    expect(isFirst).toBe(false);
  });

  test("two that set up a fresh file at once do it once", async () => {
    const folder = sqliteFolder();
    let isFirst = true;
    class Late extends DatabaseSync {
      override exec(sql: string): void {
        if (sql === "BEGIN IMMEDIATE" && isFirst) {
          isFirst = false;
          setUp(folder.raw(), "the other one");
        }
        super.exec(sql);
      }
    }
    const client = folder.connect({ driver: Late });
    await client.saved("x", save("1"));
    expect([await client.load("x"), isFirst]).toEqual(["1", false]);
  });

  test.each([
    ["shop:", "shop:eu:", "eu:cart", "cart"],
    ["", "a", "ab", "b"],
    ["a:", "a:b:", "x", "x"],
  ])("[S1] [L1] stores of the prefixes %j and %j on one file do not see each other", async (p, q, x, y) => {
    const folder = sqliteFolder();
    const [a, b] = [folder.connect({ prefix: p }), folder.connect({ prefix: q })];
    await a.saved(x, save("a"));
    expect(await b.load(y)).toBeNull();
    await b.saved(y, save("b"));
    expect([await a.load(x), await b.load(y)]).toEqual(["a", "b"]);
    const turn = a.turn(x);
    await turn.granted();
    await b.turn(y).granted();
    await b.turn(y).ask();
    expect(await a.backend.inspectLock(x)).toMatchObject({ holder: { token: turn.ticket }, waiters: 0 });
    const all = { idPrefix: "", limit: 10 };
    for (const [client, id] of [
      [a, x],
      [b, y],
    ] as const) {
      expect((await client.backend.listStates(null, all)).entries).toMatchObject([{ id, bytes: 1 }]);
      expect((await client.backend.listLocks(null, all)).entries).toMatchObject([{ id }]);
    }
    expect(await b.write("other", remove())).toMatchObject({ status: "deleted" });
    await b.backend.releaseLock(y, turn.ticket, { write: remove() }, b.receipt());
    expect(await a.load(x)).toBe("a");
  });

  test("listing without any prefix ends, also at the last character there is", async () => {
    const folder = sqliteFolder();
    const client = folder.connect({ prefix: "" });
    const ids = ["a", "\u{10ffff}", "\u{10ffff}\u{10ffff}", "\ud7ff", "\ue000"];
    for (const id of ids) await client.saved(id, save("1"));
    const list = async (idPrefix: string) =>
      (await client.backend.listStates(null, { idPrefix, limit: 10 })).entries.map(({ id }) => id).sort();
    expect(await list("")).toEqual([...ids].sort());
    expect(await list("\u{10ffff}")).toEqual(["\u{10ffff}", "\u{10ffff}\u{10ffff}"]);
    expect(await list("\ud7ff")).toEqual(["\ud7ff"]);
  });
});

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
    db.exec("PRAGMA user_version = 3");
    db.close();
    const before = readFileSync(folder.path);
    const error = await failure(folder.connect().write("x", save("2")));
    expect(error).toMatchObject({ code: "CORRUPT_STATE", outcome: "none" });
    expect((error as Error).message).toMatch(/format 3.*Use the version of Holdfast/);
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
    expect(await failure(reader.turn("x").ask())).toMatchObject(unavailable("READ_ONLY"));
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

describe("a file that changes behind our back", () => {
  test("[S2] restored from an older copy: revisions go on rising", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await client.saved("x", save("1"));
    await client.backend.close();
    const copy = readFileSync(folder.path);
    const second = folder.connect();
    const revision = await second.saved("x", save("2"));
    await second.backend.close();
    writeFileSync(`${folder.path}.copy`, copy);
    renameSync(`${folder.path}.copy`, folder.path);
    await new Promise((resolve) => setTimeout(resolve, 5)); // the clock is what carries on
    const third = folder.connect();
    expect(await third.load("x")).toBe("1");
    expect(await third.saved("x", save("3"))).toBeGreaterThan(revision);
  });
});

describe("versions of SQLite that can damage a file", () => {
  test("are known", () => {
    const damaged = ["3.7.0", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2", "3.46.1"];
    const sound = ["3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.52.0", "3.53.4", "4.0.0"];
    expect(damaged.map(hasWalResetBug)).toEqual(damaged.map(() => true));
    expect(sound.map(hasWalResetBug)).toEqual(sound.map(() => false));
  });

  test("are warned of, once", async () => {
    const warnings: unknown[] = [];
    const listen = (message: unknown): void => void warnings.push(message);
    subscribe("holdfast:warning", listen);
    const folder = sqliteFolder();
    class Old extends DatabaseSync {
      constructor(path: string) {
        super(path);
        this.function("sqlite_version", () => "3.50.4");
      }
    }
    const driver: SqlDriver = Old;
    await folder.connect({ driver }).backend.ready();
    expect(warnings).toHaveLength(1);
    const [warning] = warnings as WarningEvent[];
    expect(warning).toMatchObject({ cause: "sqlite-version" });
    expect(warning?.message).toContain("3.50.4");
    await folder.connect().backend.ready();
    unsubscribe("holdfast:warning", listen);
    expect(warnings).toHaveLength(1);
  });
});
