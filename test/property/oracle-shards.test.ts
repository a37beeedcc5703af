// Whatever is done to it, a store of three shards answers as one memory does.
//
// HOLDFAST_ORACLE_SEED and HOLDFAST_ORACLE_RUNS choose another walk or a longer one.

import fc from "fast-check";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import { createRedisBackend } from "../../src/backends/redis/backend.ts";
import { shardOf } from "../../src/backends/shard-of.ts";
import type { ShardedBackend } from "../../src/backends/shards/backend.ts";
import { oneClient } from "../contract/shards.ts";
import { startRedis } from "../support/redis-server.ts";
import { sequences } from "./oracle-ops.ts";
import { ids, OracleRun } from "./oracle-run.ts";

const seed = Number(process.env["HOLDFAST_ORACLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const runs = (usual: number): number => Number(process.env["HOLDFAST_ORACLE_RUNS"] ?? usual);
console.log(`oracle of shards: HOLDFAST_ORACLE_SEED=${String(seed)}`);

const placeOf = (id: string): number => shardOf(id, 3);
const three = <T>(make: () => T): T[] => [make(), make(), make()];

/**
 * Nothing is forgotten: each shard has a proof of its own, so one that has lost its memory may refuse a retry that one
 * memory, which has recorded something elsewhere since, answers.
 */
const ops = (advances: number, maxLength: number) =>
  sequences(advances, maxLength).map((all) => all.filter(({ op }) => op !== "forget"));

test("the ids are on different shards", () => {
  expect(new Set(ids.map(placeOf)).size).toBe(ids.length);
});

test("[S1] [S2] [S3] [S4] [S5] [S8] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] three memories answer and wake as one does", async () => {
  const property = fc.asyncProperty(ops(6, 80), async (all) => {
    let time = 1_700_000_000_000;
    const now = (): number => (time += 0.02); // more than a call reserves, so that stamps are in the order of the calls
    const memories = three(() => new Memory());
    const memory = new Memory();
    const reference = three(() => new MemoryBackend({ memory, now }));
    const connect = (): ShardedBackend =>
      oneClient((clientId) => memories.map((part) => new MemoryBackend({ memory: part, now, clientId })));
    await connect().ready(); // writes the marks, which is something that could be proved
    const subject = three(connect);
    for (const backend of subject) await backend.ready();
    const run = new OracleRun({
      reference: { clients: reference },
      subject: { clients: subject },
      leases: [500, 1_300, 30_000],
      ttls: [500, 30_000],
      advance: async (ticks) => void (time += ticks * 600),
      forget: async () => {},
      exactTimes: false,
      placeOf,
      wakes: true,
    });
    try {
      await run.run(all);
    } finally {
      for (const backend of [...reference, ...subject]) await backend.close();
    }
  });
  await fc.assert(property, { seed, numRuns: runs(100) });
}, 300_000);

test("[S1] [S2] [S3] [S4] [S5] [S8] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] three Redis answer and wake as one memory does", async () => {
  const [tickMs, shortMs] = [300, 200];
  const servers = await Promise.all(three(() => startRedis()));
  let stores = 0;
  const connect = async (prefix: string): Promise<ShardedBackend> => {
    const backend = oneClient((clientId) =>
      servers.map(({ url }) =>
        createRedisBackend({ target: url, prefix, operationMs: 5_000, clientId, isShard: true }),
      ),
    );
    await backend.ready();
    while (!backend.pushes) await sleep(1); // until wakes reach it
    return backend;
  };
  const property = fc.asyncProperty(ops(1, 60), async (all) => {
    const memory = new Memory();
    const reference = three(() => new MemoryBackend({ memory }));
    const prefix = `holdfast:oracle-${String((stores += 1))}:`;
    await (await connect(prefix)).close(); // writes the marks
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
      forget: async () => {},
      exactTimes: false,
      keepsPace: () => performance.now() - began < shortMs / 2,
      placeOf,
      wakes: true,
    });
    try {
      await run.run(all);
    } finally {
      for (const backend of [...reference, ...subject]) await backend.close();
    }
  });
  try {
    await fc.assert(property, { seed, numRuns: runs(20) });
  } finally {
    for (const server of servers) await server.stop();
  }
}, 300_000);
