// The file is replaced while it is open, or while it is being opened. It is refused with an error that says what to do;
// what stands at the path stays intact, and what was acknowledged is where it was written.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync } from "node:fs";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import { save } from "../../../src/testing/contract-client.ts";
import { failure, sqliteFolder } from "./sqlite-folder.ts";
import { backUp, expectIntact, fill, foreignLog, gone, script } from "./replaced-file.ts";

describe("replaced while it is open", () => {
  test("[S3] each call of the old store is refused, the new file stays intact, and a new store goes on with it", async () => {
    const folder = sqliteFolder();
    const [a, b] = [folder.connect(), folder.connect()];
    await fill(a, "a");
    const backup = backUp(folder);
    await fill(a, "b");
    await b.load("s1");
    const turn = a.ticketFor("x");
    await turn.granted();
    renameSync(backup, folder.path);

    expect(await failure(b.load("s1"))).toMatchObject({ ...gone, outcome: "none" });
    expect(await failure(a.write("s1", save("lost")))).toMatchObject({ ...gone, outcome: "none" });
    expect(await failure(turn.renew())).toMatchObject(gone);
    expect(await failure(a.ticketFor("y").ask())).toMatchObject(gone);
    expectIntact(folder.path, "a");
    const next = folder.connect();
    expect(await next.load("s1")).toBe("a".repeat(300));
    await fill(next, "c");
    for (const old of [a, b]) {
      expect(await failure(old.load("s1"))).toMatchObject(gone);
      await old.backend.close();
    }
    await next.backend.close();
    expectIntact(folder.path, "c");
  });

  test("[S3] [S5] under load of several processes: all of them end with the error, and nothing reaches the new file", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await fill(client, "a");
    const backup = backUp(folder);
    await fill(client, "b");
    const writers = [0, 1, 2].map((n) => {
      const child = spawn(process.execPath, [script, folder.path, `w${String(n)}`, "0"], { stdio: "pipe" });
      const writer = { child, said: "", errors: "", ended: once(child, "close") };
      child.stdout.on("data", (chunk: Buffer) => (writer.said += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (writer.errors += chunk.toString()));
      return writer;
    });
    for (const { child } of writers) await once(child.stdout, "data");
    for (const { child } of writers) await once(child.stdout, "data");
    renameSync(backup, folder.path);
    for (const { child, ended } of writers) {
      await ended;
      expect(child.exitCode).toBe(1);
    }
    for (const { errors } of writers) expect(errors).toContain("was replaced or deleted while it was open");
    expectIntact(folder.path, "a");
    expect(await failure(client.load("s1"))).toMatchObject(gone);
    await client.backend.close();
    expectIntact(folder.path, "a");
    expect(await folder.connect().load("s7")).toBe("a".repeat(300));
  }, 60_000);

  test("[S5] a commit that the replacing overtakes is unknown", async () => {
    const folder = sqliteFolder();
    let replace = (): void => undefined;
    class Overtaken extends DatabaseSync {
      override prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
        const statement = super.prepare(sql);
        const run = statement.run.bind(statement);
        if (sql === "COMMIT") statement.run = () => (replace(), run());
        return statement;
      }
    }
    const client = folder.connect({ driver: Overtaken });
    await fill(client, "a");
    const backup = backUp(folder);
    replace = () => {
      replace = () => undefined;
      renameSync(backup, folder.path);
    };
    expect(await failure(client.write("s1", save("?")))).toMatchObject({ ...gone, outcome: "unknown" });
    expectIntact(folder.path, "a");
  });

  test("[S3] nobody has looked yet: a store that is opened now is refused, until the old one is closed", async () => {
    const folder = sqliteFolder();
    const idle = folder.connect();
    await fill(idle, "a");
    const backup = backUp(folder);
    await fill(idle, "b");
    renameSync(backup, folder.path);
    const next = folder.connect();
    expect(await failure(next.load("s1"))).toMatchObject(foreignLog);
    expect(await failure(next.write("s1", save("c")))).toMatchObject(foreignLog);
    await idle.backend.close();
    expectIntact(folder.path, "a");
    expect(await next.load("s1")).toBe("a".repeat(300));
  });
});

describe("replaced while it is being opened", () => {
  test.each(["when SQLite has opened it", "when it was set up"])(
    "[S3] %s: the try fails, nothing reaches either file, and the next one uses the new file",
    async (moment) => {
      const folder = sqliteFolder();
      const first = folder.connect();
      await fill(first, "a");
      const backup = backUp(folder);
      await fill(first, "b");
      await first.backend.close();
      const elsewhere = `${folder.path}.old`;
      const replace = (): void => {
        if (existsSync(elsewhere)) return;
        renameSync(folder.path, elsewhere);
        renameSync(backup, folder.path);
      };
      class Overtaken extends DatabaseSync {
        constructor(path: string) {
          super(path);
          if (moment === "when SQLite has opened it") replace();
        }
        override prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
          if (sql.startsWith("SELECT place")) replace();
          return super.prepare(sql);
        }
      }
      const client = folder.connect({ driver: Overtaken });
      expect(await failure(client.write("s1", save("c")))).toMatchObject({
        ...{ code: "UNREACHABLE", outcome: "none", lasting: false },
        message: expect.stringContaining("while it was being opened") as string,
      });
      expect(existsSync(`${folder.path}-wal`)).toBe(false);
      expectIntact(elsewhere, "b");
      expectIntact(folder.path, "a");
      await fill(client, "c");
      await client.backend.close();
      expectIntact(folder.path, "c");
      expectIntact(elsewhere, "b");
    },
  );

  test("[S5] the look after a commit fails: unknown for all that were in it, and none of them runs again", async () => {
    const folder = sqliteFolder();
    const real = mkdtempSync(join(dirname(folder.path), "real-"));
    const [at, moved] = [join(dirname(folder.path), "at"), join(dirname(folder.path), "moved")];
    symlinkSync(real, at);
    let commits = 0;
    let spoil = (): void => undefined;
    class Spoiled extends DatabaseSync {
      override prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
        const statement = super.prepare(sql);
        const run = statement.run.bind(statement);
        if (sql === "COMMIT") statement.run = () => ((commits += 1), spoil(), run());
        return statement;
      }
    }
    const client = folder.connect({ path: join(at, "store.db"), driver: Spoiled });
    await client.saved("x", save("1"));
    commits = 0;
    spoil = () => {
      spoil = () => undefined;
      renameSync(at, moved);
      symlinkSync("at", at); // ELOOP for each look
    };
    const failures = await Promise.all(["x", "y"].map((id) => failure(client.write(id, save("2")))));
    for (const error of failures) expect(error).toMatchObject({ outcome: "unknown", lasting: true });
    expect(commits).toBe(1);
    rmSync(at);
    renameSync(moved, at);
    expect(await client.load("y")).toBe("2");
  });
});
