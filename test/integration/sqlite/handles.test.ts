// After close() nothing of the file is open, for each driver, without a garbage collection; test/project/package.test.ts does the
// same on each version of Node.

import { DatabaseSync as PeerDatabase } from "@photostructure/sqlite";
import { readdirSync, readlinkSync, realpathSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";

import { attaching, type SqlDriver } from "../../../src/backends/sqlite/driver.ts";
import { save } from "../../../src/testing/contract-client.ts";
import { failure, sqliteFolder } from "./sqlite-folder.ts";

const drivers: readonly [string, SqlDriver][] = [
  ["node:sqlite", DatabaseSync],
  ["@photostructure/sqlite", attaching(PeerDatabase)],
];

/** What this process has open in a folder; Linux only. */
function openIn(folder: string): string[] {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // that of this very look
    }
  });
  return links.filter((path) => path.startsWith(realpathSync(folder)));
}

describe.each(drivers)("%s", (_, driver) => {
  test("[P2] close() leaves no descriptor open, and no log", async () => {
    const folder = sqliteFolder();
    const home = dirname(folder.path);
    for (let n = 0; n < 10; n += 1) {
      const client = folder.connect({ driver });
      await client.saved(`x${String(n)}`, save("1"));
      const turn = client.ticketFor("x");
      await turn.granted();
      await turn.release();
      await client.backend.listStates(null, { idPrefix: "", limit: 100 });
      expect(openIn(home).length).toBeGreaterThan(0);
      await client.backend.close();
      expect(openIn(home)).toEqual([]);
      expect(readdirSync(home)).toEqual(["store.db"]);
    }
    expect(await folder.connect({ driver }).load("x7")).toBe("1");
  });

  test("[S6] a file that is refused is closed at once", async () => {
    const folder = sqliteFolder();
    const other = new DatabaseSync(folder.path);
    other.exec("CREATE TABLE users (name TEXT)");
    other.close();
    expect(await failure(folder.connect({ driver }).load("x"))).toMatchObject({ code: "CORRUPT_STATE" });
    expect(openIn(dirname(folder.path))).toEqual([]);
  });
});
