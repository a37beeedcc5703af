// Whatever begins, ends once: after everything has ended, no one waits and nothing is held, even if the backend fails at random.
//
// Seen failing: without the end of a lockAll() that close() releases; without that of a call that is never answered.

import { afterEach, expect, test } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open, type Store } from "../../../src/index.ts";
import { delay, failBefore, type Fault, FaultyBackend, hang, loseReply } from "../../../src/testing/index.ts";
import { poll } from "../../support/poll.ts";
import { record, type Recorder } from "./recorder.ts";

const channels = ["acquire", "hold", "update", "save", "call"] as const;
const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});

/** What has begun without an end, or has ended twice. */
function unbalanced({ all }: Recorder): unknown[] {
  const open = new Map<object, number>();
  for (const { phase, trace } of all) {
    if (phase === "start") open.set(trace, (open.get(trace) ?? 0) + 1);
    if (phase === "asyncEnd") open.set(trace, (open.get(trace) ?? 0) - 1);
  }
  return [...open].filter(([, count]) => count !== 0).map(([trace]) => trace);
}

test("what close() releases: one lock, several, shared ones, permits", async () => {
  using seen = record(channels);
  const store = open("memory:");
  await store.lock("a").acquire();
  await store.lockAll(["b", "c"]).acquire();
  await store.lock("d").acquire({ shared: true });
  await store.semaphore("e", { permits: 2 }).acquire();
  await store.close();
  expect(seen.ended("hold")).toHaveLength(4);
  for (const { outcome } of seen.ended("hold")) expect(outcome).toBe("released");
  expect(unbalanced(seen)).toEqual([]);
});

test("a call that is never answered ends when its caller gets the error", async () => {
  const backend = new FaultyBackend(new MemoryBackend());
  const store = open(backend, { operationMs: 100 });
  stores.push(store);
  backend.always("acquireLock", hang());
  using seen = record(["call"]);
  await expect(store.lock("a").acquire()).rejects.toMatchObject({ code: "UNREACHABLE" });
  await poll(() => seen.ended("call").length).toBe(1);
  expect(seen.ended("call")).toMatchObject([{ doing: "Acquiring the lock", outcome: "unavailable" }]);
});

/** A generator of numbers, so that a run that fails can be repeated. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff) / 0x8000_0000;
}

const faults: readonly (() => Fault)[] = [
  () => loseReply(),
  () => failBefore(),
  () => failBefore("unknown"),
  () => delay(20, 20),
  () => delay(0, 150),
  hang,
];

test.each([1, 2, 3])("random calls on a backend with faults, seed %i", async (seed) => {
  const random = numbers(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const backend = new FaultyBackend(new MemoryBackend());
  const store = open(backend, { leaseMs: 300, waitMs: 60, operationMs: 100 });
  stores.push(store);
  using seen = record(channels);

  const body = async (depth: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, random() * 8));
    if (random() < 0.1) throw new Error("of the function");
    if (depth < 2 && random() < 0.4) await call(depth + 1);
  };
  const options = () => ({
    ...(random() < 0.2 && { signal: AbortSignal.timeout(Math.floor(random() * 40)) }),
    ...(random() < 0.3 && { waitMs: pick([0, 20]) }),
    ...(random() < 0.1 && { maxHoldMs: 5 }),
  });
  /** Half of them are left to `close()`. */
  const byHand = async (acquired: Promise<{ release(): Promise<boolean> }>): Promise<void> => {
    const grant = await acquired;
    if (random() < 0.5) await grant.release();
  };
  const call = async (depth = 0): Promise<void> => {
    const id = pick(["a", "b", "c"]);
    const state = store.state(id, { initial: () => ({ n: 0 }) });
    const calls: (() => Promise<unknown>)[] = [
      () => store.lock(id).run(() => body(depth), options()),
      () => store.lock(id).run(() => body(depth), { ...options(), shared: true }),
      () => byHand(store.lock(`own-${id}`).acquire(options())),
      () => byHand(store.lockAll(["x", "y"]).acquire(options())),
      () => byHand(store.semaphore("s", { permits: 3 }).acquire(options())),
      () => store.lockAll(["a", "c"]).run(() => body(depth), options()),
      () => state.update(() => body(depth), options()),
      () => state.run((draft) => void (draft.n += 1), options()),
      () => state.save({ n: 1 }),
      () => state.delete(),
      () => store.once(`once-${id}`, { keepMs: 100 }).run(() => body(depth)),
      () => store.transact([store.state("a"), store.state("b")], () => body(depth)),
      () => store.lock(id).forceRelease(),
      () => store.leader(id).run(() => body(depth), { signal: AbortSignal.timeout(50) }),
    ];
    await pick(calls)();
  };
  for (let round = 0; round < 15; round += 1) {
    for (const method of ["acquireLock", "releaseLock", "writeState", "any"] as const)
      if (random() < 0.2) backend.once(method, pick(faults)());
    await Promise.allSettled(Array.from({ length: 6 }, () => call()));
  }
  await store.close({ drainMs: 100 });
  await poll(() => unbalanced(seen)).toEqual([]);
  expect(seen.ended("hold").length).toBeGreaterThan(5);
});
