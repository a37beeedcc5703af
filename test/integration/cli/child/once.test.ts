// holdfast once: a command that succeeds once in a time.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { runCli } from "../../../support/cli.ts";
import { killSupervised, Place, Supervised } from "./supervised.ts";

const place = new Place();
const env = { HOLDFAST_URL: place.url };
const once = (...args: string[]): Supervised => new Supervised(["once", ...args], { env });
afterEach(killSupervised);
afterAll(() => place.remove());

test("[O1] of two at once, one runs; the other waits, and is told that it is done", async () => {
  const command = ["two", "--", "sh", "-c", `echo started; cat; echo ran >> ${place.path("runs")}`];
  const first = once("--keep", "1h", ...command);
  await first.says("started");
  const second = once("--keep", "1h", ...command);
  const busy = once("--keep", "1h", "-n", "-E", "75", ...command);
  expect(await busy.ended).toBe(75);
  first.child.stdin.end();
  expect(await Promise.all([first.ended, second.ended])).toEqual([0, 0]);
  expect(second.stdout).toBe("");
  expect(second.stderr).toMatch(/^holdfast once: Already done at 20\d\d-.*Z\.\n$/);
  expect(readFileSync(place.path("runs"), "utf8")).toBe("ran\n");

  const third = await runCli(["once", "--json", "--keep", "1h", ...command], { env });
  expect(third).toMatchObject({ code: 0, stdout: "" });
  expect(JSON.parse(third.stderr)).toMatchObject({ event: "already-done", id: "two", code: 0 });
});

test("[O1] a failure is not remembered, nor a crash, and the attempts are counted", async () => {
  const script = 'echo "$HOLDFAST_LOCK_ID $HOLDFAST_ATTEMPT"; ';
  const run = (end: string, ...more: string[]): Supervised =>
    once("--keep", "forever", ...more, "tried", "--", "sh", "-c", script + end);
  const failed = run("exit 3");
  expect(await failed.ended).toBe(3);
  expect(failed.stdout).toBe("tried 1\n");
  const killed = run("cat; sleep 100", "--lease", "500");
  await killed.says("tried 2");
  killed.signal("SIGKILL");
  const done = run("exit 0");
  expect(await done.ended).toBe(0);
  expect(done.stdout).toBe("tried 3\n");
  expect(await run("exit 9").ended).toBe(0);
});

test("[O1] success is forgotten after --keep", async () => {
  const command = ["once", "--keep", "10ms", "short", "--", "echo", "ran"];
  for (let round = 0; round < 2; round += 1) {
    expect(await runCli(command, { env })).toMatchObject({ code: 0, stdout: "ran\n" });
  }
});

test("what a program has remembered for the key counts, too", async () => {
  await using store = open(place.url);
  await store.once("other", { keepMs: 60_000 }).run(() => "something");
  const one = once("--keep", "1h", "other", "--", "echo", "ran");
  expect(await one.ended).toBe(0);
  expect([one.stdout, one.stderr]).toEqual(["", "holdfast once: Already done.\n"]);
});

test("a command that cannot be started is no success", async () => {
  expect(await once("--keep", "1h", "absent", "--", "./no-such-command").ended).toBe(127);
  expect(await once("--keep", "1h", "absent", "--", "sh", "-c", "exit 4").ended).toBe(4);
});

test.concurrent.each([
  [[], "--keep is needed"],
  [["--keep", "0"], "--keep must be more than 0"],
  [["--keep", "always"], "--keep must be"],
])("%j is wrong usage", async (args, message) => {
  const { code, stderr } = await runCli(["once", ...args, "id", "--", "true"], { env });
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});
