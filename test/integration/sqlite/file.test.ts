// Which files are opened, and how. Which are refused: refused-files.test.ts.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import type { WarningEvent } from "../../../src/diagnostics/events.ts";
import type { SqlDriver } from "../../../src/backends/sqlite/driver.ts";
import { setUp } from "../../../src/backends/sqlite/schema.ts";
import { hasWalResetBug } from "../../../src/backends/sqlite/wal-reset-bug.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";
import { sqliteFolder } from "./sqlite-folder.ts";

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
    const turn = a.ticketFor(x);
    await turn.granted();
    await b.ticketFor(y).granted();
    await b.ticketFor(y).ask();
    expect(await a.backend.inspectLock(x)).toMatchObject({ holder: { token: turn.ticket }, waiters: 0 });
    const all = { idPrefix: "", limit: 10 };
    for (const [client, id] of [
      [a, x],
      [b, y],
    ] as const) {
      expect((await client.backend.listStates(null, all)).entries).toMatchObject([{ id, bytes: 1 }]);
      expect((await client.backend.listLocks(null, all)).entries).toMatchObject([{ id }]);
    }
    expect(await b.write("other", remove())).toEqual({ status: "deleted", existed: false });
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
