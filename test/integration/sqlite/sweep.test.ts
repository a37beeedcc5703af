// What time has ended is taken away as fast as it comes in, whatever the rate: counted by calls, with time set by hand.

import { expect, test } from "vitest";

import { save } from "../../../src/testing/contract-client.ts";
import { sqliteFolder, type SqliteFolder } from "./sqlite-folder.ts";

function counter(folder: SqliteFolder): (table: string) => number {
  const db = folder.raw();
  return (table) => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]);
}

/** A second's arrivals, each at its own moment; all rows of one life. */
const perSecond = 450;
const lifeMs = 1_000;

test("[S7] 450 new states a second, each for a second: no more are in the file than live", async () => {
  let time = 1_700_000_000_000;
  const folder = sqliteFolder();
  const client = folder.connect({ now: () => time });
  await client.backend.ready();
  const count = counter(folder);
  let most = 0;
  for (let second = 0; second < 4; second += 1) {
    for (let n = 0; n < perSecond; n += 50) {
      time += lifeMs / (perSecond / 50);
      const writes = Array.from({ length: 50 }, (_, at) =>
        client.saved(`x${String(second)}.${String(n + at)}`, save("1", { ttlMs: lifeMs })),
      );
      await Promise.all(writes);
    }
    most = Math.max(most, count("states"));
  }
  expect(most).toBeLessThanOrEqual(perSecond + 100);
});

test("[S7] large states that have expired are taken away a few at a time", async () => {
  let time = 1_700_000_000_000;
  const folder = sqliteFolder();
  const client = folder.connect({ now: () => time });
  for (let n = 0; n < 40; n += 1)
    await client.saved(`x${String(n)}`, save("y".repeat(100_000), { ttlMs: 10 }));
  time += 10;
  const count = counter(folder);
  const later = folder.connect({ now: () => time });
  let before = count("states");
  expect(before).toBe(40);
  for (let n = 0; before > 1; n += 1) {
    expect(n).toBeLessThan(40);
    await later.saved("last", save("1"));
    const after = count("states");
    expect(before - after).toBeLessThanOrEqual(16);
    before = after;
  }
});

test("[L10] locks, places and receipts of processes that died: new ones come in, old ones go", async () => {
  let time = 1_700_000_000_000;
  const folder = sqliteFolder();
  await folder.connect({ now: () => time }).backend.ready();
  const count = counter(folder);
  const most = { locks: 0, waiters: 0, receipts: 0 };
  for (let process = 0; process < 300; process += 1) {
    time += 1_000;
    const client = folder.connect({ now: () => time });
    const turn = client.ticketFor(`job:${String(process)}`);
    await turn.granted({ leaseMs: 5_000 });
    await client.ticketFor(`job:${String(process)}`).ask();
    await client.saved(`done:${String(process)}`, save("1"));
    await client.backend.close(); // as a process does that dies: nothing is released
    for (const table of ["locks", "waiters", "receipts"] as const)
      most[table] = Math.max(most[table], count(table));
  }
  // 5 leases, 2 places and 60 receipts are alive at any time.
  expect(most.locks).toBeLessThan(60);
  expect(most.waiters).toBeLessThan(60);
  expect(most.receipts).toBeLessThan(150);
});

test("[L10] what ended is taken away wherever it stands, by a process that writes elsewhere", async () => {
  let time = 1_700_000_000_000;
  const folder = sqliteFolder();
  const dead = folder.connect({ now: () => time });
  for (let n = 0; n < 200; n += 1) {
    await dead.ticketFor(`x${String(n)}`).granted({ leaseMs: 100 });
    await dead.ticketFor(`x${String(n)}`).ask();
  }
  time += 100_000;
  const later = folder.connect({ now: () => time, prefix: "other:" });
  for (let n = 0; n < 100; n += 1) {
    const turn = later.ticketFor("z");
    await turn.granted();
    await later.ticketFor("z").ask();
    await turn.release();
    await later.ticketFor("z").cancel();
    time += 2_000;
  }
  const count = counter(folder);
  expect(["locks", "waiters"].map(count)).toEqual([1, 1]);
});
