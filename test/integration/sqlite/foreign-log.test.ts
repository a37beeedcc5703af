// The file stands beside another one's log, which a process that was killed left behind: it is refused with an error
// that says what to do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import { failure, sqliteFolder, type SqliteFolder } from "./sqlite-folder.ts";
import { backUp, expectIntact, fill, foreignLog, script } from "./replaced-file.ts";

describe("the log of a process that was killed", () => {
  async function killed(folder: SqliteFolder): Promise<void> {
    const child = spawn(process.execPath, [script, folder.path, "w", "0"], { stdio: "pipe" });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    while (!said.includes("w.3;")) await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "close");
    expect(existsSync(`${folder.path}-wal`)).toBe(true);
  }

  test("[S3] another file in its place: refused, and both left as they are", async () => {
    const folder = sqliteFolder();
    const first = folder.connect();
    await fill(first, "a");
    const backup = backUp(folder);
    await fill(first, "b");
    await first.backend.close();
    await killed(folder);
    renameSync(backup, folder.path);
    const [file, log] = [folder.path, `${folder.path}-wal`].map((path) => readFileSync(path));
    expect(await failure(folder.connect().backend.ready())).toMatchObject(foreignLog);
    expect(readFileSync(folder.path).equals(file ?? Buffer.of())).toBe(true);
    expect(readFileSync(`${folder.path}-wal`).equals(log ?? Buffer.of())).toBe(true);
    for (const end of ["-wal", "-shm"]) rmSync(folder.path + end);
    expect(await folder.connect().load("s1")).toBe("a".repeat(300));
    expectIntact(folder.path, "a");
  });

  test("[S3] the same file, and a copy of file and log in another folder, are opened with all there is", async () => {
    const folder = sqliteFolder();
    await killed(folder);
    const elsewhere = join(dirname(folder.path), "elsewhere/store.db");
    mkdirSync(dirname(elsewhere));
    for (const end of ["", "-wal"]) copyFileSync(folder.path + end, elsewhere + end);
    for (const path of [folder.path, elsewhere])
      expect(await folder.connect({ path }).load("list")).toMatch(/^w\.0;w\.1;w\.2;/);
  });

  test("[S3] a copy of both that was put back: refused, and what the error says to do keeps all there is", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await fill(client, "a");
    for (const end of ["", "-wal", "-shm"]) copyFileSync(folder.path + end, `${folder.path}.copy${end}`);
    await client.backend.close();
    rmSync(folder.path);
    for (const end of ["", "-wal", "-shm"]) renameSync(`${folder.path}.copy${end}`, folder.path + end);
    expect(await failure(folder.connect().load("s1"))).toMatchObject(foreignLog);
    const elsewhere = join(dirname(folder.path), "elsewhere/store.db");
    mkdirSync(dirname(elsewhere));
    for (const end of ["", "-wal"]) renameSync(folder.path + end, elsewhere + end);
    const folding = folder.connect({ path: elsewhere });
    await folding.load("s1");
    await folding.backend.close();
    rmSync(`${folder.path}-shm`);
    renameSync(elsewhere, folder.path);
    expect(await folder.connect().load("s1")).toBe("a".repeat(300));
    expectIntact(folder.path, "a");
  });

  test.skipIf(process.getuid?.() === 0)(
    "a copy that can only be read is opened beside its empty log",
    async () => {
      const folder = sqliteFolder();
      const client = folder.connect();
      await fill(client, "a");
      await client.backend.close();
      const copy = `${folder.path}.copy`;
      copyFileSync(folder.path, copy);
      chmodSync(copy, 0o444);
      for (const reader of [folder.connect({ path: copy }), folder.connect({ path: copy })])
        expect(await reader.load("s1")).toBe("a".repeat(300));
    },
  );
});
