// What holdfast import --from statefulpy refuses before it reads a state.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { importCommand } from "../../../../src/cli/transfer/import.ts";
import { failureOf } from "../../../support/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-usage-"));
const target = `sqlite:${join(folder, "store.db")}`;
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [["--from", "elsewhere"], 2, "--from must be statefulpy"],
  [["--source", "redis://a", "--serializer", "json"], 2, "--from must be statefulpy"],
  [["--from", "statefulpy", "--serializer", "json"], 2, "--source is needed"],
  [["--from", "statefulpy", "--source", "redis://a"], 2, "--serializer must be pickle or json"],
  [
    ["--from", "statefulpy", "--source", "redis://a", "--serializer", "yaml"],
    2,
    "--serializer must be pickle or json",
  ],
  [
    ["--from", "statefulpy", "--source", "redis://a", "--serializer", "json", "--allow-nan"],
    2,
    "--allow-nan needs",
  ],
  [["file", "--from", "statefulpy", "--source", "redis://a", "--serializer", "json"], 2, "no FILE is read"],
  [
    ["--from", "statefulpy", "--source", "redis://u:s3cret@a?x=1", "--serializer", "json"],
    2,
    "only one db=number",
  ],
  [
    ["--from", "statefulpy", "--source", "redis+cluster://u:s3cret@a", "--serializer", "json"],
    2,
    "Redis Cluster",
  ],
  [["--from", "statefulpy", "--source", "sqlite:absent.db", "--serializer", "json"], 3, "There is no file "],
  [
    ["--from", "statefulpy", "--source", "redis://u:s3cret@127.0.0.1:1", "--serializer", "json"],
    3,
    "127.0.0.1:1",
  ],
])("%j is refused", async (args, exitCode, message) => {
  const { code, text } = await failureOf(importCommand, ["--url", target, ...args]);
  expect([code, text]).toEqual([exitCode, expect.stringContaining(message)]);
  expect(text).not.toContain("s3cret");
});
