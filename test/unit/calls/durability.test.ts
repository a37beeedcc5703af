// The option `durability` above the backend: how it is read, which of three levels counts, what is asked of the backend
// and what comes of its answers. Real replicas: test/integration/redis/durability.test.ts.

import { beforeEach, describe, expect, test } from "vitest";

import type { Backend } from "../../../src/backend.ts";
import { HoldfastError, open, UnavailableError } from "../../../src/index.ts";
import { MemoryBackend } from "../../../src/testing/index.ts";
import { poll } from "../../support/poll.ts";

type Wait = NonNullable<Backend["awaitReplicas"]>;

/** Says what it is told to say; keeps what it was asked. */
class Pretending extends MemoryBackend {
  readonly asked: { what: string; replicas: number; timeoutMs: number }[] = [];
  answer: Wait = (_, { replicas }) => Promise.resolve(replicas);
  readonly awaitReplicas: Wait = (kept, durability) => {
    this.asked.push({ what: "ticket" in kept ? "lock" : "receipt", ...durability });
    return this.answer(kept, durability);
  };
}

let backend: Pretending;
beforeEach(() => {
  backend = new Pretending();
});

const replicasAsked = (): number[] => backend.asked.splice(0).map(({ replicas }) => replicas);

async function failureOf(call: Promise<unknown>): Promise<HoldfastError> {
  const error = await call.then(
    () => new Error("it was acknowledged"),
    (reason: unknown) => reason,
  );
  if (error instanceof HoldfastError) return error;
  throw error;
}

describe("options", () => {
  test("a backend without replicas refuses it at each door; 0 asks for nothing", async () => {
    const durability = { replicas: 1 };
    for (const target of ["memory:", "sqlite:never-opened.db"]) {
      expect(() => open(target, { durability })).toThrow(/cannot wait for replicas/);
    }
    const store = open("memory:", { durability: { replicas: 0 } });
    expect(() => store.state("x", { durability })).toThrow(/cannot wait for replicas/);
    expect(() => store.lock("x", { durability })).toThrow(/cannot wait for replicas/);
    const [state, lock] = [store.state<number>("x"), store.lock("x")];
    const calls = [
      state.save(1, { durability }),
      state.trySave(1, { durability }),
      state.update(() => 1, { durability }),
      state.run(() => 1, { durability }),
      state.delete({ durability }),
      state.touch(1, { durability }),
      lock.acquire({ durability }),
      lock.tryAcquire({ durability }),
      lock.run(() => 1, { durability }),
    ];
    for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await state.save(1, { durability: { replicas: 0 } })).toBeGreaterThan(0);
    await store.close();
  });

  test("what cannot be meant is refused", async () => {
    const wrong: [unknown, RegExp][] = [
      [{ replicas: -1 }, /replicas must be a whole number from 0 to 100; got -1/],
      [{ replicas: 1.5 }, /got 1.5/],
      [{ replicas: "1" }, /got "1"/],
      [{ replicas: 101 }, /got 101/],
      [{}, /replicas must be .*; got undefined/],
      [{ timeoutMs: 5 }, /replicas must be/],
      [{ replicas: 1, timeoutMs: 0 }, /timeoutMs must be/],
      [
        { replicas: 1, timeoutMs: 500 },
        /durability.timeoutMs \(500 ms\) must be less than operationMs \(500 ms\)/,
      ],
      [{ replicas: 1, timeout: 5 }, /has no option "timeout"/],
      [3, /takes an options object; got 3/],
      [null, /takes an options object/],
    ];
    const store = open(backend, { operationMs: 500 });
    for (const [durability, message] of wrong) {
      expect(() => store.lock("x", { durability: durability as never })).toThrow(message);
      expect(() =>
        open("redis://localhost:1", { operationMs: 500, durability: durability as never }),
      ).toThrow(message);
    }
    await store.lock("x").run(() => 1, { durability: { replicas: 1 } });
    expect(backend.asked).toEqual([{ what: "lock", replicas: 1, timeoutMs: 250 }]);
    await store.close();
  });

  test("a call's beats its handle's, which beats the store's", async () => {
    const of = (replicas: number) => ({ durability: { replicas } });
    const store = open(backend, of(1));
    const [state, own, off] = [store.state("x"), store.state("x", of(2)), store.state("x", of(0))];
    await state.save(1);
    await own.save(1);
    await own.save(1, of(3));
    await own.delete(of(0));
    await off.save(1);
    await off.update(() => 2, of(4));
    await own.touch(1_000);
    expect(replicasAsked()).toEqual([1, 2, 3, 4, 2]);
    await store.lock("l").run(() => 1);
    await store.lock("l", of(2)).run(() => 1);
    await store.lock("l", of(2)).run(() => 1, of(0));
    await (await store.lock("l", of(0)).tryAcquire(of(3)))?.release();
    expect(replicasAsked()).toEqual([1, 2, 3]);
    await store.close();
  });
});

describe("answers", () => {
  test("a turn asks once for the grants that it serves; re-entries ask only for more", async () => {
    const store = open(backend, { durability: { replicas: 1 } });
    const lock = store.lock("x");
    await Promise.all(Array.from({ length: 10 }, () => lock.run(() => 1)));
    expect(backend.asked.length).toBeLessThanOrEqual(2);
    backend.asked.length = 0;
    await lock.run(() => lock.run(() => lock.run(() => 1, { durability: { replicas: 2 } })));
    expect(replicasAsked()).toEqual([1, 2]);
    await store.close();
  });

  test("updates that ask for the same share a save; others do not wait with them", async () => {
    const store = open(backend);
    const n = store.state<number>("n", { initial: () => 0 });
    let answer: (replicas: number) => void = () => undefined;
    backend.answer = () => new Promise((resolve) => (answer = resolve));
    const done: string[] = [];
    const add = (name: string, replicas: number): Promise<unknown> =>
      n.update((at) => at + 1, { durability: { replicas } }).then(() => done.push(name));
    const all = [add("free", 0), add("one", 1), add("one too", 1)];
    await all[0];
    expect(done).toEqual(["free"]);
    await poll(() => backend.asked).toHaveLength(1);
    answer(1);
    await Promise.all(all);
    expect(replicasAsked()).toEqual([1]);
    expect(await n.load()).toBe(3);
    await store.close();
  });

  test("[S5] the wait fails after the write was made: unknown, also where it certainly did nothing itself", async () => {
    const store = open(backend, { operationMs: 200, durability: { replicas: 1, timeoutMs: 100 } });
    backend.answer = () => Promise.reject(new UnavailableError("no way there", { outcome: "none" }));
    const n = store.state<number>("n", { initial: () => 0 });
    const calls = [() => n.save(1), () => n.update((at) => at + 1), () => store.lock("x").acquire()];
    for (const call of calls) {
      expect(await failureOf(call())).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
    }
    backend.answer = () =>
      Promise.reject(new UnavailableError("denied", { code: "ACCESS_DENIED", outcome: "none" }));
    for (const call of calls) {
      expect(await failureOf(call())).toMatchObject({ code: "ACCESS_DENIED", outcome: "unknown" });
    }
    expect(await store.lock("x").inspect()).toBeNull();
    expect(await n.load()).toBe(2);
    await store.close();
  });

  test("[S3] [S5] the wait is repeated with its operation, which is done once", async () => {
    const store = open(backend, { durability: { replicas: 1 } });
    let tries = 0;
    backend.answer = () =>
      (tries += 1) < 3 ? Promise.reject(new UnavailableError("not now")) : Promise.resolve(1);
    const n = store.state<number>("n", { initial: () => 0 });
    expect(await n.update((at) => at + 1)).toBe(1);
    expect(await n.load()).toBe(1);
    expect(backend.asked).toHaveLength(3);
    await store.close();
  });

  test("[S5] [L1] who answers does not know it: a save is unknown, a lock is asked for anew", async () => {
    const store = open(backend, { durability: { replicas: 1 } });
    const gone: Wait = () => Promise.resolve("gone");
    backend.answer = gone;
    expect(await failureOf(store.state("n").save(1))).toMatchObject({ outcome: "unknown" });
    const locks: unknown[] = [];
    backend.answer = (kept) => {
      locks.push("ticket" in kept && kept.ticket);
      return locks.length < 3 ? gone(kept, { replicas: 1, timeoutMs: 1 }) : Promise.resolve(1);
    };
    await store.lock("x").run(() => 1);
    expect(new Set(locks).size).toBe(3); // each time another ticket
    await store.close();
  });

  test("[L1] [L2] who asked for less than what is missing is served, and those who asked for more are not", async () => {
    const store = open(backend);
    backend.answer = () => Promise.resolve(1);
    const run = (replicas: number) => store.lock("x").run(() => replicas, { durability: { replicas } });
    const all = await Promise.allSettled([run(2), run(1), run(0), run(3), run(1)]);
    expect(all.map(({ status }) => status)).toEqual([
      "rejected",
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await store.lock("x").inspect()).toBeNull();
    await store.close();
  });
});
