// Signals that come while holdfast run waits, and while its command runs; and what a terminal does.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { killSupervised, Place, stateOf, Supervised } from "./supervised.ts";

const place = new Place();
const store = open(place.url);
const run = (...args: string[]): Supervised => new Supervised(["run", "--url", place.url, ...args]);
afterEach(killSupervised);
afterAll(async () => {
  await store.close();
  place.remove();
});

/** Tells each signal that it gets; "end" ends it. */
const teller = `
for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"])
  process.on(name, () => console.log("got", name));
process.stdin.on("end", () => process.exit(9));
process.stdin.resume();
console.log("pid", process.pid);`;
const tells = [process.execPath, "-e", teller];

test("every signal is passed on, and the command's own exit code is ours", async () => {
  const one = run("passed", "--", ...tells);
  await one.says("pid");
  for (const signal of [
    "SIGTERM",
    "SIGINT",
    "SIGHUP",
    "SIGQUIT",
    "SIGUSR1",
    "SIGUSR2",
    "SIGWINCH",
  ] as const) {
    one.signal(signal);
    await one.says(`got ${signal}`);
  }
  one.signal("SIGTERM");
  await poll(() => one.stdout.match(/got SIGTERM/g)?.length).toBe(2);
  one.child.stdin.end();
  expect(await one.ended).toBe(9);
  expect(one.stderr).toBe("");
});

test("TERM, as by docker stop, reaches the group, and the lock is released", async () => {
  const one = run("stopped", "--", "sh", "-c", "sleep 100 & echo pid $!; wait");
  const sleeper = Number(await one.says("pid"));
  one.signal("SIGTERM");
  expect(await one.ended).toBe(143);
  await poll(() => stateOf(sleeper) ?? "gone").toMatch(/gone|Z/);
  expect(await store.lock("stopped").inspect()).toBe(null);
});

test("what the command leaves behind is not waited for", async () => {
  const one = run("left", "--", "sh", "-c", "sleep 100 & echo pid $!");
  const sleeper = Number(await one.says("pid"));
  expect(await one.ended).toBe(0);
  expect(["R", "S"]).toContain(stateOf(sleeper)); // on a busy machine, it may still be starting
  process.kill(sleeper, "SIGKILL");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("[L7] %s ends the waiting with %i, and leaves nothing in the queue", async (signal, code) => {
  const id = `waiting:${signal}`;
  await using grant = await store.lock(id).acquire();
  const one = run(id, "--", "echo", "ran");
  await poll(async () => (await store.lock(id).inspect())?.waiters).toBe(1);
  one.signal("SIGWINCH"); // ignored
  one.signal("SIGUSR1"); // would start Node's debugger
  one.signal(signal);
  expect(await one.ended).toBe(code);
  expect(one.stdout).toBe("");
  expect(one.stderr).toContain(`${signal} ended the waiting`);
  expect(one.stderr).not.toContain("Debugger");
  expect(await store.lock(id).inspect()).toMatchObject({ fence: grant.fence, waiters: 0 });
});

describe.runIf(existsSync("/proc/self/stat"))("TSTP (needs /proc)", () => {
  test("stops the command too; CONT continues both", async () => {
    const one = run("paused", "--", ...tells);
    const pid = Number(await one.says("pid"));
    one.signal("SIGTSTP");
    await poll(() => [stateOf(pid), stateOf(Number(one.child.pid))]).toEqual(["T", "T"]);
    one.signal("SIGCONT");
    await one.says("got SIGCONT");
    one.child.stdin.end();
    expect(await one.ended).toBe(9);
  });

  test("[L5] a command does not go on if the lock went to another meanwhile", async () => {
    const one = run("--lease", "500", "--kill-after", "0", "overslept", "--", ...tells);
    const pid = Number(await one.says("pid"));
    one.signal("SIGTSTP");
    await poll(() => stateOf(pid)).toBe("T");
    await using _grant = await store.lock("overslept").acquire();
    one.signal("SIGCONT");
    expect(await one.ended).toBe(4);
    expect(stateOf(pid)).toBe(undefined);
  });
});

describe.runIf(existsSync("/usr/bin/script"))("on a terminal (needs script of util-linux)", () => {
  const main = join(import.meta.dirname, "../../../../src/cli/main.ts");

  function inTerminal(args: readonly string[]): Supervised["child"] & { text: string } {
    const words = [process.execPath, main, "run", "--url", place.url, ...args];
    const line = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
    // Not every shell executes its last command in its own place, and one that waits would die of Ctrl-C.
    const child = spawn("/usr/bin/script", ["-qec", `exec ${line}`, "/dev/null"]);
    const known = Object.assign(child, { text: "" });
    child.stdout.on("data", (chunk) => (known.text += String(chunk)));
    return known;
  }

  test("the command reads from it, and opens /dev/tty", async () => {
    const child = inTerminal(["tty", "--", "sh", "-c", "echo ready; read a; read b </dev/tty; echo $b-$a"]);
    await poll(() => child.text).toContain("ready");
    child.stdin.write("one\ntwo\n");
    await poll(() => child.text).toContain("two-one");
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  test("Ctrl-C reaches the command once, and ends this program only with it", async () => {
    const child = inTerminal([
      "ctrl-c",
      "--",
      "sh",
      "-c",
      'trap "echo got" INT; echo ready; read a; read b; exit 9',
    ]);
    await poll(() => child.text).toContain("ready");
    child.stdin.write("\u0003");
    await poll(() => child.text).toContain("got");
    child.stdin.write("a\nb\nc\n");
    if (child.exitCode === null) await once(child, "exit");
    expect(`${child.exitCode}: ${child.text}`).toMatch(/^9: ((?!got).)*got((?!got).)*$/s);
  });
});
