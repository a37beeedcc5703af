// A folder for a test's SQLite files, and clients on them.

import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

import {
  createSqliteBackend,
  type SqliteBackend,
  type SqliteOptions,
} from "../../../src/backends/sqlite/backend.ts";
import { ContractClient } from "../../../src/testing/contract-client.ts";

export interface SqliteFolder {
  readonly path: string;
  connect(options?: Partial<SqliteOptions>): ContractClient & { readonly backend: SqliteBackend };
  /** The file itself, for a look behind the scenes. */
  raw(): DatabaseSync;
}

/** Gone after the test, with everything in it. */
export function sqliteFolder(): SqliteFolder {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
  const path = join(folder, "store.db");
  const closing: (() => void)[] = [];
  onTestFinished(() => {
    for (const close of closing) close();
    rmSync(folder, { recursive: true });
  });
  return {
    path,
    connect(options = {}) {
      const backend = createSqliteBackend({ path, prefix: "test:", ...options });
      closing.push(() => void backend.close());
      return new ContractClient(backend) as ContractClient & { backend: SqliteBackend };
    },
    raw() {
      const db = new DatabaseSync(path);
      closing.push(() => db.isOpen && db.close());
      return db;
    },
  };
}

/** What a call failed with; fails when it did not. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  const reply = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in reply) return reply.error;
  throw new Error(`it did not fail: ${JSON.stringify(reply.value)}`);
}
