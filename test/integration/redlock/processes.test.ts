// Real processes, each with a Redlock of its own.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

import { killAll, Worker } from "../../support/workers.ts";
import { World } from "./clients.ts";

const program = join(import.meta.dirname, "program.ts");
const folder = mkdtempSync(join(tmpdir(), "holdfast-redlock-"));
const world = new World("ioredis 5");
beforeAll(() => world.start());
afterEach(async () => {
  await killAll();
  await world.end();
});
afterAll(async () => {
  await world.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (life: string, env: Record<string, string> = {}): Worker =>
  new Worker(world.server.url, life, env, program);

test("processes exclude each other: no update of a file is lost", async () => {
  const file = join(folder, "count");
  writeFileSync(file, "0");
  const orders = ["a,file", "file,b", "b,file", "file,a"];
  const workers = orders.map((RESOURCES) => start("count", { FILE: file, RESOURCES }));
  for (const worker of workers) expect([await worker.ended, worker.errors]).toEqual([0, ""]);
  expect(readFileSync(file, "utf8")).toBe("200");
}, 60_000);

test("kill -9 of the holder: the lock ends with its duration, no earlier", async () => {
  const startedAt = performance.now();
  const worker = start("hold", { DURATION: "4000" });
  await worker.until((told) => told.length > 0);
  const [{ held } = {}] = worker.told;
  await worker.kill();
  const redlock = await world.redlock({ retryCount: -1 });
  const lock = await redlock.acquire(["held"], 5_000);
  expect(performance.now() - startedAt).toBeGreaterThan(4_000);
  expect(lock.fences["held"]).toBeGreaterThan(Number(held));
  await lock.release();
}, 60_000);

test("a holder that is stopped for longer than its lock: the next one gets it", async () => {
  const worker = start("hold", { DURATION: "1000" });
  await worker.until((told) => told.length > 0);
  worker.signal("SIGSTOP");
  const lock = await (await world.redlock({ retryCount: -1 })).acquire(["held"], 60_000);
  expect(lock.fences["held"]).toBeGreaterThan(Number(worker.told[0]?.["held"]));
  worker.signal("SIGCONT");
  await lock.extend(60_000);
  await lock.release();
}, 60_000);

test("a program that ends its client ends by itself", async () => {
  const worker = start("end");
  expect([await worker.ended, worker.errors, worker.told]).toEqual([0, "", [{ done: true }]]);
}, 60_000);
