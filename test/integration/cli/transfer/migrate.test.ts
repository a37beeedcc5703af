// holdfast migrate: every state arrives as it was, the old store stays as it is, and nothing is lost by an interruption.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { open } from "../../../../src/index.ts";
import { migrateCommand } from "../../../../src/cli/transfer/migrate.ts";
import { poll } from "../../../support/poll.ts";
import { failureOf, runCli, startCli, type CliResult } from "../../../support/cli.ts";
import {
  contents,
  countIn,
  dumpOfRedis,
  dumpOfSqlite,
  fill,
  filled,
  startStores,
  type Stores,
} from "./stores.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes, each of which starts and ends

let stores: Stores;
let redis: string;
let files = 0;
/** A file that does not exist yet. */
let file: string;

beforeAll(async () => {
  stores = await startStores();
  redis = stores.server.url;
});
beforeEach(async () => {
  await stores.server.command("FLUSHALL");
  file = stores.sqlite(`${String((files += 1))}.db`);
});
afterAll(() => stores.end());

const migrate = (...args: string[]): Promise<CliResult> => runCli(["migrate", ...args]);

test("from Redis to SQLite, and from there to another prefix of Redis: equal to the byte", async () => {
  await fill(redis);
  const before = await contents(redis);
  expect(await migrate("--from", redis, "--to", file, "--json")).toMatchObject({ code: 0, stderr: "" });
  expect(await contents(file)).toEqual(before);
  const back = await migrate("--from", file, "--to", redis, "--to-prefix", "other:");
  expect(back).toMatchObject({ code: 0, stdout: `${String(filled)} written.\n`, stderr: "" });
  expect(await contents(redis, { prefix: "other:" })).toEqual(before);
  await using store = open(file);
  expect(await store.once("paid:1", { keepMs: 1_000 }).run(() => "again")).toBe("receipt");
  const { expiresInMs } = (await store.state("expires").read()) ?? {};
  expect(expiresInMs).toBeGreaterThan(500_000);
});

test("between stores of several shards, with a dry run before", async () => {
  const admin = stores.server.adminUrl;
  await fill(redis);
  const [before, dump] = [await contents(redis), await dumpOfRedis(stores.server)];
  const to = ["--to", admin, "--to-shards", "3", "--to-prefix", "three:"];
  const dry = await migrate("--from", redis, ...to, "--dry-run", "--json");
  expect(dry.code).toBe(0);
  expect(
    dry.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toContainEqual({
    dryRun: true,
    kind: "once",
    id: "paid:1",
    outcome: "written",
  });
  expect(await dumpOfRedis(stores.server)).toBe(dump);
  expect(await migrate("--from", redis, ...to)).toMatchObject({
    code: 0,
    stdout: `${String(filled)} written.\n`,
  });
  expect(await contents(admin, { prefix: "three:", shards: 3 })).toEqual(before);
  const wrong = await migrate("--from", admin, "--from-shards", "2", "--from-prefix", "three:", "--to", file);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(/shard [12] of 3/);
  const from = ["--from", admin, "--from-shards", "3", "--from-prefix", "three:"];
  expect(await migrate(...from, "--to", file)).toMatchObject({ code: 0 });
  expect(await contents(file)).toEqual(before);
});

test("only ids that begin with a prefix", async () => {
  await fill(redis);
  expect(await migrate("--from", redis, "--to", file, "--id-prefix", "p")).toMatchObject({ code: 0 });
  expect(Object.keys(await contents(file))).toEqual(["\u0001once:paid:1", "plain"]);
});

test("the old store stays as it is, and a dry run makes no file", async () => {
  await using store = open(file);
  await store.state("a").save(1);
  const before = dumpOfSqlite(file).replaceAll(/"stamp[^\]]*\]/g, "");
  const absent = stores.sqlite("absent.db");
  expect(await migrate("--from", file, "--to", absent, "--dry-run")).toMatchObject({
    code: 0,
    stdout: '"a" would be written\nDry run: 1 written.\n',
  });
  expect(existsSync(absent.slice("sqlite:".length))).toBe(false);
  expect(dumpOfSqlite(file).replaceAll(/"stamp[^\]]*\]/g, "")).toBe(before);
  const contentsBefore = await contents(file);
  expect(await migrate("--from", file, "--to", absent)).toMatchObject({ code: 0 });
  expect(await contents(file)).toEqual(contentsBefore);
  expect(await contents(absent)).toEqual(contentsBefore);
});

test("[S2] [L3] revisions and fences rise, also where no state was copied, though the new clock is behind", async () => {
  const ahead = (Date.now() + 86_400_000) * 1_000;
  await stores.server.command("SET", "holdfast:stamp", String(ahead)); // as if the clock had been a day ahead
  const old = open(redis);
  const revision = await old.state("a").save(1);
  const fence = await old.lock("never saved").run((grant) => grant.fence);
  await old.close();
  expect(fence).toBeGreaterThan(ahead);
  expect(await migrate("--from", redis, "--to", file)).toMatchObject({ code: 0, stderr: "" });
  await using store = open(file);
  expect((await store.state("a").read())?.revision).toBeGreaterThan(revision);
  expect(await store.lock("never saved").run((grant) => grant.fence)).toBeGreaterThan(fence);
  expect(Object.keys(await contents(redis))).toEqual(["a"]);
  expect(Object.keys(await contents(file))).toEqual(["a"]);
});

test("killed in the middle, and completed by the same call", async () => {
  const store = open(redis);
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.state(`id:${String(n)}`).save(n)));
  await store.close();
  const before = await contents(redis);
  const child = startCli(["migrate", "--from", redis, "--to", file]);
  await poll(() => countIn(file)).toBeGreaterThan(20);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(countIn(file)).toBeLessThan(1_000);
  const { code, stdout } = await migrate("--from", redis, "--to", file, "--json");
  const { written, equal } = JSON.parse(stdout) as { written: number; equal: number };
  expect([code, written + equal, equal > 20, written > 0]).toEqual([0, 1_000, true, true]);
  expect(await contents(file)).toEqual(before);
});

describe("a store that is in use", () => {
  test("is refused while a lock is held; with --live, it is copied", async () => {
    await using store = open(redis);
    await store.state("a").save(1);
    await using _grant = await store.lock("busy").acquire();
    const { code, stdout, stderr } = await migrate("--from", redis, "--to", file);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain('the lock "busy" is held by');
    expect(await contents(file)).toEqual({});
    expect(await migrate("--from", redis, "--to", file, "--live")).toMatchObject({
      code: 0,
      stdout: "1 written.\n",
    });
  });

  test("states that change, go or come meanwhile are named", async () => {
    await using old = open(redis);
    await using fresh = open(file);
    for (const id of ["changed", "touched", "deleted", "same"]) await old.state(id).save(id);
    const grant = await fresh.lock("same").acquire(); // the copy waits for it, and has the others by then
    const child = runCli(["migrate", "--from", redis, "--to", file]);
    await poll(() => countIn(file)).toBe(3);
    await old.state("changed").save("anew");
    await old.state("touched").touch(1_000_000);
    await old.state("deleted").delete();
    await old.state("created").save(1);
    await grant.release();
    const { code, stdout, stderr } = await child;
    expect(code).toBe(1);
    expect(stdout).toBe("4 written, 4 failed, 4 changed.\n");
    for (const what of ["changed", "created", "deleted"])
      expect(stderr).toContain(`"${what}": it was ${what} in the old`);
    expect(stderr).toContain(
      '"touched": it was changed in the old store meanwhile; run this again with --overwrite.',
    );
  });
});

const redisThatIsNotAsked = "redis://127.0.0.1:1";

describe("refused", () => {
  test.each([
    [[], "--from and --to are needed"],
    [["--to", "nonsense://user:s3cret@a"], "nonsense:"],
    [["--to", "memory:"], "memory: is a store of one process alone"],
    [["--to", redisThatIsNotAsked, "--to-prefix", "a{"], "--prefix must have no braces"],
    [["--to", redisThatIsNotAsked, "--id-prefix", "}"], '--id-prefix must not begin with "}"'],
  ])("--from a store %j is wrong usage", async (args, message) => {
    const { code, text } = await failureOf(migrateCommand, ["--from", redis, ...args]);
    expect([code, text]).toEqual([2, expect.stringContaining(message)]);
    expect(text).not.toContain("s3cret");
  });

  test("one place under two spellings", async () => {
    await open(file)
      .ready()
      .then((store) => store.close());
    const again = file.replace(stores.folder, `${stores.folder}/.`);
    expect(await failureOf(migrateCommand, ["--from", file, "--to", again])).toMatchObject({ code: 2 });
  });

  test("a file that does not exist is not made", async () => {
    const { code, stderr } = await migrate("--from", file, "--to", redis);
    expect([code, stderr]).toEqual([3, expect.stringContaining("There is no file ")]);
    expect(existsSync(file.slice("sqlite:".length))).toBe(false);
  });
});
