// What redlock's locks of several resources do, through an adapter.
//
// Seen failing: an adapter that locks the first resource only; one whose locks do not end; a signal that is not passed on.

import { expect } from "vitest";

import { poll } from "../support/poll.ts";
import { ExecutionError, Redlock, type RedlockAbortSignal } from "./adapters/redlock.ts";
import { testOnEachBackend, untilRenewed, untilWaiting } from "./behaviours.ts";

const never = { retryCount: 0 };

testOnEachBackend({
  "[L1] [L14] acquire locks all resources, and release frees them": async ({ stores: [a, b], id }) => {
    const [mine, others] = [new Redlock(a), new Redlock(b, never)];
    const lock = await mine.acquire([`${id} x`, `${id} y`], 10_000);
    expect(lock.expiration).toBeGreaterThan(Date.now());
    for (const resource of [`${id} x`, `${id} y`])
      await expect(others.acquire([resource], 10_000)).rejects.toBeInstanceOf(ExecutionError);
    await lock.release();
    expect(lock.expiration).toBe(0);
    await (await others.acquire([`${id} y`, `${id} x`], 10_000)).release();
  },

  "[L14] none is kept if one is not free": async ({ stores: [a, b], id }) => {
    const held = await new Redlock(a).acquire([`${id} x`], 10_000);
    await expect(new Redlock(b, never).acquire([`${id} w`, `${id} x`], 10_000)).rejects.toThrow(
      ExecutionError,
    );
    expect(await a.lock(`${id} w`).inspect()).toBeNull();
    await held.release();
  },

  "a resource that is named twice is one, and a duration must be an integer": async ({ stores: [a], id }) => {
    const redlock = new Redlock(a);
    const lock = await redlock.acquire([id, id], 10_000);
    expect(lock.resources).toEqual([id]);
    await lock.release();
    await expect(redlock.acquire([id], 10.5)).rejects.toThrow("integer");
  },

  "[L2] acquire waits for its turn": async ({ stores: [a, b], id }) => {
    const held = await new Redlock(a).acquire([id], 10_000);
    const waiting = new Redlock(b, { retryCount: -1 }).acquire([id], 10_000);
    await untilWaiting(a, id, 1);
    await held.release();
    await (await waiting).release();
  },

  "[L10] a lock ends after its duration; then it can be neither extended nor released": async ({
    stores: [a, b],
    id,
  }) => {
    const lock = await new Redlock(a).acquire([id], 200);
    const next = await new Redlock(b, { retryCount: -1 }).acquire([id], 10_000);
    expect(lock.expiration).toBe(0);
    await expect(lock.extend(1_000)).rejects.toBeInstanceOf(ExecutionError);
    await expect(lock.release()).rejects.toBeInstanceOf(ExecutionError);
    await next.release();
  },

  "[L5] extend returns the lock with its new duration, and ends the one before": async ({
    stores: [a, b],
    id,
  }) => {
    const before = await new Redlock(a).acquire([id], 10_000);
    const lock = await before.extend(60_000);
    expect(before.expiration).toBe(0);
    expect(lock.expiration).toBeGreaterThan(Date.now() + 10_000);
    await expect(before.extend(60_000)).rejects.toBeInstanceOf(ExecutionError);
    await (await lock.extend(200)).extend(300);
    await (await new Redlock(b, { retryCount: -1 }).acquire([id], 10_000)).release();
  },

  "a duration of many years": async ({ stores: [a, b], id }) => {
    const years = Math.floor(Number.MAX_SAFE_INTEGER / 10);
    const lock = await (await new Redlock(a).acquire([id], years)).extend(3 * years);
    await expect(new Redlock(b, { retryCount: 1, retryDelay: 50 }).acquire([id], years)).rejects.toThrow(
      ExecutionError,
    );
    await untilWaiting(a, id, 0);
    await lock.release();
    expect(await b.lock(id).inspect()).toBeNull();
  },

  "[L5] using extends the locks for as long as its routine runs, and returns its result": async ({
    stores: [a, b],
    id,
  }) => {
    const resources = [`${id} x`, `${id} y`];
    const result = await new Redlock(a).using(resources, 1_000, async (signal) => {
      await untilRenewed(async () => (await b.lock(`${id} y`).inspect())?.expiresInMs);
      expect(signal.aborted).toBe(false);
      return "done";
    });
    expect(result).toBe("done");
    for (const resource of resources) expect(await b.lock(resource).inspect()).toBeNull();
  },

  "[L1] using: two routines that share a resource never overlap": async ({ stores, id }) => {
    let inside = 0;
    let most = 0;
    const routine = async (): Promise<void> => {
      most = Math.max(most, (inside += 1));
      await Promise.resolve();
      inside -= 1;
    };
    const pairs = [
      ["x", "y"],
      ["y", "z"],
      ["z", "y"],
    ].map((pair) => pair.map((name) => `${id} ${name}`));
    const calls = stores.flatMap((store) =>
      pairs.map((pair) => new Redlock(store, { retryCount: -1 }).using(pair, 10_000, routine)),
    );
    await Promise.all(calls);
    expect([inside, most]).toEqual([0, 1]);
  },

  "using frees the locks when its routine fails, and passes its error on": async ({ stores: [a, b], id }) => {
    const fails = new Redlock(a).using([id], 10_000, () => Promise.reject(new Error("it failed")));
    await expect(fails).rejects.toThrow("it failed");
    expect(await b.lock(id).inspect()).toBeNull();
  },

  "[L5] [L14] using: when a resource is lost, the signal aborts with the error, and the others are freed":
    async ({ stores: [a, b], id }) => {
      const error = await new Redlock(a).using(
        [`${id} x`, `${id} y`],
        300,
        async (signal: RedlockAbortSignal) => {
          expect(await b.lock(`${id} y`).forceRelease()).toBe(true);
          await poll(() => signal.aborted).toBe(true);
          return signal.error;
        },
      );
      expect(error).toMatchObject({ code: "LOCK_LOST" });
      await (await new Redlock(b).acquire([`${id} x`, `${id} y`], 10_000)).release();
    },
});
