// Every backend that there is, as the contract suites need it: fresh clients of one storage, and a hand that reaches
// behind the protocol. test/project/promises.test.ts fails when a backend of src/ is missing here.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { Redis } from "ioredis";

import type { Backend } from "../../src/backends/contract.ts";
import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import { createRedisBackend, type RedisBackendOptions } from "../../src/backends/redis/backend.ts";
import { createSqliteBackend } from "../../src/backends/sqlite/backend.ts";
import { lockSuite, stateSuite, type SuiteHooks, type SuiteOptions } from "../../src/testing/index.ts";
import { startCluster, startSentinels } from "../support/faults/index.ts";
import { documentedIndexRights } from "../support/acl.ts";
import { startRedis } from "../support/redis-server.ts";
import { refusingUndeclared } from "../support/programs/undeclared-keys.ts";

/** A storage that has been made for a run of the suites. */
export interface Storage {
  /** `shard`: what makes it one shard of a store, if it is one. */
  createBackend(shard?: { readonly clientId: string; readonly isShard: true }): Backend;
  readonly hooks: SuiteHooks;
  end(): Promise<void>;
}

export interface BackendUnderTest {
  /** The file of src/ that it is in. */
  readonly file: string;
  readonly pushes: boolean;
  create(): Promise<Storage>;
  /** Which hooks its storage brings: known before it is there, since tests are named first. */
  readonly hooks: readonly (keyof SuiteHooks)[];
}

export const suites: Readonly<Record<string, (options: SuiteOptions) => void>> = { stateSuite, lockSuite };

const prefix = "holdfast:";

const redis: BackendUnderTest = {
  file: "backends/redis/backend.ts",
  pushes: true,
  create: () => createRedis(),
  hooks: ["deleteLock", "putForeignLock", "removeForeignLock", "putGarbage", "flush"],
};

export const backends: Readonly<Record<string, BackendUnderTest>> = {
  memory: {
    file: "backends/memory/backend.ts",
    pushes: true,
    create: createMemory,
    hooks: ["deleteLock", "flush"],
  },
  SQLite: {
    file: "backends/sqlite/backend.ts",
    pushes: false,
    create: createSqlite,
    hooks: ["deleteLock", "flush"],
  },
  Redis: redis,
};

/** Its locks know tickets only, and its states cannot be damaged. */
async function createMemory(): Promise<Storage> {
  const memory = new Memory();
  return {
    createBackend: (shard) => new MemoryBackend({ memory, ...shard }),
    hooks: {
      deleteLock: async (id) => void memory.locks.delete(id),
      flush: async () => {
        const { states, locks, holders, semaphores, queues, receipts, stamp } = memory;
        for (const rows of [states, locks, holders, semaphores, queues, ...receipts.values()]) rows.clear();
        memory.stamp = 0;
        while (performance.now() * 1_000 <= stamp); // a server that restarts takes longer
      },
    },
    end: async () => {},
  };
}

/** Its columns are typed, so that no row can be damaged; foreign clients have no documented pattern to follow. */
async function createSqlite(): Promise<Storage> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-suite-"));
  const path = join(folder, "store.db");
  await createSqliteBackend({ path, prefix }).ready();
  const db = new DatabaseSync(path, { timeout: 10_000 });
  return {
    createBackend: (shard) => createSqliteBackend({ path, prefix, ...shard }),
    hooks: {
      deleteLock: async (id) =>
        void db.prepare("DELETE FROM locks WHERE prefix = ? AND id = ?").run(prefix, id),
      flush: async () => {
        const tables = ["states", "locks", "holders", "semaphores", "waiters", "receipts"];
        const rows = tables.map((table) => `DELETE FROM ${table};`);
        db.exec(`BEGIN IMMEDIATE; ${rows.join(" ")} UPDATE stamps SET last = 0; COMMIT;`);
      },
    },
    end: async () => {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** The Redis backend in other settings, for suites of their own. */
export const onRedis: Readonly<Record<string, BackendUnderTest>> = {
  /** On one client that all stores share. */
  ioredis: { ...redis, create: createOnIoredis },
  /** On a server that refuses keys which a script did not declare. */
  "declared keys": {
    ...redis,
    create: () => createRedis({ options: { declareKeys: true, edition: refusingUndeclared } }),
  },
  "an index": { ...redis, create: () => createRedis({ options: { index: true } }) },
  "an index, with declared keys": {
    ...redis,
    create: () => createRedis({ options: { declareKeys: true, edition: refusingUndeclared, index: true } }),
  },
  "a cluster": { ...redis, create: createOnCluster },
  "a Sentinel group": { ...redis, create: createOnSentinels },
};

async function createOnIoredis(): Promise<Storage> {
  const clients: Redis[] = [];
  const storage = await createRedis({
    targetOf: (url) => {
      clients[0] ??= new Redis(url, { disableClientInfo: true }); // which would need one more right
      return clients[0];
    },
  });
  const end = async (): Promise<void> => {
    for (const client of clients) client.disconnect();
    await storage.end();
  };
  return { ...storage, end };
}

/** What the suites need of a server, or of the node of a cluster that has their keys. */
interface Served {
  readonly url: string;
  readonly prefix: string;
  command(...args: string[]): Promise<unknown>;
  stop(): Promise<void>;
}

async function createOnCluster(): Promise<Storage> {
  const cluster = await startCluster({ nodeTimeoutMs: 30_000 }); // no node fails here, however busy the machine is
  const owner = await cluster.owner();
  return storageOn({
    url: cluster.url,
    prefix: "{holdfast}:",
    command: (...args) => owner.command(...args),
    stop: () => cluster.stop(),
  });
}

async function createOnSentinels(): Promise<Storage> {
  const group = await startSentinels({ downAfterMs: 30_000 }); // as above
  const primary = await group.primary();
  const command = (...args: string[]): Promise<unknown> => primary.command(...args);
  return storageOn({ url: group.url, prefix, command, stop: () => group.stop() });
}

interface Setting {
  readonly targetOf?: (url: string) => RedisBackendOptions["target"];
  readonly options?: Partial<RedisBackendOptions>;
}

async function createRedis(setting?: Setting): Promise<Storage> {
  const server = await startRedis({
    rights: setting?.options?.index === true ? documentedIndexRights() : [],
  });
  const command = (...args: string[]): Promise<unknown> => server.command(...args);
  return storageOn({ url: server.url, prefix, command, stop: () => server.stop() }, setting);
}

function storageOn(server: Served, { targetOf = (url) => url, options = {} }: Setting = {}): Storage {
  const target = (): RedisBackendOptions["target"] => targetOf(server.url);
  const lock = (id: string): string => `${server.prefix}lock:{${id}}`;
  const compareAndDelete =
    'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end';
  return {
    createBackend: (shard) =>
      createRedisBackend({
        target: target(),
        prefix: server.prefix,
        operationMs: 5_000,
        ...options,
        ...shard,
      }),
    hooks: {
      deleteLock: async (id) => {
        await server.command("DEL", lock(id));
      },
      putForeignLock: async (id, token, leaseMs) => {
        const lease = leaseMs === null ? [] : ["PX", String(leaseMs)];
        return (await server.command("SET", lock(id), token, "NX", ...lease)) === "OK";
      },
      removeForeignLock: async (id, token) =>
        (await server.command("EVAL", compareAndDelete, "1", lock(id), token)) === 1,
      putGarbage: async (id) => {
        await server.command("SET", `${server.prefix}state:{${id}}`, "not ours");
      },
      flush: async () => {
        await server.command("FLUSHALL");
      },
    },
    end: async () => {
      const denied = await server.command("ACL", "LOG");
      await server.stop();
      // Not even a command whose failure is passed over: the rights of docs/redis.md are enough for everything.
      if (String(denied) !== "") throw new Error(`ACL LOG has entries: ${JSON.stringify(denied)}`);
    },
  };
}
