// Locks of holdfast/statefulpy between the owners and the backends of one process.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Owner, StateBackend } from "holdfast/statefulpy";

import { poll } from "../../support/poll.ts";
import { kinds, World } from "./backends.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });

describe.each(kinds)("%s", (kind) => {
  const world = new World(kind);
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  /** Whether another backend gets the lock at once; it gives it back. */
  async function isFree(id: string): Promise<boolean> {
    const other = world.open();
    try {
      await other.acquireLock(id, 0);
      return true;
    } catch (error) {
      expect(error).toEqual(code("LOCK_TIMEOUT"));
      return false;
    } finally {
      await other.close();
    }
  }

  test("nested calls of a scope are counted; the last release frees", async () => {
    const backend = world.open();
    await backend.owner(async () => {
      for (let n = 0; n < 3; n += 1) expect(await backend.acquireLock("nested", 0)).toBe(true);
      for (let n = 0; n < 2; n += 1) {
        expect(await backend.releaseLock("nested")).toBe(true);
        expect(await isFree("nested")).toBe(false);
      }
      await backend.releaseLock("nested");
      expect(await isFree("nested")).toBe(true);
      await expect(backend.releaseLock("nested")).rejects.toThrow("the lock is free");
    });
  });

  test("acquires of one scope that wait together are all granted, and counted", async () => {
    const [holder, backend] = [world.open(), world.open()];
    await holder.acquireLock("together");
    await backend.owner(async () => {
      const waits = Array.from({ length: 3 }, () => backend.acquireLock("together"));
      await holder.releaseLock("together");
      await Promise.all(waits);
      await backend.releaseLock("together");
      await backend.releaseLock("together");
      expect(await isFree("together")).toBe(false);
    });
    expect(await isFree("together")).toBe(true);
  });

  test("outside of a scope a second call does not re-enter, and its time-out says how to open one", async () => {
    const backend = world.open();
    await backend.acquireLock("flat");
    for (const seconds of [0, 0.05])
      await expect(backend.acquireLock("flat", seconds)).rejects.toThrow(
        /outside of a scope holds it.*backend\.owner\(fn\)/,
      );
    const second = backend.acquireLock("flat", 5);
    await backend.releaseLock("flat");
    expect(await second).toBe(true);
    await backend.releaseLock("flat");
  });

  test("two top-level tasks exclude each other, and so do two scopes; waiters come in order", async () => {
    const backend = world.open();
    const log: string[] = [];
    const task = async (name: string): Promise<void> => {
      await backend.acquireLock("tasks");
      log.push(`+${name}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`-${name}`);
      await backend.releaseLock("tasks");
    };
    await Promise.all(["a", "b", "c"].map(task));
    await Promise.all(["d", "e"].map((name) => backend.owner(() => task(name))));
    expect(log).toEqual(["a", "b", "c", "d", "e"].flatMap((name) => [`+${name}`, `-${name}`]));
  });

  test("after a second of turns, a process leaves the lock free for longer than the 100 ms after which others ask", async () => {
    const backend = world.open();
    const turns: { from: number; to: number }[] = [];
    const until = performance.now() + 1_700;
    const lane = async (): Promise<void> => {
      while (performance.now() < until)
        await backend.owner(async () => {
          await backend.acquireLock("turns");
          const from = performance.now();
          await new Promise((resolve) => setTimeout(resolve, 5));
          turns.push({ from, to: performance.now() });
          await backend.releaseLock("turns");
        });
    };
    await Promise.all([lane(), lane()]);
    const free = turns.slice(1).map(({ from }, n) => from - turns[n]!.to);
    expect(free.filter((ms) => ms > 100).length).toBeGreaterThan(0);
  });

  test("tasks that a scope starts belong to it; a nested scope is another owner", async () => {
    const backend = world.open();
    await backend.owner(async () => {
      await backend.acquireLock("scope");
      await Promise.all([backend.acquireLock("scope", 0), backend.acquireLock("scope", 0)]);
      await backend.owner(async () => {
        await expect(backend.acquireLock("scope", 0)).rejects.toThrow("a nested owner() is another owner");
        await expect(backend.releaseLock("scope")).rejects.toThrow("another owner in this process");
      });
    });
    expect(await isFree("scope")).toBe(true);
  });

  test("an explicit owner goes before the scope; only the holder may release", async () => {
    const [backend, other] = [world.open(), world.open()];
    const owner = backend.createOwner();
    await backend.acquireLock("explicit", 0, { owner });
    await backend.owner(async (scope) => {
      await expect(backend.releaseLock("explicit")).rejects.toEqual(code("INVALID_ARGUMENT"));
      expect(await backend.acquireLock("explicit", 0, { owner })).toBe(true);
      await backend.acquireLock("of scope", 0, { owner: scope });
    });
    await expect(other.releaseLock("explicit")).rejects.toThrow(/held by process \d+ on/);
    await expect(other.acquireLock("explicit", 0, { owner })).rejects.toThrow("another backend");
    await expect(backend.acquireLock("x", 0, { owner: {} as Owner })).rejects.toThrow("createOwner()");
    await backend.releaseLock("explicit", { owner });
    await backend.releaseLock("explicit", { owner });
    expect(await isFree("explicit")).toBe(true);
  });

  test("what a scope leaves behind is released, and what it started cannot save or acquire under it any more", async () => {
    const backend = world.open();
    let late!: () => Promise<unknown>;
    let ended!: Owner;
    const result = await backend.owner(async (owner) => {
      ended = owner;
      await backend.acquireLock("left");
      await backend.acquireLock("left");
      const gate = new Promise<void>((resolve) => setTimeout(resolve, 20));
      const saving = gate.then(() => backend.saveState("left", {}));
      saving.catch(() => undefined);
      late = () => saving;
      return 7;
    });
    expect(result).toBe(7);
    expect(await isFree("left")).toBe(true);
    await expect(late()).rejects.toEqual(code("LOCK_LOST"));
    await expect(backend.acquireLock("left", 0, { owner: ended })).rejects.toThrow("has ended");
    await expect(
      backend.owner(async () => {
        await backend.acquireLock("left");
        throw new RangeError("own");
      }),
    ).rejects.toThrow(RangeError);
    expect(await isFree("left")).toBe(true);
  });

  test("an acquire that a scope did not await is refused when it ends, and leaves nothing behind", async () => {
    const [holder, backend] = [world.open(), world.open()];
    await holder.acquireLock("unawaited");
    let waiting!: Promise<true>;
    await backend.owner(async () => {
      waiting = backend.acquireLock("unawaited", 10);
      waiting.catch(() => undefined);
    });
    await expect(waiting).rejects.toThrow("await it");
    await holder.releaseLock("unawaited");
    await poll(() => isFree("unawaited")).toBe(true);
  });

  test("a signal ends the wait, and leaves nothing behind", async () => {
    const [holder, backend] = [world.open(), world.open()];
    await holder.acquireLock("signal");
    const aborter = new AbortController();
    const waiting = backend.acquireLock("signal", Infinity, { signal: aborter.signal });
    const reason = new Error("mine");
    aborter.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(backend.acquireLock("signal", 0, { signal: aborter.signal })).rejects.toBe(reason);
    await holder.releaseLock("signal");
    await poll(() => isFree("signal")).toBe(true); // an ask that was under way may be granted, and gives it back
  });

  test("a lock is renewed while it is held, and outlives its holder by its lease", async () => {
    const [dead, next] = [world.open({ lockTimeout: 300 }), world.open({ lockTimeout: 300 })];
    await dead.acquireLock("lease");
    await expect(next.acquireLock("lease", 1)).rejects.toEqual(code("LOCK_TIMEOUT"));
    await dead.saveState("lease", { still: "held" });
    await dead.releaseLock("lease");
    expect(await next.acquireLock("lease", 0)).toBe(true);
  });

  test("a lock that is deleted: its save is refused, and so is its renewal, which aborts the signal", async () => {
    const backend = world.open({ lockTimeout: 600 });
    await backend.owner(async ({ signal }) => {
      await backend.acquireLock("deleted");
      await world.dropLock("deleted");
      await expect(backend.saveState("deleted", {})).rejects.toEqual(code("LOCK_LOST"));
      expect(signal.reason).toEqual(code("LOCK_LOST"));
      await expect(backend.releaseLock("deleted")).rejects.toEqual(code("LOCK_LOST"));
    });
    const owner = backend.createOwner();
    await backend.acquireLock("deleted", 0, { owner });
    await world.dropLock("deleted");
    await poll(() => owner.signal.reason as unknown).toEqual(code("LOCK_LOST"));
    expect(await backend.loadState("deleted")).toBeNull();
    expect(await isFree("deleted")).toBe(true);
  });

  test("close releases, rejects what waits, aborts what holds, and refuses the rest", async () => {
    const backend = world.open();
    const owner = backend.createOwner();
    await backend.acquireLock("close", 0, { owner });
    const waiting = backend.acquireLock("close", 10);
    const closing = [waiting, backend.close(), backend.close()];
    await expect(closing[0]).rejects.toEqual(code("CLOSED"));
    await Promise.all(closing.slice(1));
    expect(owner.signal.reason).toEqual(code("LOCK_LOST"));
    expect(await isFree("close")).toBe(true);
    const calls: ((of: StateBackend) => Promise<unknown>)[] = [
      (of) => of.loadState("x"),
      (of) => of.saveState("x", {}),
      (of) => of.acquireLock("x"),
      (of) => of.releaseLock("x"),
      (of) => of.healthcheck(),
      (of) => of.owner(() => 1),
      (of) => of.list().next(),
    ];
    for (const call of calls) await expect(call(backend)).rejects.toEqual(code("CLOSED"));
  });
});
