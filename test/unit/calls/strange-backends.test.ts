// Backends of the user's own that answer what nobody can read, or fail in ways of their own: their callers have an error, and the
// next ones are served. And what a reader found in the core: what idle cohorts keep, long loads, whose context listeners run in.

import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";

import type { Wake } from "../../../src/backends/contract.ts";
import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { CorruptStateError } from "../../../src/errors.ts";
import { open } from "../../../src/index.ts";

/** Answers one call of the method with nothing at all, or with what nobody can read. */
function silentOnce(
  method: "acquireLock" | "releaseLock" | "writeState" | "renewLocks",
  answer?: object,
): MemoryBackend {
  const backend = new MemoryBackend();
  const original = backend[method].bind(backend) as (...args: unknown[]) => Promise<unknown>;
  let calls = 0;
  Object.assign(backend, {
    [method]: async (...args: unknown[]) => (calls++ === 0 ? answer : await original(...args)),
  });
  return backend;
}

test.each(["acquireLock", "releaseLock"] as const)(
  "[P1] a %s that answers nothing: its caller has an error, and the next one is served",
  async (method) => {
    const store = open(silentOnce(method), { leaseMs: 300, waitMs: 5_000 });
    await expect(store.lock("x").run(() => 1)).rejects.toThrow(TypeError);
    expect(await store.lock("x").run(() => 2)).toBe(2);
    await store.close();
  },
);

test.each([{}, { status: "busy" }, { status: "waiting", holder: { foreign: false } }])(
  "[P1] an acquireLock that answers %j: likewise",
  async (answer) => {
    const store = open(silentOnce("acquireLock", answer), { leaseMs: 300, waitMs: 5_000 });
    await expect(store.lock("x").run(() => 1)).rejects.toThrow(TypeError);
    expect(await store.lock("x").run(() => 2)).toBe(2);
    await store.close();
  },
);

test("[P1] a writeState that answers nothing: likewise", async () => {
  const store = open(silentOnce("writeState"));
  await expect(store.state("x").save(1)).rejects.toThrow(TypeError);
  await store.state("x").save(2);
  expect(await store.state("x").load()).toBe(2);
  await store.close();
});

test("[S5] a release that keeps the lock without a usable fence: what it saved is acknowledged all the same", async () => {
  const backend = new MemoryBackend();
  const releaseLock = backend.releaseLock.bind(backend);
  backend.releaseLock = async (...args) => {
    const reply = await releaseLock(...args);
    return reply.status === "kept" ? { ...reply, fences: 0 } : reply;
  };
  const store = open(backend, { waitMs: 5_000 });
  const state = store.state("x", { initial: () => 0 });
  const [first, second] = [state.update((n) => n + 1), state.save(5)];
  const third = state.update((n) => n + 1); // the save ends the run, so that the lock is kept for this one
  expect(await first).toBe(1);
  expect(await second).toBeGreaterThan(0);
  expect(await third).toBe(6);
  await store.close();
});

test("[L5] [P1] a renewal that is answered with nothing is an unknown one", async () => {
  const store = open(silentOnce("renewLocks"), { leaseMs: 400 });
  const grant = await store.lock("x").acquire();
  await sleep(800);
  expect(await grant.release()).toBe(true);
  await store.close();
});

test("[P1] a release that nobody waits for and that fails in a way of its own strands nobody", async () => {
  const backend = new MemoryBackend();
  const acquireLock = backend.acquireLock.bind(backend);
  const controller = new AbortController();
  backend.acquireLock = async (...args) => {
    const reply = await acquireLock(...args);
    controller.abort(new Error("enough")); // its only caller gives up before it hears of the grant
    return reply;
  };
  backend.releaseLock = () => Promise.reject(new RangeError("a bug"));
  const store = open(backend, { leaseMs: 200, waitMs: 3_000 });
  await expect(store.lock("x").run(() => 1, { signal: controller.signal })).rejects.toThrow("enough");
  const grant = await store.lock("x").acquire();
  expect(grant.fence).toBeGreaterThan(0);
  await store.close({ drainMs: 0 });
});

test("an error of fn wins over whatever becomes of the release", async () => {
  const backend = new MemoryBackend();
  backend.releaseLock = () => Promise.reject(new CorruptStateError("the lock is not ours"));
  const store = open(backend, { leaseMs: 200 });
  const failing = store.lock("x").run(() => {
    throw new Error("mine");
  });
  await expect(failing).rejects.toThrow("mine");
  await store.close({ drainMs: 0 });
});

test("[P1] what was written is not kept by whoever wrote it", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const backend = new MemoryBackend();
  backend.writeState = () => Promise.resolve({ status: "saved", revision: 1 });
  const store = open(backend);
  gc();
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 200; n += 1) await store.state(`s${String(n)}`).save("x".repeat(500_000));
  gc();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  await store.close();
});

test("[L2] a turn whose load takes longer than the turn may last serves one all the same", async () => {
  const memory = new Memory();
  const stores = [1, 2].map(() => {
    const backend = new MemoryBackend({ memory });
    const onWake = backend.onWake.bind(backend);
    backend.onWake = (listener) => onWake((wake) => listener({ ...wake, state: undefined } as typeof wake));
    const loadState = backend.loadState.bind(backend);
    backend.loadState = async (...args) => {
      await sleep(15);
      return loadState(...args);
    };
    return open(backend, { waitMs: 3_000 });
  });
  const counts = stores.map((store) => store.state("x", { initial: () => 0 }));
  await Promise.all(
    counts.map(async (count) => {
      for (let n = 0; n < 10; n += 1) await count.update((value) => value + 1);
    }),
  );
  expect(await counts[0]?.load()).toBe(20);
  for (const store of stores) await store.close();
});

test("[L4] listeners of a grant's signal run in nobody's body", async () => {
  const store = open("memory:");
  const lost = await store.lock("x").acquire();
  let inner: unknown = "not called";
  const listened = new Promise<void>((resolve) => {
    lost.signal.addEventListener("abort", () => {
      void store
        .lock("y")
        .tryAcquire()
        .then((grant) => {
          inner = grant;
          resolve();
        });
    });
  });
  await store.lock("y").run(async () => {
    await store.lock("x").forceRelease();
    await listened;
  });
  expect(inner).toBeNull(); // y was held by another body
  await store.close();
});

test("[L2] a wake that others wait, and that overtakes the answer to a release that keeps the lock, is heeded", async () => {
  const backend = new MemoryBackend();
  const releaseLock = backend.releaseLock.bind(backend);
  const served: number[] = [];
  let count = 0;
  let tell: (wake: Wake) => void = () => undefined;
  backend.onWake = (listener) => (tell = listener);
  backend.releaseLock = async (id, ticket, ...rest) => {
    served.push(count);
    count = 0;
    const reply = await releaseLock(id, ticket, ...rest);
    if (served.length === 1) tell({ kind: "wanted", id, ticket });
    return reply;
  };
  const store = open(backend);
  await Promise.all(Array.from({ length: 300 }, () => store.lock("x").run(() => (count += 1))));
  const [first = 0, second = 0] = served;
  expect(first).toBeGreaterThan(16); // nobody waited
  expect(second).toBe(16);
  await store.close();
});
