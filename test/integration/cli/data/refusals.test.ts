// What the commands refuse, what they never show, and how they end: exit codes, passwords, closed pipes, a terminal.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import { runCli, startCli } from "../../../support/cli.ts";
import { freePort } from "../../../support/redis-server.ts";

let folder = "";
let url = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
  url = `sqlite:${join(folder, "store.db")}`;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  [["get"], "An argument is missing"],
  [["get", "a", "b"], 'Unexpected argument "b"'],
  [["get", "a", "--raw", "--json"], "--raw and --json"],
  [["get", "bad\u0007id"], "control characters"],
  [["set", "a", "text"], "VALUE is not JSON"],
  [["set", "a", "12345678901234567890"], "cannot be kept exactly"],
  [["set", "a", "1", "--ttl", "soon"], "--ttl must be"],
  [["set", "a", "1", "--if-revision", "0"], "--if-revision must be"],
  [["rm"], "Give at least one id"],
  [["rm", "a", "--id-prefix", "b"], "not both"],
  [["rm", "a", "--yes"], "--yes is for --id-prefix"],
  [["rm", "a", "b", "--if-revision", "5"], "--if-revision is for one ID"],
  [["rm", "--id-prefix", "a"], "needs --yes"],
  [["unlock", "a"], "--fence"],
  [["unlock", "a", "--fence", "5", "--force"], "--fence"],
  [["unlock", "a", "--fence", "x"], "--fence must be"],
  [["unlock", "--id-prefix", "a", "--fence", "5"], "--fence is for one lock"],
  [["unlock", "--id-prefix", "a"], "needs --yes"],
  [["watch", "a", "--interval", "1ms"], "--interval must be"],
  [["watch", "a", "--count", "0"], "--count must be"],
  [["ls", "--prefix", "a{b"], "--prefix must have"],
  [["ls", "--shards", "1000"], "--shards must be"],
  [["doctor", "--shards", "x"], "--shards must be"],
  [["ls", "--url", "mysql://host"], "mysql"],
  [["set", "a", "1", "--url", "memory:"], "memory: is a store of one process alone"],
  [["doctor", "--url", "memory:"], "memory: is a store of one process alone"],
  [["run", "--url", "MEMORY:", "a", "--", "echo", "ran"], "memory: is a store of one process alone"],
])("%j is wrong usage, and opens nothing", async (args, message) => {
  const { code, stdout, stderr } = await runCli(args, { env: { HOLDFAST_URL: url }, cwd: folder });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(message);
  expect(readdirSync(folder)).toEqual([]);
});

test("memory: in HOLDFAST_URL is refused, too: a lock there would exclude no other process", async () => {
  const { code, stdout, stderr } = await runCli(["run", "a", "--", "echo", "ran"], {
    env: { HOLDFAST_URL: "memory:" },
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("memory: is a store of one process alone");
});

test("[P3] a password appears nowhere, wherever it was given", async () => {
  const secret = "s3cr%C3%A9t";
  const port = String(await freePort());
  const server = `redis://user:${secret}@127.0.0.1:${port}`;
  const calls = [
    ...["ls", "init", "doctor"].map((name) => [name, "--url", server]),
    ["ls", "--json", "--url", `redis://user:${secret}@127.0.0.1:${port}/x`],
    ["ls", "--url", `redis://user:${secret}@127.0.0.1:${port}#x`],
    ["get", server],
    ["set", "a", "1", server],
    ["inspect", "a", "--ur", server],
    [server],
    ["locks", "--url", `radis://:${secret}@host`],
    ["unlock", "a", "--fence", server],
  ];
  const run = (args: readonly string[]) => runCli(args, { env: { HOLDFAST_URL: server } });
  for (const { code, stdout, stderr, args } of await together(calls, run)) {
    expect(code, args.join(" ")).toBeGreaterThan(0);
    expect(stdout + stderr).not.toMatch(/s3cr/);
    expect(stderr).not.toBe("");
  }
});

test("a store that cannot be reached is exit code 3", async () => {
  const port = String(await freePort());
  const calls = [["ls"], ["get", "a"], ["set", "a", "1"], ["rm", "a"], ["locks"], ["inspect", "a"], ["init"]];
  const run = (args: readonly string[]) => runCli([...args, "--url", `redis://127.0.0.1:${port}`]);
  for (const { code, stdout, stderr, args } of await together(calls, run)) {
    expect({ code, stdout }, args.join(" ")).toEqual({ code: 3, stdout: "" });
    expect(stderr).toContain(port);
  }
});

test("a path that was mistyped is exit code 3, and makes no file", async () => {
  const path = join(folder, "mistyped.db");
  const calls = [["ls"], ["get", "a"], ["rm", "a"], ["locks"], ["inspect", "a"], ["watch", "a"]];
  const run = (args: readonly string[]) => runCli([...args, "--url", `sqlite:${path}`]);
  for (const { code, stdout, stderr, args } of await together(calls, run)) {
    expect({ code, stdout }, args.join(" ")).toEqual({ code: 3, stdout: "" });
    expect(stderr).toContain(`There is no file ${path}. To create a store there, use holdfast init.`);
  }
  expect(existsSync(path)).toBe(false);
});

test("an empty --id-prefix does not reach all ids", async () => {
  const store = open(url);
  await store.state("kept").save(1);
  for (const name of ["rm", "unlock"])
    expect(await runCli([name, "--id-prefix", "", "--yes"], { env: { HOLDFAST_URL: url } })).toMatchObject({
      code: 2,
    });
  expect(await store.state("kept").load()).toBe(1);
  await store.close();
});

test("[P3] only passwords are left out of a message, and also of one that was cut short", async () => {
  const { stderr } = await runCli(["ls", "--url", "localhost:6379"]);
  expect(stderr).toContain("redis://host");
  expect(stderr).toContain("sqlite:");
  const long = `x://user:${"s3cret-".repeat(20)}@host`;
  const cut = await runCli(["ls", long, "more"]);
  expect(cut.code).toBe(2);
  expect(cut.stdout + cut.stderr).not.toContain("s3cret");
});

test("init creates the file and its folder, and says where it is; more than once", async () => {
  const path = join(folder, "deep", "er", "store.db");
  for (let times = 0; times < 2; times += 1) {
    const { code, stdout } = await runCli(["init", "--url", `sqlite:${path}`]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `The store is ready: sqlite:${path}\n` });
    expect(existsSync(path)).toBe(true);
  }
  const { stdout } = await runCli(["init", "--json", "--url", `sqlite:${path}`]);
  expect(JSON.parse(stdout)).toEqual({ store: `sqlite:${path}` });
});

test("a reader that closes the pipe ends a long listing without an error", async () => {
  const store = open(url);
  const ids = Array.from({ length: 3_000 }, (_, n) => `pipe:${"x".repeat(200)}:${String(n)}`);
  await Promise.all(ids.map((id) => store.state(id).save(1)));
  await store.close();
  const child = startCli(["ls", "--json"], { env: { HOLDFAST_URL: url } });
  await once(child.stdout, "data");
  child.stdout.destroy();
  const [stderr, ended] = await Promise.all([text(child.stderr), once(child, "close")]);
  expect({ ended, stderr }).toEqual({ ended: [0, null], stderr: "" });
});

const hasTerminals = (process.env["PATH"] ?? "")
  .split(delimiter)
  .some((path) => existsSync(join(path, "script")));

test.skipIf(!hasTerminals)("on a terminal, what reaches many ids asks (needs script(1))", async () => {
  const store = open(url);
  await store.state("asked:1").save(1);
  expect(await onTerminal(["rm", "--id-prefix", "asked:"], "n\n")).toMatchObject({ code: 1 });
  expect(await store.state("asked:1").load()).toBe(1);
  const { code, shown } = await onTerminal(["rm", "--id-prefix", "asked:"], "y\n");
  expect(shown).toContain('Delete 1 state whose ids begin with "asked:" in sqlite:');
  expect(code).toBe(0);
  expect(await store.state("asked:1").load()).toBeUndefined();
  await using grant = await store.lock("asked:2").acquire();
  expect(await onTerminal(["unlock", "--id-prefix", "asked:"], "\n")).toMatchObject({ code: 1 });
  expect(await onTerminal(["unlock", "--id-prefix", "asked:"], "yes\n")).toMatchObject({ code: 0 });
  expect(await grant.release()).toBe(false);
  await store.close();
});

/** Each of these waits for a server for some seconds. */
function together<R>(
  calls: readonly (readonly string[])[],
  run: (args: readonly string[]) => Promise<R>,
): Promise<(R & { readonly args: readonly string[] })[]> {
  return Promise.all(calls.map(async (args) => ({ ...(await run(args)), args })));
}

/** Types the answer once it is asked for. */
async function onTerminal(
  args: readonly string[],
  answer: string,
): Promise<{ code: unknown; shown: string }> {
  const main = join(import.meta.dirname, "../../../../src/cli/main.ts");
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", main, ...args];
  const command = words.map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    env: { ...process.env, HOLDFAST_URL: url, TERM: "dumb" },
  });
  let shown = "";
  child.stdout.on("data", (bytes: Buffer) => {
    const wasAsked = shown.includes("[y/N]");
    shown += bytes.toString();
    if (!wasAsked && shown.includes("[y/N]")) child.stdin.write(answer);
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, shown };
}
