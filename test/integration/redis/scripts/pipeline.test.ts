// The pipeline can be switched off: each operation is then a script call of its own, with the same replies.
//
// All contract suites pass with it off as well; they take too long to run twice.

import { afterAll, beforeAll, expect, test } from "vitest";

import { createRedisBackend } from "../../../../src/backends/redis/backend.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";

const count = 8;
const numbers = Array.from({ length: count }, (_, index) => index);

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ prefixes: ["t:"] });
});
afterAll(() => server.stop());

async function scriptCalls(): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
}

test.each(["paced", "none"] as const)(
  "%s: operations of one tick, and how many scripts",
  async (pipeline) => {
    const backend = createRedisBackend({ target: server.url, prefix: "t:", operationMs: 5_000, pipeline });
    await backend.ready();
    const ids = numbers.map((number) => `${pipeline} ${String(number)}`);
    const ticketOf = (number: number): string => `h:1:${backend.clientId}:${String(number)}`;
    const receipt = (number: number, n: number) => ({ sequence: number, n, keepMs: 60_000 });
    const request = { leaseMs: 5_000, queue: false, load: true, fences: 1 };

    // Loads the scripts.
    await backend.acquireLock("first", ticketOf(count), request, receipt(count, 1));
    await backend.releaseLock("first", ticketOf(count), { write: save("x") }, receipt(count, 1));
    const before = await scriptCalls();
    const grants = await Promise.all(
      ids.map((id, number) => backend.acquireLock(id, ticketOf(number), request, receipt(number, 1))),
    );
    const afterAcquire = await scriptCalls();
    const released = await Promise.all(
      ids.map((id, number) =>
        backend.releaseLock(id, ticketOf(number), { write: save(id) }, receipt(number, 1)),
      ),
    );
    const afterRelease = await scriptCalls();
    await backend.close();

    for (const grant of grants) expect(grant).toMatchObject({ status: "granted", state: null });
    for (const reply of released) expect(reply).toMatchObject({ status: "released" });
    const fences = grants.map((grant) => (grant.status === "granted" ? grant.fence : NaN));
    expect(fences).toEqual([...new Set(fences)].sort((one, two) => one - two));
    const scripts = pipeline === "none" ? count : 3;
    expect([afterAcquire - before, afterRelease - afterAcquire]).toEqual([scripts, scripts]);
  },
);
