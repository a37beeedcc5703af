// Processes that save and that watch, killed at any moment: those that are left see the final value, and no process is kept
// alive by what it no longer reads.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { poll } from "../../../support/poll.ts";
import { served, type Served } from "../../../support/served.ts";
import { killAll, Worker } from "../../../support/workers.ts";

vi.setConfig({ testTimeout: 120_000 });

const program = join(import.meta.dirname, "watch-program.ts");

describe.each(["Redis", "SQLite"] as const)("%s", (name) => {
  let backend: Served;
  let store: Store;
  beforeAll(async () => {
    backend = await served[name]();
    store = open(backend.url);
  });
  afterEach(() => killAll());
  afterAll(async () => {
    await store.close();
    await backend.end();
  });

  const worker = (role: string): Worker => new Worker(backend.url, role, {}, program);
  const final = (): Promise<number | undefined> => store.state<number>("watched").load();
  const lastSeen = ({ told }: Worker): unknown => told.at(-1)?.["seen"];
  const saved = (told: readonly Record<string, unknown>[]): number =>
    told.filter((line) => "saved" in line).length;

  test("[E2] a process is killed while it saves: those that watch see its last save", async () => {
    const watchers = [worker("watches"), worker("watches")];
    await Promise.all(watchers.map((one) => one.until((told) => told.length > 0)));
    for (let round = 1; round <= 3; round += 1) {
      const writer = worker("saves");
      await writer.until((told) => saved(told) >= 10 * round);
      await writer.kill();
      const last = await final();
      for (const one of watchers) await poll(() => lastSeen(one)).toBe(last);
    }
    for (const { told } of watchers) {
      const seen = told.map((line) => Number(line["seen"]));
      expect(seen).toEqual(seen.toSorted((one, other) => one - other));
    }
  });

  test("[E2] a process is killed while it watches: saves go on, and one that watches next sees the value", async () => {
    const writer = worker("saves");
    const killed = worker("watches");
    await killed.until((told) => told.length > 3);
    await killed.kill();
    const before = saved(writer.told);
    await writer.until((told) => saved(told) > before + 10);
    const next = worker("watches");
    await next.until((told) => told.length > 3);
    await writer.kill();
    const last = await final();
    await poll(() => lastSeen(next)).toBe(last);
  });

  test("[E2] [P1] an iterator that is dropped does not keep the process alive", async () => {
    const dropping = worker("drops");
    expect(await dropping.ended).toBe(0);
    expect(dropping.told).toEqual([{ dropped: true }]);
  });
});
