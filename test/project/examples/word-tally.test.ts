// The main job, as its users run it. What it prints is read, and what it leaves in the store.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { buildIfStale, ending, leftIn, root, run, start, type Ran } from "./run.ts";

const main = "word-tally/main.ts";
const quickMs = 60_000; // it takes three seconds; other tests run beside it
const folder = mkdtempSync(join(tmpdir(), "holdfast-examples-"));
const sqlite = `sqlite:${join(folder, "store.db")}`;
let redis: RedisServer;

beforeAll(async () => {
  buildIfStale();
  redis = await startRedis();
});

afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true });
});

test(
  "npm start: one worker is killed, another takes over, every word counts once",
  { timeout: quickMs },
  async () => {
    const env = { ...process.env, HOLDFAST_URL: sqlite };
    const ran = await ending(spawn("npm", ["start", "--silent", "--", "--quick"], { cwd: root, env }));
    expectEqualAfterTakeover(ran, { isOnDisk: true });
    expect(await leftIn(sqlite)).toEqual([]);
  },
);

test("the same on Redis", { timeout: quickMs }, async () => {
  expectEqualAfterTakeover(await run(main, ["--quick"], redis.url), { isOnDisk: false });
  expect(await leftIn(redis.url)).toEqual([]);
});

test("--naive loses words, and says so", { timeout: quickMs }, async () => {
  for (const url of [sqlite, redis.url]) {
    const { code, stdout, stderr } = await run(main, ["--quick", "--naive"], url);
    expect(stderr).toBe("");
    const [, lost, all] = /^LOST: ([\d,]+) of ([\d,]+) words/m.exec(stdout) ?? [];
    expect(number(lost)).toBeGreaterThan(0);
    expect(number(lost)).toBeLessThan(number(all));
    expect(code).toBe(1);
    expect(await leftIn(url)).toEqual([]);
  }
});

test("two runs at once, of files of one's own, do not meet", { timeout: quickMs }, async () => {
  // "constructor" and "proto" are there since a plain object seems to know them; the others are not ASCII.
  const files = [
    textFile("a.txt", "constructor __proto__ toString constructor\nZürich zürich ZÜRICH ".repeat(50)),
    textFile("empty.txt", ""),
    textFile("b.txt", "mañana\u00a0mañana 日本語 текст".repeat(40)),
  ];
  const runs = await Promise.all([
    run(main, ["--workers", "2", "--seed", "7", ...files], sqlite),
    run(main, ["--workers", "1", ...files], sqlite),
  ]);
  for (const { code, stdout, stderr } of runs) {
    expect(stderr).toBe("");
    // Where one repetition of b.txt ends and the next begins there is no space.
    expect(stdout).toMatch(/^Equal: 471 words, 8 different ones/m);
    expect(stdout).toMatch(/^Top words +zürich 150, constructor 100, /m);
    expect(code).toBe(0);
  }
  expect(runs[0].stdout).toMatch(/ is killed with SIGKILL/);
  expect(runs[1].stdout).toMatch(/^Takeovers +none/m); // nobody is killed where nobody could take over
  expect(await leftIn(sqlite)).toEqual([]);
});

test("interrupted, it takes its workers along and leaves nothing behind", { timeout: quickMs }, async () => {
  const child = start(main, [], sqlite);
  const ended = ending(child); // not before the last worker has let go of the output
  await once(child.stdout!, "data");
  while (!(await leftIn(sqlite)).some((id) => id.startsWith("state "))); // the work is under way
  child.kill("SIGINT");
  const { code, stderr } = await ended;
  expect(stderr).toBe("");
  expect(code).toBe(130);
  expect(await leftIn(sqlite)).toEqual([]);
});

test.for([
  [["--workers", "0"], "--workers takes a whole number from 1 to 16"],
  [["--workers", "many"], "--workers takes a whole number from 1 to 16"],
  [["--seed=-1"], "--seed takes a whole number from 0"],
  [["--wrokers", "4"], "Unknown option '--wrokers'"],
  [["--seed"], "--seed"],
  [[join(folder, "nowhere.txt")], "There is no file "],
  [[folder], "is not a file"],
] as const)("bad arguments: %j", async ([args, message]) => {
  const { code, stdout, stderr } = await run(main, args, sqlite);
  expect(stderr).toContain(message);
  expect(stderr).toContain("--help");
  expect(stderr).not.toContain("    at "); // no stack
  expect(stdout).toBe("");
  expect(code).toBe(2);
});

test.for([
  ["memory:", 2, "one process alone"],
  ["postgres://localhost", 2, "takes redis://"],
  ["redis://127.0.0.1:1", 1, "redis://127.0.0.1:1"],
] as const)("a store that cannot serve: %s", async ([url, status, message]) => {
  const { code, stdout, stderr } = await run(main, ["--quick"], url);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("    at ");
  expect(stdout).toBe("");
  expect(code).toBe(status);
});

test("--help names every option", async () => {
  const { code, stdout } = await run(main, ["--help"], sqlite);
  for (const word of ["--workers", "--seed", "--quick", "--naive", "HOLDFAST_URL", "Exit code"]) {
    expect(stdout).toContain(word);
  }
  expect(code).toBe(0);
});

function expectEqualAfterTakeover({ code, stdout, stderr }: Ran, { isOnDisk }: { isOnDisk: boolean }): void {
  expect(stderr).toBe("");
  const kill = /Worker (\d) \(process \d+\) holds chunk (\d+), and is killed with SIGKILL/.exec(stdout);
  const [, by, chunk, from, ms] =
    /^Takeovers .*worker (\d) took chunk (\d+) from worker (\d) after ([\d,]+) ms/m.exec(stdout) ?? [];
  expect([from, chunk]).toEqual(kill?.slice(1));
  expect(by).not.toBe(from);
  expect(number(ms)).toBeLessThan(5_000); // the lease is 2 s; the rest is for a busy machine
  const shares = [...stdout.matchAll(/worker \d: (\d+)/g)].map(([, chunks]) => number(chunks));
  expect(shares).toHaveLength(4);
  expect(shares.reduce((sum, chunks) => sum + chunks, 0)).toBe(24);
  expect(stdout).toMatch(/^Speed +[1-9]\d* chunks per second$/m);
  expect(stdout).toMatch(/A save alone takes [\d.]+ ms here\.$/m);
  expect(stdout.includes("on disk before the call returns")).toBe(isOnDisk);
  // Then the same work without locks.
  expect(stdout).toMatch(
    /^Equal: [\d,]+ words[^]*^The same work once more[^]*^LOST: [\d,]+ of [\d,]+ words/m,
  );
  expect(code).toBe(0);
}

function number(text: string | undefined): number {
  return Number(text?.replaceAll(",", "") ?? NaN);
}

function textFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
