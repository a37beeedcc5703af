// Whatever is done to it, a backend answers as memory does.

import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";

import { createSqliteBackend, sqliteLimits } from "../../src/backends/sqlite/backend.ts";
import { documentedIndexRights } from "../support/acl.ts";
import { startRedis } from "../support/redis-server.ts";
import { answersAsMemory, redisTrials, three, timeByHand } from "./oracle-property.ts";

/** Here it is about answers, not about the disk: nothing waits for it. */
class Unsynced extends DatabaseSync {
  override exec(sql: string): void {
    super.exec(sql.replace("synchronous = FULL", "synchronous = OFF"));
  }
}

test("[S1] [S2] [S3] [S4] [S5] [S8] [S9] [L1] [L2] [L3] [L6] [L7] [L9] [L10] [L15] SQLite answers as memory does", async () => {
  const begin = async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-"));
    const path = join(folder, "store.db");
    const time = timeByHand();
    const { now } = time;
    const clients = three(() => createSqliteBackend({ path, prefix: "test:", now, driver: Unsynced }));
    const forget = async (): Promise<void> => {
      await clients[0]?.ready(); // or there might be no file yet
      const db = new DatabaseSync(path, { timeout: 10_000 });
      db.exec("DELETE FROM receipts");
      db.close();
    };
    const end = (): void => rmSync(folder, { recursive: true });
    return {
      ...time,
      clients,
      limits: sqliteLimits,
      exactTimes: true,
      wakes: false,
      keepsOrder: true,
      forget,
      end,
    };
  };
  await answersAsMemory(begin, { runs: 300, calls: 80, advances: 6, shares: true });
}, 300_000);

test.each([
  ["Redis", false, 60],
  ["Redis with an index", true, 20],
])(
  "[S1] [S2] [S3] [S4] [S5] [S8] [S9] [L1] [L2] [L3] [L6] [L7] [L8] [L9] [L10] [L15] %s answers and wakes as memory does",
  async (_, index, runs) => {
    const server = await startRedis({ rights: index ? documentedIndexRights() : [] });
    try {
      await answersAsMemory(redisTrials(server, "holdfast:", index), {
        runs,
        calls: 60,
        advances: 1,
        shares: true,
      });
    } finally {
      await server.stop();
    }
  },
  300_000,
);
