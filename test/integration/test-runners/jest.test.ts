// Jest 30 as it is, without flags, so that it loads the CommonJS build (test/project/jest.test.ts has it with ts-jest): its
// modern timers, installed before and after Holdfast is loaded; a test world together with them; and what
// --detectOpenHandles says.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "holdfast-jest-"));
const built = join(import.meta.dirname, "../../../dist/cjs");

const program = `
const { TARGET: target, BUILT: built } = process.env;
afterEach(() => jest.useRealTimers());

test.each(["after", "before"])("fake timers installed %s Holdfast is loaded", async (order) => {
  jest.resetModules();
  if (order === "after") require(built + "/index.js");
  jest.useFakeTimers();
  const { open } = require(built + "/index.js");
  const store = open(target, { leaseMs: 500, prefix: order + ":" });
  for (let n = 0; n < 20; n += 1) await store.state("n", { initial: () => 0 }).update((n) => n + 1);
  const grant = await store.lock("l").acquire();
  await expect(store.lock("l").acquire({ waitMs: 700 })).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
  expect(grant.signal.aborted).toBe(false);
  await grant.release();
  await store.once("o", { keepMs: 1000 }).run(() => 1);
  await store.leader("e").run(() => 1);
  await store.semaphore("s", { permits: 1 }).run(() => 1);
  await store.close();
});

test("a world on fake timers", async () => {
  jest.useFakeTimers();
  const { createTestWorld } = require(built + "/testing/index.js");
  const world = createTestWorld({ advanceTimers: (ms) => jest.advanceTimersByTimeAsync(ms) });
  const order = [];
  const theirs = world.process("b").store.lock("x").run(async () => {
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    order.push("b");
  });
  await world.settle();
  const ours = world.store.lock("x").run(() => order.push("a"), { waitMs: 120_000 });
  await world.advance(59_999);
  expect(order).toEqual([]);
  await world.until(Promise.all([theirs, ours]));
  expect(order).toEqual(["b", "a"]);
  await world.close();
});
`;
const project = {
  private: true,
  jest: { transform: {}, testTimeout: 15_000 },
};

let server: RedisServer;
beforeAll(async () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify(project));
  writeFileSync(join(folder, "timers.test.js"), program);
  server = await startRedis();
  await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "jest@30"], { cwd: folder });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const targets = {
  memory: () => "memory:",
  SQLite: () => `sqlite:${join(folder, "store.db")}`,
  Redis: () => server.adminUrl,
};

test.each(Object.entries(targets))(
  "Jest's tests pass on %s, and nothing is left open",
  async (_, target) => {
    const args = ["node_modules/jest/bin/jest.js", "--detectOpenHandles"];
    const env = { ...process.env, TARGET: target(), BUILT: built };
    const { stderr } = await run(process.execPath, args, { cwd: folder, env, timeout: 60_000 });
    expect(stderr).toMatch(/Tests: +3 passed, 3 total/);
    expect(stderr).not.toMatch(/open handle/i);
  },
  90_000,
);
