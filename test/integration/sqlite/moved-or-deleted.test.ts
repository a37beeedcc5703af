// The file is moved or deleted while it is open, also by a process that only read, or behind a symbolic link: no
// acknowledged change is lost, and what stands at the path stays intact.

import { existsSync, readFileSync } from "node:fs";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import { save, type ContractClient } from "../../../src/testing/contract-client.ts";
import { failure, sqliteFolder, type SqliteFolder } from "./sqlite-folder.ts";
import { backUp, expectIntact, fill, foreignLog, gone } from "./replaced-file.ts";

describe("moved and deleted while it is open", () => {
  test("[S3] moved away: the log goes with it, so that nothing that was acknowledged is missing there", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await fill(client, "a");
    const elsewhere = join(dirname(folder.path), "elsewhere.db");
    renameSync(folder.path, elsewhere);
    expect(await failure(client.load("s1"))).toMatchObject(gone);
    expectIntact(elsewhere, "a");
    expect(existsSync(folder.path)).toBe(false);
    expect(existsSync(`${folder.path}-wal`)).toBe(false);
  });

  test.each([["store.db"], ["store.db", "store.db-wal", "store.db-shm"]])(
    "[L1] deleted (%s%s): the old store is refused, also when another one has made a new file; that one begins anew",
    async (...names) => {
      const folder = sqliteFolder();
      const old = folder.connect();
      await old.saved("x", save("1"));
      const fence = await old.ticketFor("x").granted();
      for (const name of names) rmSync(join(dirname(folder.path), name));
      expect(await failure(old.load("x"))).toMatchObject(gone);
      const next = folder.connect();
      expect(await next.load("x")).toBeNull();
      expect(await next.ticketFor("x").granted()).toBeGreaterThan(fence);
      expect(await failure(old.write("x", save("2")))).toMatchObject(gone);
      await old.backend.close();
      await next.saved("y", save("3"));
      expect(await folder.connect().load("y")).toBe("3");
    },
  );

  test("deleted without its log: a store that is opened now is refused while the old one may be there", async () => {
    const folder = sqliteFolder();
    const idle = folder.connect();
    await idle.saved("x", save("1"));
    rmSync(folder.path);
    const next = folder.connect();
    expect(await failure(next.load("x"))).toMatchObject(foreignLog);
    expect(existsSync(folder.path)).toBe(false);
    await idle.backend.close();
    expect(await next.load("x")).toBeNull();
  });
});

describe("a process that only read since it opened the file, whose log is empty", () => {
  async function opened(folder: SqliteFolder): Promise<ContractClient> {
    const first = folder.connect();
    await fill(first, "a");
    await first.backend.close();
    const reader = folder.connect();
    expect(await reader.load("s1")).toBe("a".repeat(300));
    expect(readFileSync(`${folder.path}-wal`)).toHaveLength(0);
    return reader;
  }

  test("[S3] deleted: a new store waits until the old one has left, and keeps all that it acknowledges", async () => {
    const folder = sqliteFolder();
    const reader = await opened(folder);
    rmSync(folder.path);
    const next = folder.connect();
    expect(await failure(next.load("s1"))).toMatchObject(foreignLog);
    expect(existsSync(folder.path)).toBe(false);
    expect(await failure(reader.load("s1"))).toMatchObject(gone);
    expect(await next.load("s1")).toBeNull();
    await fill(next, "b");
    await reader.backend.close();
    await next.backend.close();
    expectIntact(folder.path, "b");
  });

  test.each([
    ["another run of the machine", (place: unknown[]) => ["another", place[1], "1"]],
    ["another path", (place: unknown[]) => [place[0], "/elsewhere/store.db", "1"]],
    ["both", () => ["another", "/elsewhere/store.db", "1"]],
  ])("[S3] replaced by a backup of %s: likewise", async (_, placeOf) => {
    const folder = sqliteFolder();
    const reader = await opened(folder);
    const backup = backUp(folder);
    const db = new DatabaseSync(backup);
    const { place } = db.prepare("SELECT place FROM stamps").get() as { place: string };
    const elsewhere = JSON.stringify(placeOf(JSON.parse(place) as unknown[]));
    db.prepare("UPDATE stamps SET place = ?").run(elsewhere);
    db.close();
    renameSync(backup, folder.path);
    const next = folder.connect();
    expect(await failure(next.load("s1"))).toMatchObject(foreignLog);
    expect(await failure(reader.load("s1"))).toMatchObject(gone);
    await fill(next, "b");
    await reader.backend.close();
    await next.backend.close();
    expectIntact(folder.path, "b");
  });

  test("[S3] a new file that was opened without asking: its frames are neither checkpointed nor taken away", async () => {
    const folder = sqliteFolder();
    const reader = await opened(folder);
    const backup = backUp(folder);
    renameSync(backup, folder.path);
    const other = folder.raw(); // as a store would whose look was overtaken
    other.exec("PRAGMA journal_mode = WAL");
    other.exec(`UPDATE stamps SET place = '["run","${folder.path}","1"]'`);
    other.exec("UPDATE states SET revision = 7");
    const log = readFileSync(`${folder.path}-wal`);
    expect(await failure(reader.load("s1"))).toMatchObject({ code: expect.any(String) as string });
    expect(await failure(reader.load("s1"))).toMatchObject(gone);
    expect(readFileSync(`${folder.path}-wal`).equals(log)).toBe(true);
    other.close();
    const db = folder.raw();
    expect(db.prepare("SELECT count(*) AS n FROM states WHERE revision = 7").get()).toEqual({ n: 300 });
  });

  test("[S6] replaced by the file of another program: that one is left as it is", async () => {
    const folder = sqliteFolder();
    const client = await opened(folder);
    await client.saved("s1", save("changed")); // so that the log has no page that tells whose file it is
    const theirs = `${folder.path}.theirs`;
    const db = new DatabaseSync(theirs);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE theirs (x)");
    db.close();
    const content = readFileSync(theirs);
    renameSync(theirs, folder.path);
    const log = readFileSync(`${folder.path}-wal`);
    expect(await failure(folder.connect().load("s1"))).toMatchObject({ name: "CorruptStateError" });
    expect(readFileSync(folder.path).equals(content)).toBe(true);
    expect(readFileSync(`${folder.path}-wal`).equals(log)).toBe(true);
    await client.backend.close();
    expect(readFileSync(folder.path).equals(content)).toBe(true);
  });
});

describe("a symbolic link", () => {
  test("[S3] its file is replaced: the log is looked for beside the file", async () => {
    const folder = sqliteFolder();
    const link = join(dirname(folder.path), "link.db");
    symlinkSync(folder.path, link);
    const old = folder.connect({ path: link });
    await fill(old, "a");
    const backup = backUp(folder);
    await fill(old, "b");
    renameSync(backup, folder.path);
    const next = folder.connect({ path: link });
    expect(await failure(next.load("s1"))).toMatchObject(foreignLog);
    expect(await failure(old.load("s1"))).toMatchObject(gone);
    expect(await next.load("s1")).toBe("a".repeat(300));
    expectIntact(folder.path, "a");
  });

  test("[S3] its file is deleted: likewise", async () => {
    const folder = sqliteFolder();
    const link = join(dirname(folder.path), "link.db");
    symlinkSync(folder.path, link);
    const old = folder.connect({ path: link });
    await old.saved("x", save("1"));
    rmSync(folder.path);
    const next = folder.connect({ path: link });
    expect(await failure(next.load("x"))).toMatchObject(foreignLog);
    await old.backend.close();
    expect(await next.load("x")).toBeNull();
  });

  test("[S3] it leads elsewhere now: the log of the first file stays for those that go on with it", async () => {
    const folder = sqliteFolder();
    const link = join(dirname(folder.path), "link.db");
    symlinkSync(folder.path, link);
    const [byLink, byPath] = [folder.connect({ path: link }), folder.connect()];
    await fill(byLink, "a");
    await byPath.load("s1");
    rmSync(link);
    symlinkSync(`${folder.path}.other`, link);
    expect(await failure(byLink.load("s1"))).toMatchObject(gone);
    expect(existsSync(`${folder.path}-wal`)).toBe(true);
    await fill(byPath, "b");
    await byPath.backend.close();
    expectIntact(folder.path, "b");
  });
});
