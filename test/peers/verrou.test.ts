// What verrou's locks do, through an adapter.
//
// Seen failing: an adapter that does not compare the owner, whose locks do not end, or that restores none of another process.

import { expect } from "vitest";

import { LockFactory, NotOwnedError, type SerializedLock } from "./adapters/verrou.ts";
import { testOnEachBackend, untilWaiting } from "./behaviours.ts";

testOnEachBackend({
  "[L1] acquire, acquireImmediately and isLocked": async ({ stores: [a, b], id }) => {
    const [lock, other] = [new LockFactory(a).createLock(id), new LockFactory(b).createLock(id)];
    expect(await lock.isLocked()).toBe(false);
    expect(await lock.acquire()).toBe(true);
    expect([await lock.isLocked(), await other.isLocked()]).toEqual([true, true]);
    expect(await other.acquireImmediately()).toBe(false);
    await lock.release();
    expect([await lock.isLocked(), await other.acquireImmediately()]).toEqual([false, true]);
    await other.release();
  },

  "[L1] a lock is not re-entrant: its owner waits for its own release": async ({ stores: [a, b], id }) => {
    const lock = new LockFactory(a).createLock(id);
    await lock.acquire();
    expect(await lock.acquire({ retry: { timeout: 50 } })).toBe(false);
    expect(await lock.acquire({ retry: { attempts: 1 } })).toBe(false);
    const again = lock.acquire();
    await lock.release();
    expect(await again).toBe(true);
    expect(await b.lock(id).inspect()).not.toBeNull();
    await lock.release();
  },

  "[L7] a retry with a time limit answers false, and leaves nothing behind": async ({
    stores: [a, b],
    id,
  }) => {
    const lock = new LockFactory(a).createLock(id);
    await lock.acquire();
    const impatient = new LockFactory(b, { retry: { timeout: 50 } }).createLock(id);
    expect(await impatient.acquire()).toBe(false);
    await untilWaiting(a, id, 0);
    await lock.release();
  },

  "[L6] only the owner releases: others get an error, and the lock stays": async ({ stores: [a, b], id }) => {
    const [lock, other] = [new LockFactory(a).createLock(id), new LockFactory(b).createLock(id)];
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
    await lock.acquire();
    for (const stranger of [other, new LockFactory(a).createLock(id)]) {
      await expect(stranger.release()).rejects.toMatchObject({ code: "E_LOCK_NOT_OWNED" });
      await expect(stranger.extend()).rejects.toMatchObject({ code: "E_LOCK_NOT_OWNED" });
    }
    expect(await other.isLocked()).toBe(true);
    await lock.release();
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
  },

  "[L6] forceRelease frees a lock of any owner, who is told at its release": async ({
    stores: [a, b],
    id,
  }) => {
    const [lock, other] = [new LockFactory(a).createLock(id), new LockFactory(b).createLock(id)];
    await lock.acquire();
    await other.forceRelease();
    expect(await lock.isLocked()).toBe(false);
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
    await other.forceRelease(); // there is nothing to free
  },

  "[L10] a lock ends after its ttl, and can be acquired by others": async ({ stores: [a, b], id }) => {
    const lock = new LockFactory(a).createLock(id, 200);
    await lock.acquire();
    expect(lock.isExpired()).toBe(false);
    const other = new LockFactory(b).createLock(id);
    expect(await other.acquire()).toBe(true);
    expect(lock.isExpired()).toBe(true);
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
    await expect(lock.extend()).rejects.toBeInstanceOf(NotOwnedError);
    expect(await other.isLocked()).toBe(true);
    await other.release();
  },

  "[L5] extend gives it more time; getRemainingTime tells how much": async ({ stores: [a], id }) => {
    const lock = new LockFactory(a).createLock(id, 10_000);
    expect(lock.getRemainingTime()).toBeNull();
    await expect(lock.extend()).rejects.toBeInstanceOf(NotOwnedError);
    await lock.acquire();
    expect(lock.getRemainingTime()).toBeLessThanOrEqual(10_000);
    await lock.extend(60_000);
    expect(lock.getRemainingTime()).toBeGreaterThan(10_000);
    await lock.release();
  },

  "a ttl of null never ends": async ({ stores: [a], id }) => {
    const lock = new LockFactory(a).createLock(id, null);
    await lock.acquire();
    expect([lock.isExpired(), lock.getRemainingTime()]).toEqual([false, null]);
    await expect(lock.extend()).rejects.toThrow("does not end");
    await lock.release();
  },

  "[L1] run answers with the result, frees the lock whatever happens, and is exclusive": async ({
    stores,
    id,
  }) => {
    const locks = stores.map((store) => new LockFactory(store).createLock(id));
    let inside = 0;
    const results = await Promise.all(
      locks.flatMap((lock) => [1, 2].map((n) => lock.run(async () => [n, (inside += 1), (inside -= 1)]))),
    );
    expect(results).toEqual(stores.flatMap(() => [1, 2].map((n) => [true, [n, 1, 0]])));
    const [first] = locks;
    await expect(first?.run(() => Promise.reject(new Error("it failed")))).rejects.toThrow("it failed");
    expect(await first?.isLocked()).toBe(false);
  },

  "runImmediately does not wait": async ({ stores: [a, b], id }) => {
    const [lock, other] = [new LockFactory(a).createLock(id), new LockFactory(b).createLock(id)];
    const ran = await lock.runImmediately(() => other.runImmediately(() => Promise.resolve(1)));
    expect(ran).toEqual([true, [false, null]]);
    expect(await lock.isLocked()).toBe(false);
  },

  "a lock that is restored in the same process has its owner, who may release it": async ({
    stores: [a],
    id,
  }) => {
    const lock = new LockFactory(a).createLock(id);
    await lock.acquire();
    const restored = new LockFactory(a).restoreLock(lock.serialize());
    expect(restored.getOwner()).toBe(lock.getOwner());
    await restored.release();
    expect(await lock.isLocked()).toBe(false);
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
  },

  "[L3] a lock that is restored in another process goes on there, and the first one has lost it": async ({
    stores: [a, b],
    id,
  }) => {
    const lock = new LockFactory(a).createLock(id);
    await lock.acquire();
    const restored = new LockFactory(b).restoreLock(
      JSON.parse(JSON.stringify(lock.serialize())) as SerializedLock,
    );
    expect(await restored.isLocked()).toBe(true);
    await restored.extend(60_000);
    expect(restored.getRemainingTime()).toBeGreaterThan(30_000);
    await expect(lock.release()).rejects.toBeInstanceOf(NotOwnedError);
    expect(await lock.isLocked()).toBe(true);
    await restored.release();
    expect(await lock.isLocked()).toBe(false);
    await expect(new LockFactory(b).restoreLock(lock.serialize()).release()).rejects.toBeInstanceOf(
      NotOwnedError,
    );
  },
});
