// A test of a user's that replaces timers and clocks must not stop calls: the library has Node's own. Fake timers are
// installed after the library was loaded, or before, by Vitest, Sinon and node:test, and never moved.
//
// Seen failing: node-time.ts takes the global functions without looking whether they are replaced → every case in which
// they were replaced before waits for ever.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock } from "node:test";
import { install } from "@sinonjs/fake-timers";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";

import * as loadedBefore from "../../src/index.ts";

type Library = typeof loadedBefore;

const folder = mkdtempSync(join(tmpdir(), "holdfast-fake-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `process.nextTick` stays: Vitest itself needs it. */
const all = [
  ...(["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] as const),
  ...(["setImmediate", "clearImmediate", "queueMicrotask", "hrtime"] as const),
];

/** Each installs fake timers and returns what removes them. */
const fakes: Readonly<Record<string, () => () => void>> = {
  "vi.useFakeTimers()": () => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  },
  "vi.useFakeTimers() of all": () => {
    vi.useFakeTimers({ toFake: all.filter((name) => name !== "queueMicrotask") });
    return () => vi.useRealTimers();
  },
  "Sinon's, of all but nextTick": () => {
    const clock = install({ toFake: [...all] });
    return () => clock.uninstall();
  },
  "node:test's": () => {
    mock.timers.enable();
    return () => mock.timers.reset();
  },
};
const targets = { memory: "memory:", SQLite: `sqlite:${join(folder, "store.db")}` };
const cases = Object.keys(fakes).flatMap((name) =>
  Object.keys(targets).flatMap((kind) => [
    { name, kind, when: "after" as const },
    { name, kind, when: "before" as const },
  ]),
);

let restore: (() => void) | undefined;
afterEach(() => {
  restore?.();
  vi.resetModules();
});

async function libraryUnder(name: string, when: "after" | "before"): Promise<Library> {
  if (when === "before") vi.resetModules();
  restore = fakes[name]?.();
  return when === "after" ? loadedBefore : import("../../src/index.ts");
}

describe.each(cases)("$name, installed $when Holdfast was loaded, on $kind", ({ name, kind, when }) => {
  const target = targets[kind as keyof typeof targets];

  test("every kind of call ends", { timeout: 10_000 }, async () => {
    const { open } = await libraryUnder(name, when);
    const store = open(target, { prefix: `${name}${when}:`, leaseMs: 500 });
    const counter = store.state("n", { initial: () => 0 });
    await counter.save(1);
    expect(await Promise.all([1, 2, 3].map(() => counter.update((n) => n + 1)))).toEqual([2, 3, 4]);
    for (let n = 0; n < 300; n += 1) await counter.load();
    expect(await store.lock("l").run(() => counter.load())).toBe(4);
    const grant = await store.lock("l").acquire();
    const waited = store.lock("l").acquire({ waitMs: 30 });
    await expect(waited).rejects.toMatchObject({ code: "LOCK_TIMEOUT", outcome: "none" });
    const next = store.lock("l").acquire();
    expect(await grant.release()).toBe(true);
    expect(await (await next).release()).toBe(true);
    expect(await store.once("o", { keepMs: 60_000 }).run(() => "done")).toBe("done");
    expect(await store.leader("e").run(({ fence }) => typeof fence)).toBe("number");
    const gpu = store.semaphore("gpu", { permits: 1 });
    const permit = await gpu.acquire();
    const second = gpu.acquire();
    await permit.release();
    await (await second).release();
    await store.close();
  });

  test(
    "leases are renewed and end by the real time, whatever the fake clocks say",
    { timeout: 10_000 },
    async () => {
      const { open } = await libraryUnder(name, when);
      const options = { prefix: `${name}${when}leases:`, leaseMs: 700 }; // a busy machine may stop us for 300 ms
      const store = open(target, options);
      const grant = await store.lock("l").acquire();
      const short = store.lock("l").acquire({ waitMs: 1_500 });
      await expect(short).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
      expect(grant.signal.aborted).toBe(false);
      const limited = await store.lock("m").acquire({ maxHoldMs: 50 });
      await new Promise((resolve) => limited.signal.addEventListener("abort", resolve));
      await store.state("s").save(1, { ttlMs: 100 });
      await grant.release();
      await limited.release();
      const waiting = store.lock("w").acquire();
      const held = await waiting;
      await expect(store.lock("w").acquire({ waitMs: 200 })).rejects.toMatchObject({ code: "LOCK_TIMEOUT" });
      expect(await store.state("s").load()).toBeUndefined();
      await held.release();
      await store.close();
    },
  );
});
