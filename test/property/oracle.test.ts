// Whatever is done to it, a backend answers as memory does.
//
// HOLDFAST_ORACLE_SEED and HOLDFAST_ORACLE_RUNS choose another walk or a longer one.

import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, test } from "vitest";

import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import { createRedisBackend, type RedisBackend } from "../../src/backends/redis/backend.ts";
import { createSqliteBackend, sqliteLimits } from "../../src/backends/sqlite/backend.ts";
import { sequences } from "./oracle-ops.ts";
import { OracleRun } from "./oracle-run.ts";
import { startRedis, type RedisServer } from "../support/redis-server.ts";

const seed = Number(process.env["HOLDFAST_ORACLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const runs = (usual: number): number => Number(process.env["HOLDFAST_ORACLE_RUNS"] ?? usual);
console.log(`oracle: HOLDFAST_ORACLE_SEED=${String(seed)}`);

/** Here it is about answers, not about the disk: nothing waits for it. */
class Unsynced extends DatabaseSync {
  override exec(sql: string): void {
    super.exec(sql.replace("synchronous = FULL", "synchronous = OFF"));
  }
}

function forgetReceipts({ receipts }: Memory): void {
  for (const ofClient of receipts.values()) ofClient.clear();
}

const three = <T>(make: () => T): T[] => [make(), make(), make()];

test("[S1] [S2] [S3] [S4] [S5] [S8] [L1] [L2] [L3] [L6] [L7] [L9] [L10] SQLite answers as memory does", async () => {
  const property = fc.asyncProperty(sequences(6, 80), async (ops) => {
    let time = 1_700_000_000_000;
    const now = () => time;
    const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
    const memory = new Memory();
    const reference = three(() => new MemoryBackend({ memory, now, limits: sqliteLimits }));
    const path = join(folder, "store.db");
    const subject = three(() => createSqliteBackend({ path, prefix: "test:", now, driver: Unsynced }));
    const run = new OracleRun({
      reference: { clients: reference },
      subject: { clients: subject },
      leases: [500, 1_300, 30_000],
      ttls: [500, 30_000],
      // No two moments are less than 500 ms apart: a waiter on SQLite then writes down each ask that memory notes.
      advance: async (ticks) => void (time += ticks * 600),
      forget: async () => {
        forgetReceipts(memory);
        await subject[0]?.ready(); // or there might be no file yet
        const db = new DatabaseSync(path, { timeout: 10_000 });
        db.exec("DELETE FROM receipts");
        db.close();
      },
      exactTimes: true,
      wakes: false,
    });
    try {
      await run.run(ops);
    } finally {
      for (const backend of [...reference, ...subject]) await backend.close();
      rmSync(folder, { recursive: true });
    }
  });
  await fc.assert(property, { seed, numRuns: runs(300) });
}, 300_000);

describe("on a real server, in real time", () => {
  /** Longer than the short lease, which is much longer than any run goes on without such a pause. */
  const tickMs = 300;
  const shortMs = 200;
  let server: RedisServer;
  let stores = 0;
  beforeAll(async () => void (server = await startRedis()));
  afterAll(() => server.stop());

  async function connect(prefix: string): Promise<RedisBackend> {
    const backend = createRedisBackend({ target: server.url, prefix, operationMs: 5_000 });
    await backend.ready();
    while (backend.askAgainMs !== 5_000) await sleep(1); // until wakes reach it
    return backend;
  }

  test("[S1] [S2] [S3] [S4] [S5] [S8] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] Redis answers and wakes as memory does", async () => {
    const property = fc.asyncProperty(sequences(1, 60), async (ops) => {
      const memory = new Memory();
      const reference = three(() => new MemoryBackend({ memory }));
      const prefix = `holdfast:oracle-${String((stores += 1))}:`;
      const subject = await Promise.all(three(() => connect(prefix)));
      let began = performance.now();
      const run = new OracleRun({
        reference: { clients: reference },
        subject: { clients: subject },
        leases: [shortMs, 20_000, 30_000],
        ttls: [shortMs, 30_000],
        advance: async () => {
          await sleep(tickMs);
          began = performance.now();
        },
        forget: async () => {
          forgetReceipts(memory);
          await server.command("DEL", ...subject.map(({ clientId }) => `${prefix}done:${clientId}`));
        },
        exactTimes: false,
        keepsPace: () => performance.now() - began < shortMs / 2,
        wakes: true,
      });
      try {
        await run.run(ops);
      } finally {
        for (const backend of [...reference, ...subject]) await backend.close();
      }
    });
    await fc.assert(property, { seed, numRuns: runs(60) });
  }, 300_000);
});
