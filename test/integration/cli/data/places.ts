// Where the commands are tested: a SQLite file, and a Redis whose URL has a password, as the user of docs/redis.md.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { appUser } from "../../../support/acl.ts";
import { runCli, type CliOptions, type CliResult } from "../../../support/cli.ts";
import { startRedis } from "../../../support/redis-server.ts";

export interface Place {
  readonly url: string;
  /** The same store, in the process of the test. */
  readonly store: Store;
  /** Runs a command on it, and checks that it shows no password. */
  run(args: readonly string[], options?: CliOptions): Promise<CliResult>;
}

/** The tests, on each of them. */
export function onEachPlace(tests: (place: Place) => void): void {
  describe.each(["SQLite", "Redis"] as const)("on %s", (kind) => {
    let url = "";
    let store: Store | undefined;
    let stop: () => Promise<void> | void = () => undefined;
    beforeAll(async () => {
      if (kind === "SQLite") {
        const folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
        url = `sqlite:${join(folder, "store.db")}`;
        stop = () => rmSync(folder, { recursive: true, force: true });
      } else {
        const server = await startRedis();
        url = server.url;
        stop = () => server.stop();
      }
      store = open(url);
    });
    afterAll(async () => {
      await store?.close({ drainMs: 0 });
      await stop();
    });
    tests({
      get url() {
        return url;
      },
      get store() {
        if (store === undefined) throw new Error("there only while a test runs");
        return store;
      },
      run: (args, options) => runSafely(args, { ...options, env: { HOLDFAST_URL: url, ...options?.env } }),
    });
  });
}

/** [P3] */
export async function runSafely(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  const result = await runCli(args, options);
  expect(result.stdout + result.stderr).not.toContain(appUser.password);
  return result;
}

/** Each line as JSON. */
export function jsonLines({ stdout }: CliResult): unknown[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);
}
