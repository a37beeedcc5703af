// Whatever is done to it, a store of three shards answers as one memory does.
//
// Nothing is forgotten: each shard has a proof of its own, so one that has lost its memory may refuse a retry that one
// memory, which has recorded something elsewhere since, answers.

import { expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import { createRedisBackend } from "../../src/backends/redis/backend.ts";
import { shardOf } from "../../src/backends/shard-of.ts";
import { oneClient } from "../contract/shards.ts";
import { startRedis } from "../support/redis-server.ts";
import { answersAsMemory, realTime, three, threeListening, timeByHand } from "./oracle-property.ts";
import { ids } from "./oracle-wishes.ts";

const placeOf = (id: string): number => shardOf(id, 3);

test("the ids are on different shards, and two of them on one", () => {
  const [x, y, z] = ids.map(placeOf);
  expect(y).not.toBe(x);
  expect(z).toBe(x);
});

test("[S1] [S2] [S3] [S4] [S5] [S8] [S9] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] three memories answer and wake as one does", async () => {
  const begin = async () => {
    const time = timeByHand(0.02); // more than a call reserves, so that stamps are in the order of the calls
    const memories = three(() => new Memory());
    const connect = () =>
      oneClient((clientId) =>
        memories.map((memory) => new MemoryBackend({ memory, now: time.now, clientId })),
      );
    await connect().ready(); // writes the marks, which is something that could be proved
    return { ...time, clients: await threeListening(connect), placeOf };
  };
  await answersAsMemory(begin, { runs: 100, calls: 80, advances: 6, shares: true });
}, 300_000);

test("[S1] [S2] [S3] [S4] [S5] [S8] [S9] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] three Redis answer and wake as one memory does", async () => {
  const servers = await Promise.all(three(() => startRedis()));
  let stores = 0;
  const begin = async () => {
    const prefix = `holdfast:oracle-${String((stores += 1))}:`;
    const options = { prefix, operationMs: 5_000, isShard: true } as const;
    const connect = () =>
      oneClient((clientId) =>
        servers.map(({ url }) => createRedisBackend({ target: url, clientId, ...options })),
      );
    const first = connect();
    await first.ready(); // writes the marks
    await first.close();
    return { clients: await threeListening(connect), placeOf, ...realTime() };
  };
  try {
    await answersAsMemory(begin, { runs: 20, calls: 60, advances: 1, shares: true });
  } finally {
    for (const server of servers) await server.stop();
  }
}, 300_000);
