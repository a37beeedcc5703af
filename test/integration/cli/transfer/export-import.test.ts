// holdfast export and import: what is exported from one store is the same in another, to the byte.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type State } from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { runCli, startCli } from "../../../support/cli.ts";
import {
  contents,
  countIn,
  dumpOfRedis,
  dumpOfSqlite,
  fill,
  filled,
  raw,
  startStores,
  type Stores,
} from "./stores.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes, each of which starts and ends

let stores: Stores;
let redis: string;

beforeAll(async () => {
  stores = await startStores();
  redis = stores.server.url;
  await fill(redis);
});
afterAll(() => stores.end());

const header = '{"holdfast":"export","version":1}';
const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("an export", () => {
  test("is lines of JSON between a header and an end, and nothing in them can break a terminal", async () => {
    const { code, stdout, stderr } = await runCli(["export", "--url", redis]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Bidi_Control}\p{Cc}]/u);
    const lines = linesOf(stdout);
    expect(lines[0]).toMatchObject({
      holdfast: "export",
      version: 1,
      store: expect.stringContaining("redis://") as string,
    });
    expect(lines.at(-1)).toEqual({ end: true, states: filled, unreadable: 0 });
    const plain = lines.find(({ id }) => id === "plain");
    expect(plain).toEqual({
      id: "plain",
      revision: expect.any(Number) as number,
      serializer: "json",
      value: { n: 1, list: [1.5, null, "ü"], nested: { deep: true } },
      expiresAt: null,
    });
    expect(lines.find(({ id }) => id === "bytes")).toMatchObject({ serializer: "raw", bytes: "AP8KDQ==" });
    expect(lines.find(({ id }) => id === "paid:1")).toMatchObject({ kind: "once" });
    expect(lines.find(({ id }) => id === "other-json")).toHaveProperty("bytes");
    const { expiresAt } = lines.find(({ id }) => id === "expires") as { expiresAt: number };
    expect(expiresAt - Date.now()).toBeGreaterThan(500_000);
    expect(stdout).not.toContain("pw-of-the-tests");
  });

  test("of a prefix has the ids that begin with it, of each kind", async () => {
    const { stdout } = await runCli(["export", "p", "--url", redis]);
    const ids = linesOf(stdout).flatMap(({ id }) => id ?? []);
    expect(ids.sort()).toEqual(["paid:1", "plain"]);
  });

  test("names states that cannot be read, and goes on", async () => {
    const { server } = stores;
    await server.command("SET", "other:state:{good}", "hf1 1 json\n1");
    await server.command("SET", "other:state:{newer}", "hf2 something");
    await server.command("LPUSH", "other:state:{li\u001bst}", "a");
    const { code, stdout, stderr } = await runCli(["export", "--url", redis, "--prefix", "other:"]);
    await server.command("DEL", "other:state:{good}", "other:state:{newer}", "other:state:{li\u001bst}");
    expect(code).toBe(1);
    expect(stderr).toContain('"newer" cannot be read: format hf2.\n');
    expect(stderr).toContain(String.raw`"li\u001bst" cannot be read: a Redis list.`);
    expect(linesOf(stdout).slice(1)).toMatchObject([{ id: "good" }, { end: true, states: 1, unreadable: 2 }]);
  });

  test("of a file that is not there makes none", async () => {
    const url = stores.sqlite("absent.db");
    const { code, stderr, stdout } = await runCli(["export", "--url", url]);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("There is no file ");
    expect(existsSync(url.slice("sqlite:".length))).toBe(false);
  });
});

describe("an import", () => {
  let file: string;
  beforeAll(async () => {
    file = join(stores.folder, "all.jsonl");
    writeFileSync(file, (await runCli(["export", "--url", redis])).stdout);
  });

  test("into SQLite and from there into Redis gives the same bytes, serializers and expiries", async () => {
    const [first, before] = [stores.sqlite("first.db"), await contents(redis)];
    const imported = await runCli(["import", file, "--url", first, "--json"]);
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(imported.stdout)).toEqual({
      written: filled,
      overwritten: 0,
      equal: 0,
      expired: 0,
      failed: 0,
    });
    expect(await contents(first)).toEqual(before);
    const { stdout } = await runCli(["export", "--url", first]);
    const back = await runCli(["import", "-", "--url", redis, "--prefix", "other:"], { input: stdout });
    expect(back).toMatchObject({ code: 0, stdout: `${String(filled)} written.\n` });
    expect(await contents(redis, { prefix: "other:" })).toEqual(before);
    await using store = open(first);
    expect(await store.once("paid:1", { keepMs: 1_000 }).run(() => "again")).toBe("receipt");
    const { expiresInMs } = (await store.state("expires").read()) ?? {};
    expect(expiresInMs).toBeGreaterThan(500_000);
    expect(expiresInMs).toBeLessThan(600_000);
  });

  test("[S6] keeps the version of a value, and refuses one that none can have", async () => {
    const [from, to] = [stores.sqlite("versions.db"), stores.sqlite("versions-copy.db")];
    const versioned = async <T>(url: string, use: (state: State<string>) => Promise<T>): Promise<T> => {
      await using store = open(url);
      return await use(store.state<string>("versioned", { version: 7 }));
    };
    await versioned(from, (state) => state.save("seven"));
    const { stdout } = await runCli(["export", "--url", from]);
    expect(linesOf(stdout)[1]).toMatchObject({ serializer: "json", version: 7, value: "seven" });
    expect(await runCli(["import", "-", "--url", to], { input: stdout })).toMatchObject({ code: 0 });
    expect(await versioned(to, (state) => state.load())).toBe("seven");
    const wrong = stdout.replace('"version":7', '"version":0');
    const refused = await runCli(["import", "-", "--url", to, "--overwrite"], { input: wrong });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("version must be a whole number from 1 to 999999");
  });

  test("gives revisions above those of the export", async () => {
    const url = stores.sqlite("revisions.db");
    const record = { id: "ahead", revision: (Date.now() + 3_600_000) * 1_000, serializer: "json", value: 1 };
    const text = `${header}\n${JSON.stringify(record)}\n{"end":true,"states":1,"unreadable":0}\n`;
    expect(await runCli(["import", "--url", url], { input: text })).toMatchObject({ code: 0, stderr: "" });
    await using store = open(url);
    expect((await store.state("ahead").read())?.revision).toBeGreaterThan(record.revision);
    expect(await store.lock("ahead").run((grant) => grant.fence)).toBeGreaterThan(record.revision);
  });

  test("again finds all equal; what differs is kept, and replaced only with --overwrite", async () => {
    const url = stores.sqlite("again.db");
    await runCli(["import", file, "--url", url]);
    expect(await runCli(["import", file, "--url", url])).toMatchObject({
      code: 0,
      stdout: `0 written, ${String(filled)} equal.\n`,
    });
    const store = open(url);
    await store.state("plain").save("changed");
    await store.state("expires").touch(50_000);
    await store.state("bytes", { serializer: raw }).delete();
    await store.state("bytes").save("as json");
    const kept = await runCli(["import", file, "--url", url]);
    expect(kept).toMatchObject({ code: 1, stdout: `0 written, ${String(filled - 3)} equal, 3 failed.\n` });
    expect(kept.stderr).toMatch(/^line \d+: "plain": another value is there; --overwrite replaces it\.$/m);
    expect(kept.stderr).toContain('"expires": the same value is there, but with another expiry; --overwrite');
    expect(kept.stderr).toContain(
      '"bytes": there is a state of the serializer "json", not "raw"; --overwrite',
    );
    expect(await store.state("plain").load()).toBe("changed");
    await store.close();
    const { stdout } = await runCli(["import", file, "--url", url, "--overwrite"]);
    expect(stdout).toBe(`0 written, 3 overwritten, ${String(filled - 3)} equal.\n`);
    expect(await contents(url)).toEqual(await contents(redis));
  });

  test("as a dry run writes nothing, and says what would be done", async () => {
    const absent = stores.sqlite("dry.db");
    const dry = await runCli(["import", file, "--url", absent, "--dry-run"]);
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(dry.stdout).toContain('"plain" would be written\n');
    expect(dry.stdout).toContain('once "paid:1" would be written\n');
    expect(dry.stdout).toMatch(/^Dry run: 9 written\.$/m);
    expect(existsSync(absent.slice("sqlite:".length))).toBe(false);

    const first = stores.sqlite("some.db");
    const store = open(first);
    await store.state("plain").save("another");
    await store.close();
    const [inFile, inRedis] = [dumpOfSqlite(first), await dumpOfRedis(stores.server)];
    const { code, stdout, stderr } = await runCli(["import", file, "--url", first, "--dry-run", "--json"]);
    expect(code).toBe(1);
    expect(stderr).toContain('"plain": another value is there');
    expect(linesOf(stdout)).toContainEqual({ dryRun: true, id: "expires", outcome: "written" });
    expect(linesOf(stdout).at(-1)).toMatchObject({ dryRun: true, written: filled - 1, failed: 1 });
    for (const more of [["--prefix", "new:"], ["--shards", "3"], ["--overwrite"]])
      expect(
        await runCli(["import", file, "--url", stores.server.adminUrl, "--dry-run", ...more]),
      ).toMatchObject({ code: 0 });
    expect(dumpOfSqlite(first)).toBe(inFile);
    expect(await dumpOfRedis(stores.server)).toBe(inRedis);
  });

  test("waits for a lock that others hold, and reports one that stays", async () => {
    const url = stores.sqlite("locked.db");
    const store = open(url);
    const grant = await store.lock("plain").acquire();
    const waiting = runCli(["import", file, "--url", url]);
    await poll(() => countIn(url)).toBe(filled - 1);
    await grant.release();
    expect(await waiting).toMatchObject({ code: 0, stdout: `${String(filled)} written.\n` });

    await store.state("plain").delete();
    await using _held = await store.lock("plain").acquire();
    const { code, stderr, stdout } = await runCli(["import", file, "--url", url, "--wait", "50ms"]);
    expect([code, stdout]).toEqual([1, `0 written, ${String(filled - 1)} equal, 1 failed.\n`]);
    expect(stderr).toContain('"plain": its lock is held, or waited for, by others.');
    await store.close();
  });

  test("that is killed is completed by the same call", async () => {
    const many = `${header}\n${Array.from({ length: 1_000 }, (_, n) => `{"id":"n:${String(n)}","serializer":"json","value":${String(n)}}\n`).join("")}`;
    const text = `${many}{"end":true,"states":1000,"unreadable":0}\n`;
    const url = stores.sqlite("killed.db");
    const child = startCli(["import", "--url", url]);
    child.stdin.on("error", () => undefined);
    child.stdin.write(text.slice(0, text.length / 2)); // the rest never comes
    await poll(() => countIn(url)).toBeGreaterThan(20);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    const { code, stdout } = await runCli(["import", "--url", url, "--json"], { input: text });
    const { written, equal } = JSON.parse(stdout) as { written: number; equal: number };
    expect([code, written + equal, equal > 20]).toEqual([0, 1_000, true]);
    expect(Object.keys(await contents(url))).toHaveLength(1_000);
  });

  test("shows progress if it is asked to", async () => {
    const child = startCli(["import", "--url", stores.sqlite("slow.db"), "--progress"]);
    let [seen, n] = ["", 0];
    child.stderr.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    child.stdin.on("error", () => undefined);
    child.stdin.write(`${header}\n`);
    await poll(() => {
      n += 1;
      child.stdin.write(`{"id":"n:${String(n)}","serializer":"json","value":1}\n`);
      return seen;
    }).toMatch(/^… \d+ written$/m);
    child.kill();
  });
});
