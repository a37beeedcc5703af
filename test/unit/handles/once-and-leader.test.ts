// What store.once() and store.leader() refuse, the ids that they keep things under, and that no text shows those ids.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, expect, test, vi } from "vitest";

import { shardOf } from "../../../src/backends/shard-of.ts";
import { quoted, shownId } from "../../../src/errors.ts";
import { open, type Store } from "../../../src/index.ts";
import { internalId, isInternal } from "../../../src/names.ts";
import { FaultyBackend, failBefore, meanwhile, Memory, MemoryBackend } from "../../../src/testing/index.ts";
import { misplaced, moved, openAt, TestPlace } from "../resharding/places.ts";

const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});

function opened(backend = new MemoryBackend()): Store {
  const store = open(backend);
  stores.push(store);
  return store;
}

const keepMs = 60_000;
const forever = (): Promise<never> => new Promise(() => undefined);

test("an internal id: no user can have it, and a text shows what it stands for", () => {
  const id = internalId("once", 'welcome:"42"');
  expect([isInternal(id), isInternal("once:x"), isInternal("")]).toEqual([true, false, false]);
  expect(quoted(id)).toBe('of once "welcome:\\"42\\""');
  expect(shownId(internalId("leader", "a:b"))).toBe('leader "a:b"');
  expect([quoted("x"), shownId("x")]).toEqual(['"x"', "x"]);
  const store = opened();
  for (const use of [
    () => store.state(id),
    () => store.lock(id),
    () => store.states({ idPrefix: id }),
    () => store.once(id, { keepMs }),
    () => store.leader(id),
  ])
    expect(use).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});

test("[O1] [E1] the tag of an id decides its shard, and a store that is moved takes them along", async () => {
  for (let shards = 2; shards < 9; shards += 1) {
    for (const id of ["{bank}:a", "x{bank}"])
      expect(shardOf(internalId("once", id), shards)).toBe(shardOf("bank", shards));
  }
  const places = ["a", "b", "c"].map((name) => new TestPlace(name));
  const before = openAt(places.slice(0, 1));
  const ids = Array.from({ length: 20 }, (_, n) => `id-${String(n)}`);
  for (const id of ids) await before.once(id, { keepMs }).run(() => `result of ${id}`);
  await before.close();
  expect(await moved(places.slice(0, 1), places)).toBeGreaterThan(5);
  expect(misplaced(places)).toEqual([]);
  const after = openAt(places);
  for (const id of ids) expect(await after.once(id, { keepMs }).peek()).toEqual({ value: `result of ${id}` });
  const listed: unknown[] = [];
  for await (const state of after.states()) listed.push(state);
  expect(listed).toEqual([]);
  await after.close();
});

test("[O1] [E1] options and functions that cannot work are refused", async () => {
  const store = opened();
  const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error;
  for (const options of [
    ...[
      undefined,
      {},
      { keepMs: 0 },
      { keepMs: 1.5 },
      { keepMs: -Infinity },
      { keepMs: NaN },
      { keepMs: "1" },
    ],
    ...[
      { keepMs, errors: "forget" },
      { keepMs, minHoldMs: -1 },
      { keepMs, minHoldMs: Infinity },
      { keepMs, ttlMs: 1 },
    ],
    ...[
      { keepMs, leaseMs: 1 },
      { keepMs, waitMs: -1 },
      { keepMs, serializer: "yaml" },
    ],
  ])
    expect(() => store.once("x", options as never)).toThrow(refused);
  expect(() => store.once("", { keepMs })).toThrow(refused);
  expect(() => store.once("x", { keepMs, fingerprint: new Date() })).toThrow(
    expect.objectContaining({ code: "SERIALIZATION" }),
  );
  const once = store.once("x", { keepMs: Infinity, minHoldMs: 0, errors: "retry", fingerprint: null });
  for (const call of [
    () => once.run(5 as never),
    () => once.run(() => 1, { keepMs } as never),
    () => once.tryRun(() => 1, { waitMs: 5 } as never),
    () => once.forget({ leaseMs: 500 } as never),
    () => store.leader("x").run("fn" as never),
    () => store.leader("x").run(() => 1, { waitMs: 5 } as never),
    () => store.leader("x").run(() => 1, { leaseMs: 5 }),
  ])
    await expect(call()).rejects.toThrow(refused);
  expect(() => store.leader("x", { waitMs: 5 } as never)).toThrow(refused);
  expect(() => store.leader("x").watch({ intervalMs: 1 })).toThrow(refused);
});

test("[O1] [E1] no error and no event shows an internal id", async () => {
  const texts: string[] = [];
  const listener = (event: unknown): void => void texts.push(JSON.stringify(event));
  const channels = ["acquire", "release", "lost", "update", "warning"].map((name) => `holdfast:${name}`);
  for (const channel of channels) subscribe(channel, listener);
  const memory = new Memory();
  const faults = new FaultyBackend(new MemoryBackend({ memory }));
  const store = open(faults, { operationMs: 30, leaseMs: 100 });
  stores.push(store);
  const [holding, other] = [opened(new MemoryBackend({ memory })), opened(new MemoryBackend({ memory }))];
  const errors: Error[] = [];
  const fail = async (call: Promise<unknown>): Promise<void> => {
    errors.push(
      (await call.then(
        () => new Error("should have failed"),
        (error: unknown) => error,
      )) as Error,
    );
  };
  try {
    await store.once("done", { keepMs, fingerprint: 1 }).run(() => 1);
    await fail(store.once("done", { keepMs, fingerprint: 2 }).run(() => 1));
    void holding
      .once("busy", { keepMs })
      .run(forever)
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await fail(store.once("busy", { keepMs }).run(() => 1, { waitMs: 0 }));
    await fail(holding.once("busy", { keepMs }).run(() => 1, { waitMs: 0 }));
    await fail(store.once("own", { keepMs }).run(() => store.once("own", { keepMs }).run(() => 1)));
    await fail(store.leader("own").run(() => store.leader("own").run(() => 1)));
    await fail(
      store.once("lost", { keepMs }).run(async ({ signal }) => {
        memory.locks.delete(internalId("once", "lost"));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }),
    );
    memory.states.set(internalId("once", "odd"), {
      ...memory.states.get(internalId("once", "done"))!,
      serializer: "v8",
    });
    await fail(store.once("odd", { keepMs }).run(() => 1));
    await fail(other.once("odd", { keepMs }).peek());
    await fail(
      store.leader("lost").run(async (term) => {
        memory.locks.delete(internalId("leader", "lost"));
        await term.proclaim(1).catch((error: unknown) => errors.push(error as Error));
        throw term.signal.reason === undefined ? new Error("never") : new Error("ends it");
      }),
    );
    const down = faults.always("any", failBefore("unknown"));
    await fail(store.once("down", { keepMs }).run(() => 1));
    await fail(store.once("down", { keepMs }).forget());
    await fail(store.leader("down").current());
    down.cancel();
  } finally {
    for (const channel of channels) unsubscribe(channel, listener);
  }
  texts.push(...errors.map(({ message }) => message));
  expect(texts).not.toContain("should have failed");
  expect(texts.filter((text) => text.includes("\\u0001") || text.includes("\u0001"))).toEqual([]);
  for (const shown of [
    'once "busy"',
    'once "lost"',
    'leader "lost"',
    'once "odd"',
    'once "down"',
    'leader "own"',
  ])
    expect(texts.join("\n").replaceAll("\\", "")).toContain(shown);
});

test("[O1] callers of one tick share a read; a later one does not share a read that was sent before", async () => {
  const memory = new Memory();
  const [faults, other] = [
    new FaultyBackend(new MemoryBackend({ memory })),
    opened(new MemoryBackend({ memory })),
  ];
  const store = open(faults);
  stores.push(store);
  const once = store.once("x", { keepMs });
  let reply: () => void = () => undefined;
  const replied = new Promise<void>((resolve) => (reply = resolve));
  faults.once("loadState", meanwhile({ after: () => replied }));
  const early = [once.peek(), store.once("x", { keepMs }).peek(), once.peek()];
  await vi.waitFor(() => expect(faults.calls).toHaveLength(1));
  await other.once("x", { keepMs }).run(() => "saved");
  expect(await once.peek()).toEqual({ value: "saved" });
  reply();
  expect(await Promise.all(early)).toEqual([null, null, null]);
  expect(faults.calls.map(({ method }) => method)).toEqual(["loadState", "loadState"]);
});

test("[O1] a caller's stack is in the error that it gets", async () => {
  const store = opened();
  async function asking(): Promise<void> {
    await store.once("x", { keepMs }).run(() => new Date());
  }
  const error = await asking().catch((thrown: unknown) => thrown);
  expect((error as Error).stack).toContain("asking");
});

test("[O1] the function runs in its caller's async context, and its error is the caller's own object", async () => {
  const store = opened();
  const own = Object.assign(new Error("own"), { code: "LOCK_TIMEOUT" });
  const failing = store.once("x", { keepMs }).tryRun(() => {
    throw own;
  });
  await expect(failing).rejects.toBe(own); // and not null
});
