// What the pages of the package redlock 5 show and say, on holdfast/redlock: the same calls, results and errors.
// docs/from-redlock.md has what is different.
//
// Seen failing: a lease that is renewed; no "error" event; an `expiration` that is kept, or has no drift; a store for each
// Redlock instead of each client; a wait without the jitter; quit() without the store.

import { EventEmitter } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import Redlock, { ExecutionError, Lock, ResourceLockedError } from "holdfast/redlock";

import { poll } from "../../support/poll.ts";
import { aborted, clientKinds, failureOf, World } from "./clients.ts";

describe.each(clientKinds)("on a client of %s", (kind) => {
  const world = new World(kind);
  beforeAll(() => world.start());
  afterEach(() => world.end());
  afterAll(() => world.stop());

  test("using() runs a routine under the locks of all resources", async () => {
    const redlock = await world.redlock();
    const [senderId, recipientId] = ["account:sender", "account:recipient"];
    const result = await redlock.using([senderId, recipientId], 5_000, async (signal) => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- as its page says
      if (signal.aborted) throw signal.error;
      return [await world.isFree(senderId), await world.isFree(recipientId)];
    });
    expect(result).toEqual([false, false]);
    expect([await world.isFree(senderId), await world.isFree(recipientId)]).toEqual([true, true]);
  });

  test("acquire(), extend() and release()", async () => {
    const redlock = await world.redlock();
    let lock = await redlock.acquire(["a"], 5_000);
    try {
      const before = lock;
      lock = await lock.extend(60_000);
      expect(before.expiration).toBe(0);
      expect(lock).toBeInstanceOf(Lock);
      expect(lock.expiration).toBeGreaterThan(Date.now() + 30_000);
      const info = await world.store.lock("a").inspect();
      expect(info).toMatchObject({ fence: lock.fences["a"] });
      expect(info?.expiresInMs).toBeGreaterThan(30_000);
    } finally {
      const { attempts } = await lock.release();
      const [stats] = await Promise.all(attempts);
      expect(stats).toMatchObject({ membershipSize: 1, quorumSize: 1 });
      expect([...stats!.votesFor]).toEqual([redlock.client]);
    }
    expect(await world.isFree("a")).toBe(true);
  });

  test("a lock that is held elsewhere: with retryCount 0 the call fails at once, and says who holds it", async () => {
    const redlock = await world.redlock({ retryCount: 0 });
    const errors: unknown[] = [];
    redlock.on("error", (error) => errors.push(error));
    const held = await (await world.redlock()).acquire(["busy"], 60_000);
    const error = await failureOf(redlock.acquire(["busy"], 5_000));
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error).toMatchObject({ name: "ExecutionError", cause: { code: "LOCK_TIMEOUT", id: "busy" } });
    expect(error.message).toContain(`"busy"`);
    expect(error.message).toContain(String(process.pid));
    const [stats] = await Promise.all(error.attempts ?? []);
    expect(stats?.votesFor.size).toBe(0);
    expect(stats?.votesAgainst.get(redlock.client)).toBeInstanceOf(ResourceLockedError);
    expect(errors).toEqual([stats?.votesAgainst.get(redlock.client)]);
    expect((await world.store.lock("busy").inspect())?.waiters).toBe(0);
    await held.release();
  });

  test("a waiting call gets the lock when it is released, in the order of the calls", async () => {
    const [first, second] = [await world.redlock({ retryCount: -1 }), await world.redlock()];
    const held = await second.acquire(["queue"], 60_000);
    const order: string[] = [];
    const take = async (redlock: Redlock, name: string): Promise<void> => {
      const lock = await redlock.acquire(["queue"], 60_000, { retryCount: -1 });
      order.push(name);
      await lock.release();
    };
    const one = take(first, "first");
    await poll(async () => (await world.store.lock("queue").inspect())?.waiters).toBe(1);
    const two = take(await world.redlock(), "second");
    await poll(async () => (await world.store.lock("queue").inspect())?.waiters).toBe(2);
    expect(order).toEqual([]);
    await held.release();
    await Promise.all([one, two]);
    expect(order).toEqual(["first", "second"]);
  });

  test("a lock ends with its duration: others get it, and the old one can do nothing any more", async () => {
    const redlock = await world.redlock();
    const old = await redlock.acquire(["short"], 300);
    const next = await (await world.redlock()).acquire(["short"], 60_000, { retryCount: -1 });
    await aborted(old.signal);
    expect(next.fences["short"]).toBeGreaterThan(old.fences["short"]!);
    expect(await failureOf(old.extend(60_000))).toBeInstanceOf(ExecutionError);
    const error = await failureOf(old.release());
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error.cause).toMatchObject({ code: "LOCK_LOST" });
    expect((await world.store.lock("short").inspect())?.fence).toBe(next.fences["short"]);
    await next.release();
  });

  test("a lock that an operator takes away: its signal aborts, and it cannot be extended", async () => {
    const lock = await (await world.redlock()).acquire(["taken"], 60_000);
    await world.store.lock("taken").forceRelease();
    const error = await failureOf(lock.extend(60_000));
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error.cause).toMatchObject({ code: "LOCK_LOST" });
    await aborted(lock.signal);
    expect(lock.signal.reason).toMatchObject({ code: "LOCK_LOST" });
    expect(await world.isFree("taken")).toBe(true);
  });

  test("quit() releases the locks and ends the client", async () => {
    const redlock = await world.redlock();
    await redlock.acquire(["quit"], 60_000);
    await redlock.quit();
    expect(await world.isFree("quit")).toBe(true);
    expect(await failureOf(redlock.acquire(["quit"], 1_000, { retryCount: 0 }))).toBeInstanceOf(
      ExecutionError,
    );
  });

  test("a Redlock object for each call: one more connection in all, and each knows the locks of the others", async () => {
    const client = await world.client();
    const before = await connections(world);
    const locks = [];
    for (let n = 0; n < 20; n += 1)
      locks.push(await new Redlock([client]).acquire([`n:${String(n)}`], 60_000));
    expect((await connections(world)) - before).toBeLessThanOrEqual(2); // the client itself may not have been counted yet
    for (const lock of locks) await new Redlock([client]).release(lock);
    expect(await world.isFree("n:0")).toBe(true);
  });
});

describe("as in redlock", () => {
  const world = new World("ioredis 5");
  beforeAll(() => world.start());
  afterEach(() => world.end());
  afterAll(() => world.stop());

  test("the class is the default export, an EventEmitter, with clients and settings", async () => {
    const client = await world.client();
    const redlock = new Redlock([client, client], { retryCount: 3 });
    expect(redlock).toBeInstanceOf(EventEmitter);
    expect([...redlock.clients]).toEqual([client]);
    const defaults = {
      driftFactor: 0.01,
      retryDelay: 200,
      retryJitter: 100,
      automaticExtensionThreshold: 500,
    };
    expect(redlock.settings).toEqual({ ...defaults, retryCount: 3 });
    expect(new Redlock(new Set([client])).settings).toEqual({ ...defaults, retryCount: 10 });
  });

  test("a lock has its resources as they were given, a value of its own, and an expiration less the drift", async () => {
    const redlock = await world.redlock({ driftFactor: 0.5 });
    const lock = await redlock.acquire(["b", "a", "b"], 60_000);
    const other = await redlock.acquire(["c"], 60_000, { driftFactor: 0 });
    expect(lock.resources).toEqual(["b", "a", "b"]);
    expect(lock.redlock).toBe(redlock);
    expect(lock.value).not.toBe(other.value);
    expect(lock.expiration - Date.now()).toBeLessThanOrEqual(30_000 - 2);
    expect(other.expiration - Date.now()).toBeGreaterThan(30_000);
    expect(other.expiration - Date.now()).toBeLessThanOrEqual(60_000 - 2);
    expect(Object.keys(lock.fences).sort()).toEqual(["a", "b"]);
    await lock.release();
    await other.release();
  });

  test("the lock before an extension still releases it, and cannot be extended again", async () => {
    const redlock = await world.redlock();
    const before = await redlock.acquire(["before"], 60_000);
    await before.extend(60_000);
    expect(await failureOf(before.extend(60_000))).toBeInstanceOf(ExecutionError);
    await before.release();
    expect(await world.isFree("before")).toBe(true);
  });

  test("a second release fails, and so does an extension after a release", async () => {
    const lock = await (await world.redlock()).acquire(["twice"], 60_000);
    await lock.release();
    expect(lock.expiration).toBe(0);
    expect(lock.signal.aborted).toBe(false);
    expect(await failureOf(lock.release())).toBeInstanceOf(ExecutionError);
    expect(await failureOf(lock.extend(60_000))).toBeInstanceOf(ExecutionError);
  });

  test("a Lock that is made of the value of another stands for the same lock; of an unknown value, for none", async () => {
    const redlock = await world.redlock();
    const lock = await redlock.acquire(["made"], 60_000);
    const made = new Lock(redlock, lock.resources, lock.value, lock.attempts, lock.expiration);
    expect(made.fences).toEqual(lock.fences);
    await made.release();
    expect(await world.isFree("made")).toBe(true);
    const unknown = new Lock(redlock, ["made"], "unknown", [], Date.now() + 60_000);
    expect(unknown.signal.aborted).toBe(true);
    const error = await failureOf(unknown.extend(60_000));
    expect(error).toBeInstanceOf(ExecutionError);
    expect(error.message).toContain("in another process");
  });

  test("a lock is extended and released by the Redlock of another client, too", async () => {
    const [one, other] = [await world.redlock(), await world.redlock()];
    const lock = await one.acquire(["across"], 60_000);
    const next = await other.extend(lock, 60_000);
    expect(next.redlock).toBe(other);
    expect(next.fences).toEqual(lock.fences);
    await other.release(next);
    expect(await world.isFree("across")).toBe(true);
    expect((await failureOf(one.release(lock))).message).toContain("released before");
  });

  test("locks are not re-entrant, and exclude those of store.lock()", async () => {
    const redlock = await world.redlock({ retryCount: 0 });
    const lock = await redlock.acquire(["same"], 60_000);
    const refused = await failureOf(redlock.acquire(["same"], 60_000));
    expect(refused).toBeInstanceOf(ExecutionError);
    expect(refused.message).toContain("not re-entrant");
    expect(refused.message).not.toMatch(/lock\.run|grant|waitMs/);
    expect(await world.store.lock("same").tryAcquire()).toBeNull();
    await lock.release();
    await world.store.lock("same").run(async () => {
      expect(await failureOf(redlock.acquire(["same"], 60_000))).toBeInstanceOf(ExecutionError);
    });
  });

  test("a call waits as long as its retries would take, and then says for how long", async () => {
    const redlock = await world.redlock({ retryCount: 4, retryDelay: 40, retryJitter: 10 });
    const held = await redlock.acquire(["window"], 60_000);
    const begunAt = performance.now();
    const error = await failureOf(redlock.acquire(["window"], 60_000));
    expect(performance.now() - begunAt).toBeGreaterThan(190);
    expect(error.message).toContain("200 ms");
    const shorter = failureOf(redlock.acquire(["window"], 60_000, { retryCount: 1, retryJitter: 0 }));
    expect((await shorter).message).toContain("40 ms");
    await held.release();
  });

  test("a server that does not answer: an ExecutionError with the reason, and an error event with the same", async () => {
    const redlock = await world.redlock();
    const heard: Error[] = [];
    redlock.on("error", (error: Error) => heard.push(error));
    const lock = await redlock.acquire(["outage"], 60_000);
    world.server.pause();
    try {
      const error = await failureOf(lock.release());
      expect(error).toBeInstanceOf(ExecutionError);
      expect(error.cause).toMatchObject({ code: "UNREACHABLE" });
      expect(heard).toEqual([error.cause]);
      const [stats] = await Promise.all(error.attempts ?? []);
      expect(stats?.votesAgainst.get(redlock.client)).toBe(error.cause);
    } finally {
      world.server.resume();
    }
  }, 60_000);
});

async function connections({ server }: World): Promise<number> {
  return String(await server.command("CLIENT", "LIST"))
    .trim()
    .split("\n").length;
}
