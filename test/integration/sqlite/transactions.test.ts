// How calls become transactions: alone or together, when another process writes, when the disk is full or fails.

import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";

import type { SqlDriver } from "../../../src/backends/sqlite/driver.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";
import { commit } from "../../support/commit.ts";
import { failure, sqliteFolder } from "./sqlite-folder.ts";

const big = "x".repeat(4_000_000);

/** A disk with little room. */
class Small extends DatabaseSync {
  constructor(path: string) {
    super(path);
    this.exec("PRAGMA max_page_count = 64");
  }
}

describe("while another process writes", () => {
  test("[S5] a write fails soon, says that nothing was done, and succeeds later", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await client.saved("x", save("1"));
    const other = folder.raw();
    other.exec("BEGIN IMMEDIATE");
    const waits: number[] = [];
    for (let tries = 0; tries < 10; tries += 1) {
      const began = performance.now();
      const error = await failure(client.write("x", save("2")));
      waits.push(performance.now() - began);
      expect(error).toMatchObject({ name: "UnavailableError", code: "UNREACHABLE", outcome: "none" });
    }
    // A longer wait would stop renewals. The shortest counts: a busy machine makes a try longer, and none shorter.
    expect(Math.min(...waits)).toBeLessThan(150);
    expect(await client.load("x")).toBe("1");
    other.exec("COMMIT");
    expect(await client.write("x", save("2"))).toMatchObject({ status: "saved" });
  });

  test("a fresh file that another is setting up can be opened on the next try", async () => {
    const folder = sqliteFolder();
    const other = folder.raw();
    other.exec("BEGIN EXCLUSIVE");
    const client = folder.connect();
    expect(await failure(client.backend.ready())).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    other.exec("COMMIT");
    await client.backend.ready();
    expect(await client.load("x")).toBeNull();
  });
});

describe("[S5] an attempt that could not open the file was not sent", () => {
  test("the next one is a first attempt: its refusal is not recorded", async () => {
    const folder = sqliteFolder();
    const other = folder.raw();
    other.exec("BEGIN EXCLUSIVE");
    const client = folder.connect();
    const receipt = client.receipt();
    const error = await failure(client.write("x", save("1"), receipt));
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    other.exec("COMMIT");
    const turn = folder.connect().ticketFor("x");
    await turn.granted();
    expect(await client.write("x", save("1"), receipt)).toEqual({ status: "busy" });
    await turn.released();
    expect(await client.write("x", save("1"), receipt)).toMatchObject({ status: "saved" });
  });
});

describe("the calls of one turn share a commit", () => {
  test("each has its own answer", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await client.backend.ready();
    const watcher = folder.raw();
    const version = () => watcher.prepare("PRAGMA data_version").get();
    const before = version();
    const replies = await Promise.all([
      client.write("x", save("1")),
      client.ticketFor("x").ask(),
      client.write("x", save("2")),
      client.write("y", save("2", { ifRevision: 3 })),
      client.write("y", remove()),
    ]);
    expect(replies).toMatchObject([
      { status: "saved" },
      { status: "granted" },
      { status: "busy" },
      { status: "conflict" },
      { status: "deleted", existed: false },
    ]);
    expect(version()).not.toEqual(before);
    expect(await client.load("x")).toBe("1");
  });

  test("[S3] more calls than fit into one transaction are all answered", async () => {
    const client = sqliteFolder().connect();
    const ids = Array.from({ length: 300 }, (_, n) => `x${String(n)}`);
    const revisions = await Promise.all(ids.map((id) => client.saved(id, save(id))));
    expect(new Set(revisions).size).toBe(300);
    expect(await Promise.all(ids.map((id) => client.load(id)))).toEqual(ids);
  });

  test("[S3] one that fails takes no other with it", async () => {
    const client = sqliteFolder().connect({ driver: Small });
    const [small, tooBig, after] = await Promise.all([
      client.write("small", save("1")),
      failure(client.write("big", save(big))),
      client.write("after", save("2")),
    ]);
    expect(tooBig).toMatchObject({ code: "OUT_OF_MEMORY", outcome: "none" });
    expect([small, after]).toMatchObject([{ status: "saved" }, { status: "saved" }]);
    expect([await client.load("small"), await client.load("big"), await client.load("after")]).toEqual([
      "1",
      null,
      "2",
    ]);
  });

  test("[P2] closing carries out what was asked for before", async () => {
    const folder = sqliteFolder();
    const client = folder.connect();
    await client.backend.ready();
    const writes = Promise.all(["a", "b"].map((id) => client.write(id, save(id))));
    await Promise.resolve();
    await client.backend.close();
    expect(await writes).toMatchObject([{ status: "saved" }, { status: "saved" }]);
    expect(await folder.connect().load("b")).toBe("b");
  });
});

describe("a full disk", () => {
  test("[S4] a release whose value has no room passes the lock on, and says that the save failed", async () => {
    const folder = sqliteFolder();
    const client = folder.connect({ driver: Small });
    const [one, two] = [client.ticketFor("x"), client.ticketFor("x")];
    await one.granted();
    await two.ask();
    const failed = { status: "released", revision: null, failed: "OUT_OF_MEMORY" };
    expect(await one.release({ write: save(big) })).toEqual(failed);
    await two.granted();
    expect(await one.release({ write: save(big) })).toEqual(failed);
    expect(await client.load("x")).toBeNull();
    const keep = { leaseMs: 1_000, fences: 1 };
    expect(await two.release({ write: save(big), keep })).toEqual(failed);
    expect(await client.backend.inspectLock("x")).toBeNull();
  });

  test("[S9] a commit of which one value has no room writes nothing, and all locks are held", async () => {
    const client = sqliteFolder().connect({ driver: Small });
    const tickets = ["x", "y", "z"].map((id) => client.ticketFor(id));
    for (const ticket of tickets) await ticket.granted();
    const waits = client.ticketFor("x");
    await waits.queued();
    const changes = ["1", "2", big].map((text) => ({ write: save(text) }));
    const by = { client, receipt: client.receipt() };
    for (let attempt = 1; attempt <= 2; attempt += 1)
      expect(await failure(commit(by, tickets, changes))).toMatchObject({
        code: "OUT_OF_MEMORY",
        outcome: "none",
      });
    for (const id of ["x", "y", "z"]) expect(await client.load(id)).toBeNull();
    for (const ticket of tickets) expect(await ticket.renew()).toBe("renewed");
    expect(await commit(by, tickets, changes.slice(0, 2))).toMatchObject({ status: "committed" });
    await waits.granted();
  });
});

/** A database whose commits fail in `sync` when told to: after them nobody knows what is on the disk. */
function failingDisk(): { driver: SqlDriver; failNext: (outcome: "lost" | "kept") => void } {
  let next: "lost" | "kept" | undefined;
  class FailingDisk extends DatabaseSync {
    override prepare(sql: string): ReturnType<DatabaseSync["prepare"]> {
      const statement = super.prepare(sql);
      if (sql !== "COMMIT") return statement;
      const run = statement.run.bind(statement);
      statement.run = () => {
        if (next === undefined) return run();
        if (next === "kept") run();
        next = undefined;
        throw Object.assign(new Error("disk I/O error"), { errcode: 1034 });
      };
      return statement;
    }
  }
  return { driver: FailingDisk, failNext: (outcome) => void (next = outcome) };
}

describe("[S5] a commit whose sync fails", () => {
  test.each(["lost", "kept"] as const)("is unknown; its retry finds out (it was %s)", async (outcome) => {
    const { driver, failNext } = failingDisk();
    const folder = sqliteFolder();
    const client = folder.connect({ driver });
    const before = await client.saved("x", save("1"));
    failNext(outcome);
    const receipt = client.receipt();
    const error = await failure(client.write("x", save("2", { ifRevision: before }), receipt));
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
    expect(await client.write("x", save("2", { ifRevision: before }), receipt)).toMatchObject({
      status: "saved",
    });
    expect(await client.load("x")).toBe("2");
  });
});

describe("waiting", () => {
  test("[L2] asking again writes nothing, but for the place", async () => {
    const folder = sqliteFolder();
    const [a, b] = [folder.connect(), folder.connect()];
    const one = a.ticketFor("x");
    await one.granted();
    const two = b.ticketFor("x");
    await two.ask();
    const watcher = folder.raw();
    const version = () => watcher.prepare("PRAGMA data_version").get()?.["data_version"];
    const before = version();
    const began = performance.now();
    while (performance.now() - began < 300) {
      expect(await two.ask()).toMatchObject({ status: "waiting", ahead: 0 });
      await sleep(3);
    }
    expect(version()).toBe(before);
    await sleep(250);
    await two.ask();
    expect(version()).not.toBe(before);
  });

  test("[L2] a waiter that only asks keeps its place beyond the ask limit", async () => {
    const folder = sqliteFolder();
    const [a, b, c] = [folder.connect(), folder.connect(), folder.connect()];
    const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted();
    await two.ask();
    const began = performance.now();
    while (performance.now() - began < 2_600) {
      await two.ask();
      await sleep(20);
    }
    expect(await three.ask()).toMatchObject({ status: "waiting", ahead: 1 });
    await one.release();
    expect(await three.ask()).toMatchObject({ status: "waiting" });
    await two.granted();
  });

  test("[L5] no lease ends early, not by the fraction of a millisecond that the clock does not show", async () => {
    const folder = sqliteFolder();
    const [a, b] = [folder.connect(), folder.connect()];
    for (let round = 0; round < 20; round += 1) {
      const id = `x${String(round)}`;
      const askedAt = performance.now();
      await a.ticketFor(id).granted({ leaseMs: 100 });
      const other = b.ticketFor(id);
      const told = await other.ask();
      await sleep((told as { retryInMs: number }).retryInMs - 4 + Math.random() * 2);
      while ((await other.ask()).status === "waiting");
      expect(performance.now() - askedAt).toBeGreaterThanOrEqual(100);
    }
  });

  test("[L8] [L10] a change is seen at the next ask: release, cancel of another, end of a lease", async () => {
    const folder = sqliteFolder();
    const [a, b, c] = [folder.connect(), folder.connect(), folder.connect()];
    const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted();
    await two.ask();
    await three.ask();
    expect(await three.ask()).toMatchObject({ ahead: 1 });
    await two.cancel();
    expect(await three.ask()).toMatchObject({ status: "waiting", ahead: 0 });
    await a.saved("other", save("1"));
    expect(await three.ask()).toMatchObject({ status: "waiting", ahead: 0 });
    await one.renew(100);
    expect(await three.ask()).toMatchObject({ status: "waiting" });
    await sleep(105);
    await three.granted();
  });
});
