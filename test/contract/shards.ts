// Stores of three shards, as the contract suites need them: three storages of a kind, and hooks that find the right one.

import { randomBytes } from "node:crypto";

import type { Backend } from "../../src/backends/contract.ts";
import { ShardedBackend } from "../../src/backends/shards/backend.ts";
import { shardOf } from "../../src/backends/shard-of.ts";
import type { SuiteHooks } from "../../src/testing/index.ts";
import { backends, type BackendUnderTest, type Storage } from "./backends.ts";

const count = 3;

/** The same backends, three at a time. */
export const sharded: Readonly<Record<string, BackendUnderTest>> = Object.fromEntries(
  Object.entries(backends).map(([name, backend]) => [`three shards on ${name}`, threeOf(backend)]),
);

/** One client of three storages. */
export function oneClient(create: (clientId: string) => Backend[]): ShardedBackend {
  return new ShardedBackend("three shards", create(randomBytes(12).toString("hex")));
}

function threeOf(backend: BackendUnderTest): BackendUnderTest {
  return { ...backend, file: "backends/shards/backend.ts", create: () => createThree(backend) };
}

async function createThree(backend: BackendUnderTest): Promise<Storage> {
  const storages = await Promise.all(Array.from({ length: count }, () => backend.create()));
  return {
    createBackend: () =>
      oneClient((clientId) => storages.map((storage) => storage.createBackend({ clientId, isShard: true }))),
    hooks: Object.fromEntries(backend.hooks.map((name) => [name, onShardOf(storages, name)])),
    end: async () => {
      for (const storage of storages) await storage.end();
    },
  };
}

/** A hook about an id reaches its shard; one without an id reaches all. */
function onShardOf(storages: readonly Storage[], name: keyof SuiteHooks) {
  return async (...args: never[]): Promise<unknown> => {
    const run = (storage: Storage | undefined): unknown =>
      (storage?.hooks[name] as (...args: never[]) => unknown)(...args);
    const [id] = args as (string | undefined)[];
    if (id !== undefined) return run(storages[shardOf(id, count)]);
    return Promise.all(storages.map(run));
  };
}
