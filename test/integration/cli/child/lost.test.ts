// What becomes of the command when its lock is lost, and when holdfast itself is killed.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { isRunning, killSupervised, Place, Supervised } from "./supervised.ts";

const place = new Place();
let redis: RedisServer;
let store: Store;
beforeAll(async () => {
  redis = await startRedis();
  store = open(redis.url);
});
afterEach(killSupervised);
afterAll(async () => {
  await store.close();
  await redis.stop();
  place.remove();
});

const onRedis = (...args: string[]): Supervised => new Supervised(["run", "--url", redis.url, ...args]);

/** A command with a child of its own, both of which ignore TERM or not. */
function family(ignoreTerm: boolean): string[] {
  const trap = ignoreTerm ? "trap '' TERM; " : "";
  return ["sh", "-c", `${trap}sleep 100 & echo "pids $$ $!"; wait; sleep 100`];
}

async function pidsOf(one: Supervised): Promise<number[]> {
  return (await one.says("pids")).split(" ").map(Number);
}

test.each([
  ["TERM", false, "20"],
  ["KILL, if it ignores TERM,", true, "0.2"],
])("[L5] a lost lock ends the command and its group by %s with 4", async (_, ignoreTerm, killAfter) => {
  const one = onRedis("--lease", "600", "--kill-after", killAfter, "lost", "--", ...family(ignoreTerm));
  const pids = await pidsOf(one);
  const next = onRedis("lost", "--", "echo", "next");
  await poll(async () => (await store.lock("lost").inspect())?.waiters).toBe(1);
  expect(await store.lock("lost").forceRelease()).toBe(true);
  expect(await one.ended).toBe(4);
  expect(pids.filter(isRunning)).toEqual([]);
  expect(one.stderr).toMatch(
    /^holdfast run: The lock "lost" \(fence \d+\) is no longer held: [^.]+\. Ending the command\.\n$/,
  );
  expect(await next.ended).toBe(0);
});

test("what is said about the loss leaves the command's outputs blocking", async () => {
  const atEnd = "trap 'grep flags /proc/self/fdinfo/2; exit' TERM";
  const script = `${atEnd}; echo started; while :; do read line || sleep 0.05; done`;
  const one = onRedis("blocking", "--", "sh", "-c", script);
  await one.says("started");
  expect(await store.lock("blocking").forceRelease()).toBe(true);
  expect(await one.ended).toBe(4);
  const [, flags = "04000"] = /flags:\s+(\d+)/.exec(one.stdout) ?? [];
  expect(parseInt(flags, 8) & 0o4000).toBe(0);
});

test("a command that ended by itself after the loss has no exit code that counts", async () => {
  // Nothing tells a holder on SQLite about its loss before its next renewal.
  const options = ["--url", place.url, "--lease", "600000", "--json"];
  const one = new Supervised(["run", ...options, "late", "--", "sh", "-c", "echo started; cat"]);
  await one.says("started");
  const other = open(place.url);
  expect(await other.lock("late").forceRelease()).toBe(true);
  await other.close();
  one.child.stdin.end();
  expect(await one.ended).toBe(4);
  expect(JSON.parse(one.stderr)).toMatchObject({ event: "lost", id: "late", code: 4 });
});

test("[L5] a server that is gone ends it, when the lease does", async () => {
  const server = await startRedis();
  const one = new Supervised(["run", "--url", server.url, "--lease", "600", "gone", "--", ...family(false)]);
  const pids = await pidsOf(one);
  await server.kill();
  expect(await one.ended).toBe(4);
  expect(pids.filter(isRunning)).toEqual([]);
  await server.stop();
});

test("[L1] kill -9 of holdfast ends the command before the next holder begins", async () => {
  const url = place.url;
  const log = place.path("log");
  // Each writes when it begins, and what it finds: a process of the one before that still runs.
  const script = `trap '' TERM; sleep 100 & if [ -s ${log} ]; then for pid in $(cat ${log}); do grep '^State:.[^Z]' /proc/$pid/status && echo overlap; done; fi
    echo "$$ $!" > ${log}; echo "pids $$ $!"; wait; sleep 100`;
  const start = (): Supervised =>
    new Supervised(["run", "--url", url, "--lease", "1000", "cron", "--", "sh", "-c", script]);
  let current = start();
  for (let round = 0; round < 3; round += 1) {
    const pids = await pidsOf(current);
    const next = start();
    current.signal("SIGKILL");
    await pidsOf(next);
    expect(next.stdout).not.toContain("overlap");
    expect(pids.filter(isRunning)).toEqual([]);
    current = next;
  }
  const [pid = 0] = (await pidsOf(current)).slice(0, 1);
  process.kill(-pid, "SIGKILL"); // the command alone: the lock is released
  expect(await current.ended).toBe(137);
  expect(readFileSync(log, "utf8")).toContain(String(pid));
}, 30_000);
