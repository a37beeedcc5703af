// A recipe on Redis and on SQLite, each for the tests of one file.

import { afterAll, beforeAll, describe, vi } from "vitest";

import { served, type Served } from "../../support/served.ts";
import { Page } from "./page-process.ts";

/** Real processes, which start slowly beside others. */
vi.setConfig({ testTimeout: 120_000 });

export interface Setting {
  readonly page: Page;
  readonly backend: Served;
}

export function onEachStore(
  file: string,
  tests: (setting: () => Setting, name: "Redis" | "SQLite") => void,
): void {
  describe.each(["Redis", "SQLite"] as const)(`${file} on %s`, (name) => {
    let setting: Setting;
    beforeAll(async () => {
      setting = { page: new Page(file), backend: await served[name]() };
    });
    afterAll(async () => {
      await setting.page.end();
      await setting.backend.end();
    });
    tests(() => setting, name);
  });
}
