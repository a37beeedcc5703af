// The contract on SQLite, with Node's own driver and with the one for a Node that has none.

import { DatabaseSync as PeerDatabase } from "@photostructure/sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createSqliteBackend, sqliteLimits } from "../../src/backends/sqlite/backend.ts";
import { attaching, type SqlDriver } from "../../src/backends/sqlite/driver.ts";
import { contractCases } from "../support/contract-cases.ts";

const drivers: readonly [string, SqlDriver][] = [
  ["node:sqlite", DatabaseSync],
  ["@photostructure/sqlite", attaching(PeerDatabase)],
];

for (const [name, driver] of drivers) {
  contractCases(name, {
    limits: sqliteLimits,
    create(now) {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
      const options = { path: join(folder, "store.db"), prefix: "test:", driver, now };
      return {
        connect: () => createSqliteBackend(options),
        end: async () => rmSync(folder, { recursive: true }),
      };
    },
  });
}
