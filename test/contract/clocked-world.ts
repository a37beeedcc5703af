// Backends whose clock a test can set, and three clients of one storage of theirs for each test.

import { DatabaseSync as PeerDatabase } from "@photostructure/sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach } from "vitest";

import type { Backend } from "../../src/backends/contract.ts";
import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import type { Limits } from "../../src/backends/rows/row-types.ts";
import { createSqliteBackend, sqliteLimits } from "../../src/backends/sqlite/backend.ts";
import { attaching, type SqlDriver } from "../../src/backends/sqlite/driver.ts";
import { ContractClient } from "../../src/testing/contract-client.ts";

interface Storage {
  /** A new client of the same states and locks. */
  connect(): Backend;
  /** The receipts of all clients are lost. */
  forget(): void;
  end(): void;
}

export interface ClockedBackend {
  readonly name: string;
  readonly limits: Limits;
  /** A new storage, where everything goes by `now`. */
  create(now: () => number): Storage;
}

/** SQLite is there twice: with Node's own driver, and with the one for a Node that has none. */
export const clockedBackends: readonly ClockedBackend[] = [
  { name: "memory", limits: { askLimitMs: 12_000, handOverMs: 10_000 }, create: createMemory },
  { name: "node:sqlite", limits: sqliteLimits, create: sqlite(DatabaseSync) },
  { name: "@photostructure/sqlite", limits: sqliteLimits, create: sqlite(attaching(PeerDatabase)) },
];

export interface ClockedWorld {
  /** What the storage's clock shows; tests set it. */
  time: number;
  a: ContractClient;
  b: ContractClient;
  c: ContractClient;
  forget(): void;
}

/** Makes a storage before each test of the enclosing `describe`, and removes it afterwards. */
export function clockedWorld(backend: ClockedBackend): ClockedWorld {
  const world = {} as ClockedWorld;
  let storage: Storage;
  beforeEach(() => {
    world.time = 1_700_000_000_000;
    storage = backend.create(() => world.time);
    world.a = new ContractClient(storage.connect());
    world.b = new ContractClient(storage.connect());
    world.c = new ContractClient(storage.connect());
    world.forget = () => storage.forget();
  });
  afterEach(async () => {
    for (const client of [world.a, world.b, world.c]) await client.backend.close();
    storage.end();
  });
  return world;
}

function createMemory(now: () => number): Storage {
  const memory = new Memory();
  return {
    connect: () => new MemoryBackend({ memory, now }),
    forget: () => memory.receipts.forEach((receipts) => receipts.clear()),
    end: () => {},
  };
}

function sqlite(driver: SqlDriver): (now: () => number) => Storage {
  return (now) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
    const options = { path: join(folder, "store.db"), prefix: "test:", driver, now };
    return {
      connect: () => createSqliteBackend(options),
      forget: () => {
        const db = new driver(options.path);
        db.exec("DELETE FROM receipts");
        db.close();
      },
      end: () => rmSync(folder, { recursive: true }),
    };
  };
}
