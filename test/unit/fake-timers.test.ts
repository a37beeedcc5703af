// A test of a user's that replaces every timer and clock must not stop calls: the library has Node's own.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { open } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-fake-"));
const targets = { memory: "memory:", SQLite: `sqlite:${join(folder, "store.db")}` };

describe.each(Object.entries(targets))("%s, under fake timers", (_, target) => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: [
        ...(["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] as const),
        ...(["setImmediate", "clearImmediate", "nextTick", "queueMicrotask", "hrtime"] as const),
      ].filter((name) => name !== "nextTick" && name !== "queueMicrotask"),
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true, force: true });
  });

  test("states are saved, loaded and updated, locks are taken, a wait ends by its deadline, and the store closes", async () => {
    const store = open(target, { prefix: "fake:" });
    const counter = store.state("n", { initial: () => 0 });
    await counter.save(1);
    expect(await counter.update((n) => n + 1)).toBe(2);
    expect(await store.lock("l").run(async () => counter.load())).toBe(2);
    const grant = await store.lock("l").acquire();
    const waited = store.lock("l").acquire({ waitMs: 30 });
    await expect(waited).rejects.toMatchObject({ code: "LOCK_TIMEOUT", outcome: "none" });
    const next = store.lock("l").acquire();
    expect(await grant.release()).toBe(true);
    expect(await (await next).release()).toBe(true);
    for (let n = 0; n < 300; n += 1) await counter.load();
    await store.close();
  });
});
