// What watching a state leaves behind: nothing, and at most hints for a few more seconds.

import { afterEach, beforeEach, expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open, type Snapshot, type Store } from "../../../src/index.ts";
import { ContractClient, save } from "../../../src/testing/contract-client.ts";
import { createTestWorld, failBefore, FaultyBackend } from "../../../src/testing/index.ts";
import { nodeTime } from "../../../src/time/node-time.ts";
import { useTimeSource } from "../../../src/timers.ts";

interface Timer {
  readonly at: number;
  readonly fn: () => void;
}

const timers = new Set<Timer>();
let clock = 0;
let memory: Memory;
let faults: FaultyBackend;
let store: Store;

beforeEach(() => {
  timers.clear();
  const later = (ms: number, fn: () => void) => {
    const timer = { at: clock + ms, fn };
    timers.add(timer);
    return { stop: () => void timers.delete(timer) };
  };
  useTimeSource({ ...nodeTime, now: () => clock, later });
  memory = new Memory();
  faults = new FaultyBackend(new MemoryBackend({ memory }));
  store = open(faults);
});

afterEach(async () => {
  useTimeSource(nodeTime);
  await store.close({ drainMs: 0 });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function advance(ms: number): Promise<void> {
  const until = clock + ms;
  for (;;) {
    for (let n = 0; n < 20; n += 1) await turn();
    const [next] = [...timers].filter(({ at }) => at <= until).toSorted((one, other) => one.at - other.at);
    if (next === undefined) break;
    timers.delete(next);
    clock = Math.max(clock, next.at);
    next.fn();
  }
  clock = until;
}

const calls = (method: string): number => faults.calls.filter((call) => call.method === method).length;

test("[E2] between two values nothing is asked, and the backend's hints go on only for a while", async () => {
  const state = store.state<number>("x");
  const changes = state.watch()[Symbol.asyncIterator]();
  for (let n = 1; n <= 5; n += 1) {
    await state.save(n);
    expect(await changes.next()).toMatchObject({ value: { value: n } });
  }
  await advance(100);
  expect([calls("watch"), calls("unwatch"), [...memory.watchers.keys()]]).toEqual([1, 0, ["x"]]);
  const loads = calls("loadState");
  await advance(60_000); // the iterator is not read, and was not ended
  expect([calls("loadState"), calls("unwatch")]).toEqual([loads, 1]);
  expect(memory.watchers.size).toBe(0);
  const next = changes.next();
  await advance(100);
  expect([calls("watch"), memory.watchers.size]).toEqual([2, 1]);
  await state.save(6);
  expect(await next).toMatchObject({ value: { value: 6 } });
});

test("[E2] the revision is compared every 5 s while wakes are pushed, and no more once the loop has ended", async () => {
  const state = store.state<number>("x");
  const changes = state.watch()[Symbol.asyncIterator]();
  await changes.next();
  const pending = changes.next();
  await advance(1_000);
  const loads = calls("loadState");
  faults.wakes = "drop";
  await advance(20_000);
  expect(calls("loadState") - loads).toBe(4);
  await new ContractClient(new MemoryBackend({ memory })).saved("x", save("1"));
  await advance(4_999);
  expect(await pending).toMatchObject({ value: { value: 1 } });
  const last = changes.next();
  await advance(100);
  await changes.return?.();
  expect(await last).toEqual({ done: true, value: undefined });
  const after = calls("loadState");
  await advance(60_000);
  expect([calls("loadState"), calls("unwatch"), timers.size]).toEqual([after, 1, 0]);
});

test("[E2] [S7] in a test world, an expiry is seen when its time comes", async () => {
  useTimeSource(nodeTime);
  const world = createTestWorld();
  const state = world.store.state<number>("x");
  await state.save(1, { ttlMs: 3_600_000 });
  const changes = world.process("other").store.state<number>("x").watch()[Symbol.asyncIterator]();
  expect(await changes.next()).toMatchObject({ value: { value: 1 } });
  let seen: unknown = "nothing";
  void changes.next().then((step) => (seen = step.value as unknown));
  await world.advance(3_599_000);
  expect(seen).toBe("nothing");
  await world.advance(1_100);
  expect(seen).toBeUndefined();
  await world.close();
});

test("[E2] what saveMany, deleteMany and deleteAll write is a hint to the watchers of the same store", async () => {
  const changes = store.state<number>("x").watch()[Symbol.asyncIterator]() as AsyncIterator<
    Snapshot<number> | undefined,
    undefined
  >;
  await changes.next();
  faults.wakes = "drop";
  const seenAfter = async (write: () => Promise<unknown>): Promise<unknown> => {
    let seen: unknown = "nothing";
    const next = changes.next().then(({ value: snapshot }) => (seen = snapshot?.value));
    await advance(100);
    await write();
    await advance(100);
    await Promise.race([next, turn()]);
    return seen;
  };
  const entries = (value: number) => ["a", "x"].map((id) => ({ id, value }));
  expect(await seenAfter(() => store.saveMany(entries(1)))).toBe(1);
  expect(await seenAfter(() => store.deleteMany(["a", "x"]))).toBe(undefined);
  expect(await seenAfter(() => store.saveMany(entries(2)))).toBe(2);
  expect(await seenAfter(() => store.deleteAll({ idPrefix: "" }))).toBe(undefined);
});

test("[E2] a backend that failed to give hints is told, too, when nobody watches any more", async () => {
  const failing = faults.always("watch", failBefore());
  const changes = store.state<number>("x").watch()[Symbol.asyncIterator]();
  await changes.next();
  await advance(60_000);
  expect([calls("watch"), calls("unwatch"), timers.size]).toEqual([1, 1, 0]);
  failing.cancel();
});
