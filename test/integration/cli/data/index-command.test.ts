// holdfast index, and what other commands do on a store with an index.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { open } from "../../../../src/index.ts";
import { documentedIndexRights } from "../../../support/acl.ts";
import { runCli, type CliResult } from "../../../support/cli.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { jsonLines } from "./places.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes, each of which starts and ends

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ rights: documentedIndexRights() });
});
afterAll(() => server.stop());

const run = (...args: string[]): Promise<CliResult> => runCli([...args, "--url", server.url]);

test("it is built, used by all commands, and dropped", async () => {
  expect(await run("set", "b", "1")).toMatchObject({ code: 0 });
  expect(jsonLines(await run("index", "build", "--json"))).toEqual([{ changed: true, ids: 1 }]);
  expect(await run("set", "a", "2")).toMatchObject({ code: 0 });
  const listed = jsonLines(await run("ls", "--json")) as { id: string }[];
  expect(listed.map(({ id }) => id)).toEqual(["a", "b"]);
  expect((await run("doctor")).stdout).toMatch(/^ok +index +2 ids$/m);
  expect((await run("doctor")).stdout).not.toContain("of others");

  const grant = await (async () => {
    const store = open(server.url, { index: true });
    const held = await store.lock("a").acquire();
    return { end: () => held.release().then(() => store.close()) };
  })();
  const refused = await run("index", "drop");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("Close the store in every process first");
  await grant.end();

  expect((await run("index", "drop")).stdout).toBe("The store has no index any more.\n");
  expect((await run("index", "drop")).stdout).toBe("The store had no index: nothing was done.\n");
  expect(await run("get", "a")).toMatchObject({ code: 0, stdout: "2\n" });
});

test("wrong usage, and stores that are ordered anyway", async () => {
  expect(await run("index", "make")).toMatchObject({ code: 2 });
  const folder = mkdtempSync(join(tmpdir(), "holdfast-index-"));
  const { code, stderr } = await runCli(["index", "build", "--url", `sqlite:${join(folder, "store.db")}`]);
  rmSync(folder, { recursive: true });
  expect([code, stderr]).toEqual([2, expect.stringContaining("in order anyway")]);
});
