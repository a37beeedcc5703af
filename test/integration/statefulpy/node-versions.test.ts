// Owners on every version of Node that is supported: AsyncLocalStorage is another one in each of them.

import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

import { findNode } from "../../project/node-versions.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const root = join(import.meta.dirname, "../../..");
let redis: RedisServer;
beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  redis = await startRedis({ prefixes: ["statefulpy:"] });
});
afterAll(() => redis.stop());

const program = `
  import { RedisBackend, stateful } from "holdfast/statefulpy";
  const backend = new RedisBackend({ redisUrl: process.argv[1] });
  let inside = 0, most = 0;
  const work = async () => {
    most = Math.max(most, (inside += 1));
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside -= 1;
  };
  const task = async () => {
    await backend.acquireLock("x");
    await work();
    await backend.releaseLock("x");
  };
  await Promise.all([task(), task(), task()]);
  await Promise.all([backend.owner(task), backend.owner(task), task()]);
  const timedOut = await backend.owner(async () => {
    await backend.acquireLock("x");
    await Promise.all([backend.acquireLock("x", 0), backend.acquireLock("x", 0)]);
    return backend.owner(() => backend.acquireLock("x", 0)).catch((error) => error.code);
  });
  const counter = stateful(async (n) => {
    counter.state.count = (counter.state.count ?? 0) + 1;
    await work();
    if (n > 0) await counter(n - 1);
  }, { backend, id: "counter" });
  await Promise.all([counter(1), counter(2)]);
  await backend.close();
  console.log(JSON.stringify({ most, timedOut, state: counter.state }));
`;

test.each([20, 22, 24])(
  "Node %i: top-level tasks and scopes exclude each other; a scope re-enters",
  async (major) => {
    await redis.command("FLUSHALL");
    const args = ["--input-type=module", "-e", program, redis.url];
    const { stdout } = await promisify(execFile)(findNode(major), args, { cwd: root, timeout: 30_000 });
    expect(JSON.parse(stdout)).toEqual({ most: 1, timedOut: "LOCK_TIMEOUT", state: { count: 5 } });
  },
  120_000,
);
