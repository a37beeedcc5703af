// Shared locks and semaphores in a file: an older file, rows that have ended, and many holders.

import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";

import { save } from "../../../src/testing/contract-client.ts";
import { sqliteFolder, type SqliteFolder } from "./sqlite-folder.ts";

const shared = { share: { kind: "shared" } } as const;
const permits = { share: { kind: "permits", weight: 1, limit: 5_000 } } as const;

const count = (db: DatabaseSync, table: string): number =>
  Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);

/** Takes away what format 3 added. */
function toFormatTwo(folder: SqliteFolder): void {
  const db = folder.raw();
  for (const column of ["holders", "used", "first_ends_at"])
    db.exec(`ALTER TABLE locks DROP COLUMN ${column}`);
  db.exec(
    "ALTER TABLE waiters DROP COLUMN weight; DROP TABLE holders; DROP TABLE semaphores; DROP TABLE waits;",
  );
  db.exec("PRAGMA user_version = 2");
  db.close();
}

test("[S1] [L1] [L12] a file of format 2 is brought up to date, with its states, locks and waiters", async () => {
  const folder = sqliteFolder();
  const old = folder.connect();
  await old.saved("x", save("1"));
  const [holder, waiter] = [old.ticketFor("x"), old.ticketFor("x")];
  const fence = await holder.granted();
  await waiter.queued();
  await old.backend.close();
  toFormatTwo(folder);

  const client = folder.connect();
  expect(await client.load("x")).toBe("1");
  expect(await client.backend.inspectLock("x")).toMatchObject({ fence, waiters: 1 });
  const [one, two] = [client.ticketFor("y"), client.ticketFor("y")];
  await one.granted(shared);
  await two.granted(shared);
  expect((await client.backend.inspectLock("y"))?.shares).toHaveLength(2);
  const again = folder.connect();
  expect((await again.backend.inspectLock("y"))?.shares).toHaveLength(2);
  expect(folder.raw().prepare("PRAGMA user_version").get()).toEqual({ user_version: 3 });
});

test("[S1] two processes that open a file of format 2 at once both find it brought up to date", async () => {
  const folder = sqliteFolder();
  await folder.connect().saved("x", save("1"));
  toFormatTwo(folder);
  const clients = [folder.connect(), folder.connect()];
  expect(await Promise.all(clients.map((client) => client.load("x")))).toEqual(["1", "1"]);
});

test("[L12] [L13] holders that died, and semaphores that nobody uses: new ones come in, old ones go", async () => {
  let time = 1_700_000_000_000;
  const folder = sqliteFolder();
  const client = folder.connect({ now: () => time });
  const round = async (name: string): Promise<void> => {
    for (let n = 0; n < 100; n += 1) {
      await client.ticketFor(`${name}.${String(n)}`).granted({ ...shared, leaseMs: 500 });
      await client.ticketFor(`${name}.s${String(n)}`).granted({ ...permits, leaseMs: 500 });
    }
  };
  await round("a");
  const db = folder.raw();
  expect([count(db, "holders"), count(db, "semaphores")]).toEqual([200, 100]);
  time += 1_000;
  await round("b");
  await round("c");
  expect(count(db, "holders")).toBeLessThan(450);
  expect(count(db, "semaphores")).toBe(300);
  time += 86_400_000 + 4_000_000;
  await round("d");
  await round("e");
  expect(count(db, "semaphores")).toBeLessThanOrEqual(250);
  expect(count(db, "holders")).toBeLessThan(450);
});

test("[L13] with a thousand holders, what a request reads is found by an index", async () => {
  const folder = sqliteFolder();
  await folder.connect().backend.ready();
  const db = folder.raw();
  const plan = (sql: string): string =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all("", "")
      .map(({ detail }) => String(detail))
      .join("; ");
  const first = plan(
    "SELECT ticket FROM holders WHERE prefix = ? AND id = ? ORDER BY ends_at, fence LIMIT 1",
  );
  expect(first).toMatch(/^SEARCH holders USING (COVERING )?INDEX holders_ends_at \(prefix=\? AND id=\?\)$/);
});

test("[L13] a thousand holders: each is released, renewed and counted by itself", async () => {
  const folder = sqliteFolder();
  class Unsynced extends DatabaseSync {
    override exec(sql: string): void {
      super.exec(sql.replace("synchronous = FULL", "synchronous = OFF"));
    }
  }
  const client = folder.connect({ driver: Unsynced });
  const holders = Array.from({ length: 1_000 }, () => client.ticketFor("x"));
  for (const holder of holders) await holder.granted({ share: { ...permits.share, limit: 1_000 } });
  const late = client.ticketFor("x");
  expect(await late.ask({ share: { ...permits.share, limit: null } })).toMatchObject({
    ...{ status: "waiting", holders: 1_000, holder: { token: holders[0]?.ticket } },
  });
  await holders[500]?.released();
  await late.granted(permits);
  expect(await holders[0]?.renew()).toBe("renewed");
  expect((await client.backend.inspectSemaphore("x"))?.holders).toHaveLength(1_000);
});
