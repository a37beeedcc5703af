// Several real processes on one file, killed for real.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { sqliteFolder } from "./sqlite-folder.ts";

const script = join(import.meta.dirname, "sqlite-writer.ts");

interface Writer {
  readonly process: ChildProcess;
  /** The fence under which each acknowledged entry was saved. */
  readonly acknowledged: Map<string, number>;
  readonly ended: Promise<number | null>;
  errors: string;
}

function start(path: string, name: string, updates: number): Writer {
  const child = spawn(process.execPath, [script, path, name, String(updates)], { stdio: "pipe" });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const writer: Writer = { process: child, acknowledged: new Map(), ended, errors: "" };
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [entry = "", fence] = line.split(" ");
      if (fence !== undefined) writer.acknowledged.set(entry, Number(fence));
    }
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (writer.errors += chunk));
  return writer;
}

const entriesOf = (list: unknown): string[] => String(list).match(/[^;]+;/g) ?? [];

/** What was acknowledged is there once, in the order of each writer and of the fences. */
function check(list: unknown, writers: readonly Writer[]): void {
  const entries = entriesOf(list);
  expect(new Set(entries).size).toBe(entries.length);
  for (const { acknowledged } of writers) {
    const own = entries.filter((entry) => acknowledged.has(entry));
    expect(own).toEqual([...acknowledged.keys()]);
  }
  const fences = new Map(writers.flatMap(({ acknowledged }) => [...acknowledged]));
  const inListOrder = entries.map((entry) => fences.get(entry)).filter((fence) => fence !== undefined);
  expect(inListOrder).toEqual([...inListOrder].sort((one, two) => one - two));
}

test("[S3] [L1] 8 processes that open a fresh file at once and update one state lose nothing", async () => {
  const folder = sqliteFolder();
  const writers = Array.from({ length: 8 }, (_, n) => start(folder.path, `w${String(n)}`, 25));
  for (const { ended } of writers) await ended;
  for (const writer of writers) expect([writer.process.exitCode, writer.errors]).toEqual([0, ""]);
  const list = await folder.connect().load("list");
  expect(entriesOf(list)).toHaveLength(200);
  check(list, writers);
}, 60_000);

test("[S3] [L10] writers killed in the middle lose nothing that was acknowledged, and hold up nobody", async () => {
  const folder = sqliteFolder();
  const writers: Writer[] = [];
  const running = [0, 1, 2].map((n) => start(folder.path, `r${String(n)}`, 0));
  writers.push(...running);
  for (let round = 0; round < 8; round += 1) {
    await sleep(250 + Math.random() * 250);
    const victim = running.shift();
    const said = running.map(({ acknowledged }) => acknowledged.size);
    victim?.process.kill("SIGKILL");
    const next = start(folder.path, `k${String(round)}`, 0);
    writers.push(next);
    running.push(next);
    // Its lease is 500 ms; the others go on by themselves.
    const deadline = performance.now() + 5_000;
    const goesOn = () => running.some(({ acknowledged }, n) => acknowledged.size > (said[n] ?? 0));
    while (!goesOn() && performance.now() < deadline) await sleep(10);
    expect(goesOn()).toBe(true);
  }
  for (const { process: child } of running) child.kill("SIGKILL");
  for (const writer of writers) {
    await writer.ended;
    expect([writer.process.signalCode, writer.errors]).toEqual(["SIGKILL", ""]);
  }
  const client = folder.connect();
  check(await client.load("list"), writers);
  expect(folder.raw().prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
}, 60_000);

test("[L2] 4 processes take turns: none gets much more than another", async () => {
  const folder = sqliteFolder();
  const writers = Array.from({ length: 4 }, (_, n) => start(folder.path, `f${String(n)}`, 0));
  while (writers.some(({ acknowledged }) => acknowledged.size === 0)) await sleep(10);
  const before = writers.map(({ acknowledged }) => acknowledged.size);
  const count = () => writers.map(({ acknowledged }, n) => acknowledged.size - (before[n] ?? 0));
  while (Math.max(...count()) < 150) await sleep(10); // enough for chance to even out
  const turns = count();
  for (const writer of writers) {
    writer.process.kill("SIGKILL");
    await writer.ended;
  }
  expect(Math.max(...turns) / Math.min(...turns)).toBeLessThan(2);
}, 60_000);

test("[P1] an open store on SQLite keeps no process alive", async () => {
  const folder = sqliteFolder();
  const source = `
    import { createSqliteBackend } from ${JSON.stringify(join(import.meta.dirname, "../../../src/backends/sqlite/backend.ts"))};
    const backend = createSqliteBackend({ path: ${JSON.stringify(folder.path)}, prefix: "test:" });
    await backend.acquireLock("x", "h:1:c:1", { leaseMs: 60_000, queue: true, load: true, fences: 1 }, { sequence: 0, n: 1, keepMs: 1 });
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: "inherit" });
  expect((await once(child, "close"))[0]).toBe(0); // the lease would last for a minute: longer than this test may
});
