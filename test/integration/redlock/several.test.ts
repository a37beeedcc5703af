// Locks of several resources: all or none, without deadlock, and without a lease that runs out while others are waited for.
//
// Seen failing: src/redlock/acquire.ts that extends nothing while it waits, or in the end; that gives nothing back; that takes the
// resources in the order in which they are given; src/redlock/holding.ts that keeps the others when one is lost; an error that
// names all resources, or the first, when one is lost.

import { getEventListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ExecutionError } from "holdfast/redlock";

import { poll } from "../../support/poll.ts";
import { aborted, failureOf, World } from "./clients.ts";

const world = new World("ioredis 5");
beforeAll(() => world.start());
afterEach(() => world.end());
afterAll(() => world.stop());

test("a call that fails holds none of them, wherever the one is that is not free", async () => {
  const redlock = await world.redlock({ retryCount: 0 });
  const other = await world.redlock();
  for (const busy of ["a", "b", "c"]) {
    const held = await other.acquire([busy], 60_000);
    for (const settings of [{}, { retryCount: 1, retryDelay: 50 }]) {
      const error = await failureOf(redlock.acquire(["c", "a", "b"], 5_000, settings));
      expect(error).toBeInstanceOf(ExecutionError);
      expect(error.cause).toMatchObject({ id: busy });
    }
    for (const id of ["a", "b", "c"]) expect([id, await world.isFree(id)]).toEqual([id, id !== busy]);
    await held.release();
  }
});

test("if all are free, they are acquired in one round trip, as those of lockAll", async () => {
  const redlock = await world.redlock();
  const ids = ["x:1", "x:2", "x:3", "x:4"];
  const scriptsOf = async (acquire: () => Promise<{ release(): Promise<unknown> }>): Promise<number> => {
    await (await acquire()).release(); // connected, and the scripts are loaded
    const before = (await world.server.calls())["evalsha"] ?? 0;
    const lock = await acquire();
    const scripts = ((await world.server.calls())["evalsha"] ?? 0) - before;
    await lock.release();
    return scripts;
  };
  const together = await scriptsOf(() => world.store.lockAll(ids).acquire());
  expect(await scriptsOf(() => redlock.acquire(ids, 5_000))).toBe(together);
  expect(together).toBeLessThan(ids.length);
});

test("what it holds is kept while it waits for the next", async () => {
  const durationMs = 600;
  const redlock = await world.redlock({ retryCount: -1 });
  const blocker = await (await world.redlock()).acquire(["k:2"], 60_000);
  const waiting = redlock.acquire(["k:1", "k:2", "k:3"], durationMs);
  await poll(async () => (await world.store.lock("k:2").inspect())?.waiters).toBe(1);
  const first = await world.store.lock("k:1").inspect();
  expect(await world.isFree("k:3")).toBe(true);
  await sleep(3 * durationMs); // what is not extended has ended by now
  expect((await world.store.lock("k:1").inspect())?.fence).toBe(first?.fence);
  await blocker.release();
  const lock = await waiting;
  expect(lock.signal.aborted).toBe(false);
  expect(lock.fences["k:1"]).toBe(first?.fence);
  await aborted(lock.signal); // and it ends, since it is not renewed
  for (const id of ["k:1", "k:2", "k:3"]) await poll(() => world.isFree(id)).toBe(true);
});

test("in the end, all have the same time left", async () => {
  const blocker = await (await world.redlock()).acquire(["e:2"], 60_000);
  const waiting = (await world.redlock({ retryCount: -1 })).acquire(["e:1", "e:2"], 60_000);
  await poll(async () => (await world.store.lock("e:2").inspect())?.waiters).toBe(1);
  await sleep(1_000);
  await blocker.release();
  const lock = await waiting;
  const [first, second] = await Promise.all(["e:1", "e:2"].map((id) => world.store.lock(id).inspect()));
  expect(Math.abs(first!.expiresInMs! - second!.expiresInMs!)).toBeLessThan(500);
  await lock.release();
});

test("one is lost: the signal aborts, and the others are released", async () => {
  const lock = await (await world.hearing()).acquire(["l:1", "l:2", "l:3"], 60_000);
  await world.store.lock("l:2").forceRelease();
  await aborted(lock.signal);
  for (const id of ["l:1", "l:3"]) await poll(() => world.isFree(id)).toBe(true);
  expect(await failureOf(lock.release())).toBeInstanceOf(ExecutionError);
});

test("one is lost: the errors of extend(), release() and using() name that one", async () => {
  const redlock = await world.hearing();
  const namesOnlyTheLost = (error: Error | undefined): void => {
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error?.cause).toMatchObject({ code: "LOCK_LOST" });
    expect(error?.message).toContain(`"n:2"`);
    expect(error?.message).not.toMatch(/"n:[13]"/);
  };
  for (const end of ["extend", "release"] as const) {
    const lock = await redlock.acquire(["n:1", "n:2", "n:3"], 60_000);
    await world.store.lock("n:2").forceRelease();
    await aborted(lock.signal);
    namesOnlyTheLost(await failureOf(lock[end](60_000)));
  }
  const call = redlock.using(["n:1", "n:2", "n:3"], 60_000, async (signal) => {
    await world.store.lock("n:2").forceRelease();
    await aborted(signal);
    namesOnlyTheLost(signal.error);
  });
  namesOnlyTheLost(await failureOf(call));
});

test("one is lost, and release() is the first to notice: its error names that one", async () => {
  const lock = await (await world.redlock()).acquire(["d:1", "d:2", "d:3"], 60_000);
  await world.server.command("DEL", "holdfast:lock:{d:2}"); // tells nobody
  const error = await failureOf(lock.release());
  expect(error.cause).toMatchObject({ code: "LOCK_LOST" });
  expect(error.message).toContain(`"d:2"`);
  expect(error.message).not.toMatch(/"d:[13]"/);
  for (const id of ["d:1", "d:3"]) expect(await world.isFree(id)).toBe(true);
});

test("one is lost while the next is waited for: the call fails, and holds none", async () => {
  const blocker = await (await world.redlock()).acquire(["m:2"], 60_000);
  const waiting = failureOf((await world.hearing({ retryCount: -1 })).acquire(["m:1", "m:2"], 60_000));
  await poll(async () => (await world.store.lock("m:2").inspect())?.waiters).toBe(1);
  await world.store.lock("m:1").forceRelease();
  const error = await waiting;
  expect(error).toBeInstanceOf(ExecutionError);
  expect(error.cause).toMatchObject({ code: "LOCK_LOST" });
  expect(await world.isFree("m:1")).toBe(true);
  await poll(async () => (await world.store.lock("m:2").inspect())?.waiters).toBe(0);
  await blocker.release();
});

test("a lock that was released is listened to no more, so that it can be collected", async () => {
  const redlock = await world.redlock();
  const signals: AbortSignal[] = [];
  await redlock.using(["g:1", "g:2"], 60_000, async (_signal, { lock }) => {
    signals.push(lock.signal);
    expect(getEventListeners(lock.signal, "abort").length).toBe(2);
  });
  expect(signals.map((signal) => getEventListeners(signal, "abort").length)).toEqual([0]);
});

test("calls with overlapping resources in any order, beside lockAll: no deadlock, and never two at once", async () => {
  const sets = [
    ["o:1", "o:2"],
    ["o:2", "o:1"],
    ["o:3", "o:2"],
    ["o:1", "o:3"],
    ["o:3", "o:1", "o:2"],
  ];
  const inside = new Map<string, number>();
  let most = 0;
  const work = async (ids: readonly string[]): Promise<void> => {
    for (const id of ids) {
      inside.set(id, (inside.get(id) ?? 0) + 1);
      most = Math.max(most, inside.get(id) ?? 0);
    }
    await sleep(1);
    for (const id of ids) inside.set(id, (inside.get(id) ?? 0) - 1);
  };
  const loops = sets.map(async (ids) => {
    const redlock = await world.redlock({ retryCount: -1 });
    for (let n = 0; n < 10; n += 1) {
      const lock = await redlock.acquire(ids, 60_000);
      await work(ids);
      await lock.release();
    }
  });
  const others = sets.map(async (ids) => {
    for (let n = 0; n < 10; n += 1) {
      await world.store.lockAll(ids, { waitMs: Infinity }).run(() => work(ids));
    }
  });
  await Promise.all([...loops, ...others]);
  expect(most).toBe(1);
}, 60_000);
