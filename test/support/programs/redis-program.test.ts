// Which server the tests use: the one that is named, otherwise the first that PATH leads to.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";

import { findRedis } from "./redis-program.ts";

const root = mkdtempSync(join(tmpdir(), "holdfast-program-"));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

test("the first folder of PATH that has a server decides, whichever of the two it is; HOLDFAST_TEST_SERVER overrides it", () => {
  const programs = ["near/valkey-server", "far/redis-server"].map((path) => join(root, path));
  for (const program of programs) {
    mkdirSync(join(program, ".."));
    writeFileSync(program, "");
  }
  vi.stubEnv("HOLDFAST_TEST_SERVER", "");
  vi.stubEnv("PATH", ["empty", "near", "far"].map((folder) => join(root, folder)).join(delimiter));
  expect(findRedis()).toBe(programs[0]);
  for (const [named, found] of [
    [programs[1], programs[1]],
    ["valkey-server", programs[0]],
  ] as const) {
    vi.stubEnv("HOLDFAST_TEST_SERVER", named);
    expect(findRedis()).toBe(found);
  }
  for (const missing of [join(root, "missing"), "missing-server"]) {
    vi.stubEnv("HOLDFAST_TEST_SERVER", missing);
    expect(findRedis).toThrow(missing);
  }
});
