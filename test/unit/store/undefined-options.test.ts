// `undefined` for an option is the same as no option, everywhere: an object that is built from values that may be missing
// needs no conditions.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { createPickle } from "../../../src/pickle.ts";
import { SqliteBackend } from "../../../src/statefulpy/index.ts";

const none: object = {};
let store: Store;
beforeAll(() => {
  store = open("memory:", { waitMs: 20 });
});
afterAll(() => store.close());

const n = (id: string, options = none) => store.state(id, { initial: () => 1, ...options });

/** Every call that takes options, with options that only a test fills in. */
const calls: Readonly<Record<string, (options: object) => unknown>> = {
  open: (options) => open("memory:", options).close(),
  close: (options) => open("memory:").close(options),
  state: (options) => store.state("a", options).read(),
  "state.save": (options) => n("save").save(2, options),
  "state.trySave": (options) => n("save").trySave(2, options),
  "state.update": (options) => n("update").update((value) => value + 1, options),
  "state.touch": (options) => n("update").touch(1_000, options),
  "state.delete": (options) => n("delete").delete(options),
  "state.watch": (options) => store.state("w").watch(options),
  "state.tryDelete": (options) => n("delete").tryDelete(options),
  "state.take": (options) => n("take").take(options),
  lock: (options) => store.lock("a", options).run(() => 1),
  "lock.acquire": async (options) => (await store.lock("b").acquire(options)).release(),
  "lock.tryAcquire": async (options) => (await store.lock("c").tryAcquire(options))?.release(),
  "lock.run": (options) => store.lock("d").run(() => 1, options),
  "lock.forceRelease": (options) => store.lock("e").forceRelease(options),
  lockAll: (options) => store.lockAll(["f", "g"], options).run(() => 1),
  "lockAll.run": (options) => store.lockAll(["f", "g"]).run(() => 1, options),
  "lockAll.tryAcquire": async (options) => (await store.lockAll(["f", "g"]).tryAcquire(options))?.release(),
  semaphore: (options) => store.semaphore("h", options).inspect(),
  "semaphore.run": (options) => store.semaphore("i", { permits: 1 }).run(() => 1, options),
  "semaphore.tryAcquire": async (options) =>
    (await store.semaphore("i", { permits: 1 }).tryAcquire(options))?.release(),
  leader: (options) => store.leader("j", options).current(),
  "leader.run": (options) => store.leader("k").run(() => 1, options),
  "leader.watch": (options) => store.leader("l").watch(options),
  once: (options) => store.once("m", { keepMs: 1_000, ...options }).run(() => 1),
  "once.run": (options) => store.once("o", { keepMs: 1_000 }).run(() => 1, options),
  "once.tryRun": (options) => store.once("p", { keepMs: 1_000 }).tryRun(() => 1, options),
  "once.forget": (options) => store.once("q", { keepMs: 1_000 }).forget(options),
  transact: (options) => store.transact([n("r")], () => undefined, options),
  states: async (options) => store.states(options)[Symbol.asyncIterator]().next(),
  locks: async (options) => store.locks(options)[Symbol.asyncIterator]().next(),
  createPickle: (options) => createPickle(options).serialize(1),
  "statefulpy.SqliteBackend": (options) => new SqliteBackend({ dbPath: "/tmp/never-opened.db", ...options }),
};

describe("with undefined for every option", () => {
  test.each(Object.entries(calls))("%s", async (name, call) => {
    const names = await namesOf(call);
    expect(names.length).toBeGreaterThan(0);
    // What the call cannot do without is given, and what every option is otherwise.
    const required = ["keepMs", "dbPath"];
    const allUndefined = Object.fromEntries(
      names.filter((option) => !required.includes(option)).map((option) => [option, undefined]),
    );
    const given = await settled(() => call(allUndefined));
    expect([name, given]).toEqual([name, { status: "fulfilled" }]);
  });
});

test("a call's undefined leaves the option of its handle as it is", async () => {
  const held = await store.lock("held").acquire();
  const failed = store.lock("held", { waitMs: 1 }).acquire({ waitMs: undefined });
  await expect(failed).rejects.toMatchObject({ message: expect.stringContaining("1 ms") as string });
  await held.release();
});

test("no option type is missing in the test of the types", () => {
  const root = join(import.meta.dirname, "../../..");
  const tested = readFileSync(join(root, "test/project/option-types.test-d.ts"), "utf8");
  const exported = ["index", "pickle", "testing/index", "statefulpy/index"].flatMap((file) => [
    ...readFileSync(join(root, "src", `${file}.ts`), "utf8").matchAll(/\b\w+(?:Options|Hooks)\b/g),
  ]);
  const names = exported.map(([name]) => name).filter((name) => name !== "MemoryBackendOptions"); // of its own file
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !new RegExp(`Exact<(statefulpy\\.)?${name}[<>]`).test(tested))).toEqual([]);
});

/** The refusal of an unknown option lists those that there are. */
async function namesOf(call: (options: object) => unknown): Promise<string[]> {
  const refusal = await settled(() => call({ unknownOption: 1 }));
  const [, list = ""] = /it takes: (.*)\.$/.exec(String(refusal.reason)) ?? [];
  return list.split(", ").filter((name) => name !== "");
}

async function settled(call: () => unknown): Promise<{ status: string; reason?: unknown }> {
  try {
    await call();
    return { status: "fulfilled" };
  } catch (reason) {
    return { status: "rejected", reason: (reason as Error).message };
  }
}
