// Sinon's fake timers in a process of its own, where they may replace everything, `process.nextTick` as well; for Redis, what
// docs/testing.md says that must stay real, and what happens if it does not.
//
// Seen failing: node-time.ts takes the global functions without looking → "before" never ends; sockets are stopped by Node's
// own call of clearTimeout, which is replaced → a warning for each deadline.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { run } from "./runs.ts";

vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), "holdfast-sinon-"));
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const allDone = ["number", "LOCK_TIMEOUT", false, "number", "number", "number"];

describe.each(["before", "after"])("fake timers that were installed %s Holdfast was loaded", (order) => {
  test("memory and SQLite need nothing that is real", async () => {
    expect(await run("sinon-program.ts", ["memory:", order])).toEqual(allDone);
    expect(await run("sinon-program.ts", [`sqlite:${join(folder, "store.db")}`, order])).toEqual(allDone);
  });

  test("Redis needs process.nextTick alone; without it, calls end with an error", async () => {
    expect(await run("sinon-program.ts", [server.adminUrl, order, "but nextTick"])).toEqual(allDone);
    expect(await run("sinon-program.ts", [server.adminUrl, order])).toEqual(["UNREACHABLE"]);
  });
});
