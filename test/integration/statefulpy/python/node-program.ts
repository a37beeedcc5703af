// A Node process with holdfast/statefulpy, with the same orders as protocol.py. Arguments: a URL or a file, serializer,
// lockTimeout.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { createClient } from "@redis/client";

import { RedisBackend, SqliteBackend } from "../../../../src/statefulpy/index.ts";

const [url = "", serializer = "json", lockTimeout = "30000"] = process.argv.slice(2);
const options = { serializer: serializer as "json", lockTimeout: Number(lockTimeout) };
const isRedis = url.startsWith("redis:");
const backend = isRedis
  ? new RedisBackend({ redisUrl: url, ...options })
  : new SqliteBackend({ dbPath: url, ...options });
const client = createClient({ url: isRedis ? url : "redis://localhost", RESP: 2 });
if (isRedis) await client.connect();
const trace = async (entry: string): Promise<unknown> => isRedis && client.rPush("statefulpy:trace", entry);

type Orders = Record<string, (...args: never[]) => Promise<unknown>>;

const operations: Orders = {
  acquire: (id: string, seconds: number) => backend.acquireLock(id, seconds),
  release: (id: string) => backend.releaseLock(id),
  count: async (id: string, times: number, name: string) => {
    let longest = 0;
    const turn = async (lane: string): Promise<void> => {
      const began = performance.now();
      await backend.owner(async () => {
        await backend.acquireLock(id, 60);
        longest = Math.max(longest, performance.now() - began);
        await trace(`+${lane}`);
        const state = ((await backend.loadState(id)) ?? { count: 0 }) as { count: number };
        await sleep(Math.random() * 4);
        await backend.saveState(id, { ...state, count: state.count + 1 });
        await trace(`-${lane}`);
        await backend.releaseLock(id);
      });
    };
    // Two lanes, so that the callers of this process take turns as well.
    const lane = async (n: number): Promise<void> => {
      for (let left = times; left > 0; left -= 2) await turn(`${name}.${String(n)}`);
    };
    await Promise.all([lane(1), lane(2)]);
    return longest / 1_000;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { n, op, args } = JSON.parse(line) as { n: number; op: string; args: never[] };
  const answer = (result: object): void => void process.stdout.write(`${JSON.stringify({ n, ...result })}\n`);
  operations[op]!(...args).then(
    (ok) => answer({ ok }),
    (error: unknown) => answer({ error: String(error) }),
  );
}
process.exit(0);
