// The file is replaced, moved or deleted while it is open, or stands beside another one's log. It is refused with
// an error that says what to do; what stands at the path stays intact, and what was acknowledged is where it was written.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";

import { save, type ContractClient } from "../../../src/testing/contract-client.ts";
import { failure, sqliteFolder, type SqliteFolder } from "./sqlite-folder.ts";

const script = join(import.meta.dirname, "sqlite-writer.ts");
const gone = {
  name: "UnavailableError",
  code: "UNREACHABLE",
  lasting: true,
  message: expect.stringMatching(
    /was replaced or deleted while it was open.*restart every process/,
  ) as string,
};
const foreignLog = {
  code: "UNREACHABLE",
  outcome: "none",
  message: expect.stringMatching(
    /-wal or -shm beside it is not known to be its own.*copied or restored together, that -wal holds acknowledged changes.*without the -shm/,
  ) as string,
};

async function fill(client: ContractClient, value: string): Promise<void> {
  const ids = Array.from({ length: 300 }, (_, n) => `s${String(n)}`);
  await Promise.all(ids.map((id) => client.saved(id, save(value.repeat(300)))));
}

/** A backup of now; then the original goes on. */
function backUp(folder: SqliteFolder): string {
  const path = `${folder.path}.backup`;
  const db = new DatabaseSync(folder.path);
  db.exec(`VACUUM INTO '${path}'`);
  db.close();
  return path;
}

/** As another program sees the file: sound, with all the states, each of this value. */
function expectIntact(path: string, value: string): void {
  const db = new DatabaseSync(path);
  expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  const rows = db.prepare("SELECT bytes FROM states WHERE id LIKE 's%'").all();
  expect(rows).toHaveLength(300);
  expect(new Set(rows.map(({ bytes }) => Buffer.from(bytes as Uint8Array).toString()))).toEqual(
    new Set([value.repeat(300)]),
  );
  db.close();
}

describe("replaced while it is open", () => {
  test("[S3] each call of the old store is refused, the new file stays intact, and a new store goes on with it", async () => {
    const folder = sqliteFolder();
    const [a, b] = [folder.connect(), folder.connect()];
    await fill(a, "a");
    const backup = backUp(folder);
    await fill(a, "b");
    await b.load("s1");
    const turn = a.turn("x");
    await turn.granted();
    renameSync(backup, folder.path);

    expect(await failure(b.load("s1"))).toMatchObject({ ...gone, outcome: "none" });
    expect(await failure(a.write("s1", save("lost")))).toMatchObject({ ...gone, outcome: "none" });
    expect(await failure(turn.renew())).toMatchObject(gone);
    expect(await failure(a.turn("y").ask())).toMatchObject(gone);
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
      const fence = await old.turn("x").granted();
      for (const name of names) rmSync(join(dirname(folder.path), name));
      expect(await failure(old.load("x"))).toMatchObject(gone);
      const next = folder.connect();
      expect(await next.load("x")).toBeNull();
      expect(await next.turn("x").granted()).toBeGreaterThan(fence);
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
