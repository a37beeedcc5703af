// holdfast run: who may run when, what the command gets, and with which code it exits.

import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open } from "../../../../src/index.ts";
import { runCli, type CliResult } from "../../../support/cli.ts";
import { poll } from "../../../support/poll.ts";
import { freePort, startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { killSupervised, Place, Supervised } from "./supervised.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes, each of which starts and ends

const place = new Place();
const env = { HOLDFAST_URL: place.url };
afterEach(killSupervised);
afterAll(() => place.remove());

/** Says that it has started, and ends when its input does. */
const untilInputEnds = ["sh", "-c", "echo started; cat"];

describe("exit codes", () => {
  writeFileSync(place.path("not-executable"), "true\n", { mode: 0o644 });
  writeFileSync(place.path("without-shebang"), "exit 5\n", { mode: 0o755 });

  test.concurrent.each([
    [0, ["true"]],
    [7, ["sh", "-c", "exit 7"]],
    [143, ["sh", "-c", "kill -TERM $$"]],
    [137, ["sh", "-c", "kill -KILL $$"]],
    [127, ["./no-such-command"]],
    [126, [place.path("not-executable")]],
    [126, [place.folder]],
  ])("%i for %j, and the lock is free afterwards", async (code, command) => {
    const id = `codes:${command.join(" ")}`.slice(0, 100);
    const ended = await runCli(["run", id, "--", ...command], { env });
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr === "").toBe(![126, 127].includes(code));
    const store = open(place.url);
    expect(await store.lock(id).inspect()).toBe(null);
    await store.close();
  });

  test.concurrent.each([
    [["-n", "-w", "1", "id"], "--nonblock does not wait"],
    [["-s", "-p", "1/2", "id"], "--shared is of a lock"],
    [["-p", "3/2", "id"], "--permits must be N/LIMIT"],
    [["-p", "0/2", "id"], "--permits must be N/LIMIT"],
    [["-p", "2", "id"], "--permits must be N/LIMIT"],
    [["-E", "256", "id"], "--conflict-exit-code must be"],
    [["-w", "soon", "id"], "--wait must be"],
    [["--lease", "99", "id"], "--lease must be"],
    [["--kill-after", "x", "id"], "--kill-after must be"],
    [["--nonsense", "id"], "Unknown option"],
    [["id", "more"], "begins after --"],
    [[], "An argument is missing"],
    [["}id"], 'must not begin with "}"'],
  ])("2 for %j", async (args, message) => {
    const { code, stderr } = await runCli(["run", ...args, "--", "true"], { env });
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  test("2 without a command", async () => {
    expect(await runCli(["run", "id"], { env })).toMatchObject({ code: 2 });
    expect(await runCli(["run", "id", "--"], { env })).toMatchObject({ code: 2 });
  });

  test("3 if the server is not there, or does not answer; the password is not shown", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const ports = [await freePort(), port];
    const urls = ports.map((at) => `redis://:secret@127.0.0.1:${String(at)}`);
    const run = (url: string, ...options: string[]): Promise<CliResult> =>
      runCli(["run", ...options, "--url", url, "id", "--", "echo", "ran"]);
    const inJson = await run(urls[0]!, "--json");
    expect(JSON.parse(inJson.stderr)).toMatchObject({
      event: "failed",
      error: "UNREACHABLE",
      code: 3,
      id: "id",
    });
    const all = [...(await Promise.all(urls.map((url) => run(url)))), inJson];
    for (const { code, stdout, stderr } of all) {
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).not.toContain("secret");
    }
    silent.close();
  }, 30_000);
});

describe("what the command gets", () => {
  test("the standard input, outputs and arguments as they are, and the lock in its environment", async () => {
    const bytes = Uint8Array.from({ length: 200_000 }, (_, n) => (n * 7) % 256);
    const script = 'cat > "$1"; printf %s "$HOLDFAST_LOCK_ID $HOLDFAST_FENCE $2"; printf oops >&2';
    const args = ["sh", "-c", script, "sh", place.path("copy"), "a  b\n*"];
    const { code, stdout, stderr } = await runCli(["run", "the id", "--", ...args], { env, input: bytes });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^the id \d{10,} a {2}b\n\*$/);
    expect(stderr).toBe("oops");
    expect(Buffer.compare(readFileSync(place.path("copy")), bytes)).toBe(0);
  });

  test("outputs that block, although Node makes its own non-blocking", async () => {
    const flags = "for fd in 0 1 2; do grep flags /proc/self/fdinfo/$fd; done";
    const one = new Supervised(["run", "flags", "--", "sh", "-c", `echo go; read x; ${flags}`], { env });
    await one.says("go");
    one.child.stdin.end("x\n");
    expect(await one.ended).toBe(0);
    const modes = [...one.stdout.matchAll(/flags:\s+(\d+)/g)].map(([, mode = ""]) => parseInt(mode, 8));
    expect(modes.length).toBe(3);
    expect(modes.map((mode) => mode & 0o4000)).toEqual([0, 0, 0]);
  });
});

describe.each(["SQLite", "Redis"])("exclusion, on %s", (kind) => {
  let redis: RedisServer | undefined;
  let url = place.url;
  beforeAll(async () => {
    if (kind === "Redis") url = (redis = await startRedis()).url;
  });
  afterAll(() => redis?.stop());
  const run = (...args: string[]): Supervised => new Supervised(["run", "--url", url, ...args]);

  test("[L1] one at a time, and the next when it ends, with a greater fence", async () => {
    const log = place.path(`log-${kind}`);
    const script = `echo "in $HOLDFAST_FENCE" >> ${log}; echo started; cat; echo out >> ${log}`;
    const first = run("job", "--", "sh", "-c", script);
    await first.says("started");
    const others = [1, 2, 3].map(() => run("job", "--", "sh", "-c", script));
    const store = open(url);
    await poll(async () => (await store.lock("job").inspect())?.waiters).toBe(3);
    for (const one of [first, ...others]) one.child.stdin.end();
    expect(await Promise.all([first, ...others].map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/ .*/, ""))).toEqual(
      Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? "in" : "out")),
    );
    const fences = lines.filter((line) => line !== "out").map((line) => Number(line.slice(3)));
    expect(fences).toEqual(fences.toSorted((a, b) => a - b));
    expect(await store.lock("job").inspect()).toBe(null);
    await store.close();
  });

  test("-n and -w fail while another holds it, name the holder, and print nothing", async () => {
    const first = run("busy", "--", ...untilInputEnds);
    await first.says("started");
    const holder = `held by process ${String(first.child.pid)}`;
    const cases: [string[], number][] = [
      [["-n"], 1],
      [["-w", "0"], 1],
      [["-w", "50ms", "-E", "75"], 75],
      [["-n", "-E", "0"], 0],
      [["-n", "-s"], 1],
    ];
    for (const [args, code] of cases) {
      const ended = await runCli(["run", "--url", url, ...args, "busy", "--", "echo", "ran"]);
      expect(ended).toMatchObject({ code, stdout: "" });
      expect(ended.stderr).toContain(holder);
    }
    const { stderr } = await runCli(["run", "--url", url, "-n", "--json", "busy", "--", "echo", "ran"]);
    expect(JSON.parse(stderr)).toMatchObject({ event: "busy", id: "busy", code: 1 });
  });

  test("-s runs beside others that share, and not beside one that does not", async () => {
    const readers = [1, 2].map(() => run("-s", "book", "--", ...untilInputEnds));
    await Promise.all(readers.map((one) => one.says("started")));
    expect(await run("-n", "book", "--", "true").ended).toBe(1);
    for (const one of readers) one.child.stdin.end();
    await Promise.all(readers.map(({ ended }) => ended));
    expect(await run("-n", "book", "--", "true").ended).toBe(0);
  });

  test("-p takes permits, up to the limit", async () => {
    const two = [1, 2].map(() => run("-p", "1/3", "gpu", "--", ...untilInputEnds));
    await Promise.all(two.map((one) => one.says("started")));
    expect(await run("-n", "-p", "2/3", "gpu", "--", "true").ended).toBe(1);
    expect(await run("-n", "-p", "1/3", "gpu", "--", "true").ended).toBe(0);
    const other = run("-n", "-p", "1/4", "gpu", "--", "true");
    expect(await other.ended).toBe(2);
    expect(other.stderr).toContain("has 3 permits");
    for (const one of two) one.child.stdin.end();
    await Promise.all(two.map(({ ended }) => ended));
    expect(await run("-n", "-p", "3/3", "gpu", "--", "true").ended).toBe(0);
  });
});
