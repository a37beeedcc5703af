// What a closed store leaves behind: nothing that a test runner would name as an open handle.
//
// Seen failing: Session.#close() does not close the calls → the timer that keeps the process alive stays. It does not notice if
// only the tickets, or only the stall detector of a socket, are not closed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { run } from "./runs.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-handles-"));
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const targets = {
  memory: () => "memory:",
  SQLite: () => `sqlite:${join(folder, "store.db")}`,
  Redis: () => server.adminUrl,
};

test.each(Object.entries(targets))(
  "[P1] on %s, nothing is open after close(), and all is destroyed",
  async (_, target) => {
    expect(await run("handles-program.ts", [target()])).toEqual({ active: [], alive: [] });
  },
);
