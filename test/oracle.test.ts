// Whatever is done to it, a backend answers as memory does.
//
// HOLDFAST_ORACLE_SEED and HOLDFAST_ORACLE_RUNS choose another walk or a longer one.

import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";

import { Memory, MemoryBackend } from "../src/backends/memory.ts";
import { createSqliteBackend, sqliteLimits } from "../src/backends/sqlite.ts";
import { sequences } from "./support/oracle-ops.ts";
import { OracleRun } from "./support/oracle-run.ts";

const seed = Number(process.env["HOLDFAST_ORACLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const runs = (usual: number): number => Number(process.env["HOLDFAST_ORACLE_RUNS"] ?? usual);
console.log(`oracle: HOLDFAST_ORACLE_SEED=${String(seed)}`);

const three = <T>(make: () => T): T[] => [make(), make(), make()];

test("[S1] [S2] [S3] [S4] [S5] [S8] [L1] [L2] [L3] [L6] [L7] [L9] [L10] SQLite answers as memory does", async () => {
  const property = fc.asyncProperty(sequences(6, 80), async (ops) => {
    let time = 1_700_000_000_000;
    const now = () => time;
    const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
    const memory = new Memory();
    const reference = three(() => new MemoryBackend({ memory, now, limits: sqliteLimits }));
    const path = join(folder, "store.db");
    const subject = three(() => createSqliteBackend({ path, prefix: "test:", now }));
    const run = new OracleRun({
      reference: { clients: reference },
      subject: { clients: subject },
      leases: [500, 1_300, 30_000],
      ttls: [500, 30_000],
      // No two moments are less than 500 ms apart: a waiter on SQLite then writes down each ask that memory notes.
      advance: async (ticks) => void (time += ticks * 600),
      exactTimes: true,
      wakesSettled: false,
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
