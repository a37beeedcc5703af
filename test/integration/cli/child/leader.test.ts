// holdfast leader: the command runs in one process at a time, as long as that leads.

import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { isRunning, killSupervised, Supervised } from "./supervised.ts";

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
});

const leader = (...args: string[]): Supervised =>
  new Supervised(["leader", "--url", redis.url, "--lease", "1000", ...args]);

/** Tells its fence and process, and runs until it is ended or its input ends. */
const serve = ["sh", "-c", 'echo "fence $HOLDFAST_FENCE"; echo "pid $$"; cat; exit 5'];

const fencesOf = (one: Supervised): number[] =>
  [...one.stdout.matchAll(/^fence (\d+)$/gm)].map(([, fence]) => Number(fence));

/** Takes the office from its holder, as an operator would. */
async function depose(): Promise<void> {
  for (const key of await redis.keys()) if (/lock:.*leader/.test(key)) await redis.command("DEL", key);
}

test("[E1] one leads; when it is killed, its command ends and the other starts its own", async () => {
  const first = leader("killed", "--", ...serve);
  const pid = Number(await first.says("pid"));
  const second = leader("killed", "--", ...serve);
  first.signal("SIGKILL");
  await second.says("pid");
  expect(isRunning(pid)).toBe(false);
  expect(fencesOf(second)[0]).toBeGreaterThan(fencesOf(first)[0] ?? Infinity);
  second.signal("SIGTERM");
  expect(await second.ended).toBe(143);
  expect(await store.leader("killed").current()).toBe(null);
});

test("[E1] a lost term ends the command, which is run again in the next term", async () => {
  const one = leader("lost", "--", ...serve);
  const pid = Number(await one.says("pid"));
  await depose();
  await poll(() => fencesOf(one).length).toBe(2);
  expect(isRunning(pid)).toBe(false);
  const [before = 0, after = 0] = fencesOf(one);
  expect(after).toBeGreaterThan(before);
  expect(one.stderr).toMatch(/^holdfast leader: .*is no longer held: .* Ending the command\.\n$/);
  one.child.stdin.end();
  expect(await one.ended).toBe(5);
});

test("a command that ends by itself ends the term, and its exit code is ours", async () => {
  const one = leader("ends", "--", ...serve);
  await one.says("pid");
  const second = leader("ends", "--", "sh", "-c", "exit 6");
  one.child.stdin.end();
  expect(await one.ended).toBe(5);
  expect(await second.ended).toBe(6);
});

test("--restart runs it again in the same term, until a signal ends it", async () => {
  const one = leader("--restart", "again", "--", ...serve);
  await one.says("pid");
  one.child.stdin.end();
  await poll(() => fencesOf(one).length).toBe(2);
  expect(new Set(fencesOf(one)).size).toBe(1);
  one.signal("SIGTERM"); // while the command runs, or in the second after it
  expect([143, 5]).toContain(await one.ended);
});

test("TERM ends a campaign; no command that was not found is run again", async () => {
  const first = leader("campaign", "--", ...serve);
  await first.says("pid");
  const second = leader("campaign", "--", "echo", "ran");
  await poll(async () => {
    const lines = await Promise.all((await redis.keys()).map((key) => redis.command("TYPE", key)));
    return lines.includes("list") || lines.includes("zset");
  }).toBe(true); // the queue
  second.signal("SIGTERM");
  expect(await second.ended).toBe(143);
  expect(second.stdout).toBe("");
  first.child.stdin.end();
  await first.ended;
  expect(await leader("--restart", "campaign", "--", "./no-such-command").ended).toBe(127);
});
