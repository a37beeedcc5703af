// Every bound of every option, and options that do not exist.

import { afterAll, describe, expect, test } from "vitest";

import { open, type Serializer, type Store } from "../../../src/index.ts";

const store = open("memory:");
afterAll(() => store.close());

const invalid = { code: "INVALID_ARGUMENT", outcome: "none" };
const refuses = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    expect(error).toMatchObject(invalid);
    return error;
  }
  return expect.unreachable("should have been refused");
};
const never: number[] = [NaN, -1, -Infinity];
const wrongTypes: unknown[] = ["100", null, true, {}, [], 5n, new Date(0)];
const day = 86_400_000;
const century = 36_525 * day;

const text: Serializer = {
  name: "text",
  serialize: (value) => new TextEncoder().encode(String(value)),
  deserialize: (bytes) => new TextDecoder().decode(bytes),
};

describe("options of open()", () => {
  test.each([
    ["leaseMs", [100, 101, day], [99, day + 1, 100.5, Infinity, 0]],
    ["waitMs", [0, 0.5, 1e12, Infinity], []],
    ["operationMs", [1, 2.5, day], [0, 0.5, day + 1, Infinity]],
    ["maxStateBytes", [1, 8_388_608, 536_870_912], [0, 1.5, 536_870_913, Infinity]],
  ])("%s", async (name, good, bad) => {
    for (const value of [...good, undefined]) await open("memory:", { [name]: value }).close();
    for (const value of [...bad, ...never, ...wrongTypes]) {
      const error = refuses(() => open("memory:", { [name]: value })) as Error;
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/; got /);
    }
  });

  test("prefix", async () => {
    const good = ["", "a", "my app:", "x".repeat(512), "ä", "{shop}:", "a{b}c"];
    for (const prefix of good) await open("memory:", { prefix }).close();
    const bad = [
      "{",
      "{}",
      "a}b",
      "{a}{b}",
      "{a{b}}",
      "lock:{a}",
      "a\nb",
      "\u0000",
      "x".repeat(513),
      "ä".repeat(257),
      "\ud800",
    ];
    for (const prefix of [...bad, ...wrongTypes.filter((value) => typeof value !== "string")]) {
      refuses(() => open("memory:", { prefix: prefix as string }));
    }
  });

  test("closeOn names the signal that it cannot take", () => {
    const refused = (closeOn: unknown): unknown => refuses(() => open("memory:", { closeOn: closeOn as [] }));
    expect(refused(["SIGTERM", "SIGKILL"])).toMatchObject({
      message: expect.stringMatching(/; got "SIGKILL" in it/) as string,
    });
    expect(refused("SIGTERM")).toMatchObject({
      message: expect.stringMatching(/; got "SIGTERM"\.$/) as string,
    });
  });

  test("serializer", async () => {
    for (const serializer of ["json", text] as const) await open("memory:", { serializer }).close();
    const name = (given: unknown): Serializer => ({ ...text, name: given as string });
    const bad = [
      "yaml",
      null,
      {},
      { serialize: text.serialize },
      ...["", "two words", "ä", "x".repeat(33), "a\nb", 5].map(name),
    ];
    for (const serializer of bad) refuses(() => open("memory:", { serializer: serializer as Serializer }));
  });

  test("what is no options object, and options that do not exist", () => {
    for (const options of [5, "json", true, null]) refuses(() => open("memory:", options as never));
    const error = refuses(() => open("memory:", { leaseMS: 1_000 } as never)) as Error;
    expect(error.message).toMatch(/no option "leaseMS"; it takes: .*leaseMs/);
    refuses(() => open("memory:", { ["__proto__x"]: 1 } as never));
    refuses(() => open("memory:", { toString: 1 } as never));
  });
});

describe("options of calls", () => {
  const state = store.state<number>("x");
  const lock = store.lock("x");
  const rejects = (call: Promise<unknown>): Promise<void> => expect(call).rejects.toMatchObject(invalid);

  test("leaseMs of locks and their calls", async () => {
    for (const leaseMs of [99, 100.5, day + 1, Infinity, ...never, ...wrongTypes] as number[]) {
      refuses(() => store.lock("x", { leaseMs }));
      await rejects(lock.acquire({ leaseMs }));
      await rejects(lock.tryAcquire({ leaseMs }));
      await rejects(lock.run(() => 1, { leaseMs }));
    }
    for (const leaseMs of [100, day]) await (await lock.acquire({ leaseMs })).release();
  });

  test("maxHoldMs of every hold", async () => {
    for (const maxHoldMs of [0, 0.5, ...never, ...wrongTypes] as number[]) {
      refuses(() => store.lock("x", { maxHoldMs }));
      refuses(() => store.state("x", { maxHoldMs }));
      refuses(() => store.lockAll(["x"], { maxHoldMs }));
      await rejects(lock.acquire({ maxHoldMs }));
      await rejects(lock.tryAcquire({ maxHoldMs }));
      await rejects(lock.run(() => 1, { maxHoldMs }));
      await rejects(state.update(() => 1, { maxHoldMs }));
      await rejects(store.lockAll(["x"]).run(() => 1, { maxHoldMs }));
    }
    for (const maxHoldMs of [1, 1.5, century, Infinity]) await lock.run(() => 1, { maxHoldMs });
  });

  test("ids and grants of lockAll", async () => {
    const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => `id ${String(n)}`);
    for (const wrong of [[], "ab", undefined, null, {}, [5], [""], ["a", "}"], ids(65)] as never[]) {
      expect((refuses(() => store.lockAll(wrong)) as Error).message).toMatch(/lockAll|A lock's id/);
    }
    expect(store.lockAll([...ids(64), ...ids(64)]).ids).toHaveLength(64);
    expect(store.lockAll(["b", "a", "b"]).ids).toEqual(["a", "b"]);
    const several = store.lockAll(["a", "b"]);
    for (const fn of [5, undefined, null, {}] as never[]) await rejects(several.run(fn));
    for (const grant of [5, {}, null, [], await lock.acquire()] as never[]) {
      await rejects(several.acquire({ grant }));
      await rejects(several.tryAcquire({ grant }));
    }
    await lock.forceRelease();
    await rejects(several.tryAcquire({ waitMs: 5 } as never));
    await rejects(several.acquire({ odd: 1 } as never));
    expect(await store.lock("a").inspect()).toBeNull();
  });

  test("waitMs of every call that waits", async () => {
    for (const waitMs of [...never, ...wrongTypes] as number[]) {
      refuses(() => store.lock("x", { waitMs }));
      await rejects(lock.acquire({ waitMs }));
      await rejects(lock.run(() => 1, { waitMs }));
      await rejects(state.save(1, { waitMs }));
      await rejects(state.update(() => 1, { waitMs }));
      await rejects(state.delete({ waitMs }));
    }
    await (await lock.acquire({ waitMs: Infinity })).release();
    await (await lock.acquire({ waitMs: 0 })).release();
  });

  test("ttlMs", async () => {
    for (const ttlMs of [0, 0.5, 1.5, century + 1, Infinity, ...never, ...wrongTypes] as number[]) {
      refuses(() => store.state("x", { ttlMs }));
      await rejects(state.save(1, { ttlMs }));
      await rejects(state.update(() => 1, { ttlMs }));
      await rejects(state.touch(ttlMs));
      refuses(() => store.state("x", { ttlMs: { whenNew: ttlMs } }));
      await rejects(state.save(1, { ttlMs: { whenNew: ttlMs } }));
      await rejects(state.run(() => 1, { ttlMs: { whenNew: ttlMs } }));
    }
    for (const ttlMs of [{}, { whenNew: undefined }, { new: 5 }, { whenNew: 5, or: 6 }, [5]] as never[]) {
      refuses(() => store.state("x", { ttlMs }));
      await rejects(state.trySave(1, { ttlMs }));
    }
    await rejects(state.touch({ whenNew: 5 } as never));
    await rejects(state.touch("keep" as never));
    for (const ttl of [{}, { expiresAt: undefined }, { expiresAt: 1e12, or: 1 }, null, "5", [5]] as never[]) {
      await rejects(state.touch(ttl));
      await state.save(1);
      await rejects(state.update((_, context) => context.setTtl(ttl)));
    }
    await rejects(state.save(1, { ttlMs: "forever" as "none" }));
    refuses(() => store.state("x", { ttlMs: "keep" as never }));
    const lives = [century, 100_000, "keep", "none", { whenNew: 1 }, { whenNew: century }] as const;
    for (const ttlMs of lives) await state.save(1, { ttlMs });
  });

  test("expiresAt", async () => {
    const tooLate = new Date(Date.now() + century + 86_400_000);
    const secondsOfNow = Math.floor(Date.now() / 1_000);
    const noTimes = wrongTypes.filter((value) => !(value instanceof Date) && typeof value !== "number");
    for (const expiresAt of [...noTimes, NaN, Infinity, new Date(NaN), tooLate, secondsOfNow] as Date[]) {
      await rejects(state.save(1, { expiresAt }));
      await rejects(state.update(() => 1, { expiresAt }));
      await rejects(state.touch({ expiresAt }));
    }
    await expect(state.save(1, { expiresAt: secondsOfNow })).rejects.toThrow(/\* 1000/);
    await expect(state.save(1, { expiresAt: new Date(), ttlMs: 5_000 })).rejects.toThrow(/not both/);
    await rejects(state.run(() => 1, { expiresAt: new Date(), ttlMs: "keep" }));
    for (const expiresAt of [0, new Date(0), new Date(secondsOfNow), Date.now() + 0.5, Date.now() + century])
      await state.save(1, { expiresAt });
  });

  test("ifRevision, ifFence, drainMs, idPrefix", async () => {
    for (const ifRevision of [0, -1, 1.5, NaN, Infinity, 2 ** 53, "5", null, 5n, "present"]) {
      await rejects(state.save(1, { ifRevision: ifRevision as number }));
      await rejects(state.delete({ ifRevision: ifRevision as number }));
      await rejects(state.take({ ifRevision: ifRevision as number }));
      await rejects(state.touch(5_000, { ifRevision: ifRevision as number }));
    }
    for (const ifFence of [0, -1, 1.5, NaN, "5", null]) {
      await rejects(lock.forceRelease({ ifFence: ifFence as number }));
    }
    for (const drainMs of [...never, ...wrongTypes])
      await rejects(store.close({ drainMs: drainMs as number }));
    for (const idPrefix of ["}", "a\n", 5, null, "x".repeat(513)]) {
      refuses(() => store.states({ idPrefix: idPrefix as string }));
      refuses(() => store.locks({ idPrefix: idPrefix as string }));
    }
  });

  test("signal and grant must be what they are called", async () => {
    for (const signal of [5, {}, new AbortController(), null] as never[]) {
      await rejects(lock.acquire({ signal }));
      await rejects(state.save(1, { signal }));
    }
    for (const grant of [5, {}, { release: () => true }, null] as never[]) {
      await rejects(lock.acquire({ grant }));
      await rejects(state.save(1, { grant }));
    }
  });

  test("initial and functions", async () => {
    for (const initial of [5, {}, null, Promise.resolve(1)] as never[]) {
      refuses(() => store.state("x", { initial }));
    }
    for (const fn of [5, undefined, null, {}] as never[]) {
      await rejects(state.update(fn));
      await rejects(state.run(fn));
      await rejects(lock.run(fn));
      refuses(() => store.stateful("x", () => ({}), fn));
    }
    expect(await lock.inspect()).toBeNull();
  });

  test("an initial that is a promise, or throws, is told to the caller, and nothing is stored", async () => {
    const async = store.state("async", { initial: async () => 1 });
    await expect(async.load()).rejects.toMatchObject({ outcome: "none" });
    await expect(async.update((n) => n)).rejects.toMatchObject({ outcome: "none" });
    const throwing = store.state("throwing", {
      initial: () => {
        throw new RangeError("mine");
      },
    });
    await expect(throwing.load()).rejects.toThrow(RangeError);
    await expect(throwing.update((n) => n)).rejects.toThrow(RangeError);
    expect(await throwing.read()).toBeUndefined();
  });

  test("options that do not exist are refused everywhere", async () => {
    const odd = { odd: 1 } as never;
    refuses(() => store.state("x", odd));
    refuses(() => store.lock("x", odd));
    refuses(() => store.states(odd));
    await rejects(lock.acquire(odd));
    await rejects(lock.tryAcquire({ waitMs: 5 } as never)); // it never waits
    await rejects(lock.run(() => 1, odd));
    await rejects(lock.forceRelease(odd));
    await rejects(state.save(1, odd));
    await rejects(state.update(() => 1, { ifRevision: 5 } as never));
    await rejects(state.delete({ ttlMs: 5 } as never));
    await rejects(store.close(odd));
  });
});

test("options: the call beats the handle, the handle beats the store", async () => {
  const short: Store = open("memory:", { leaseMs: 1_000, waitMs: 30 });
  const lease = async (grant: Promise<{ release(): Promise<boolean> }>): Promise<number> => {
    const held = await grant;
    const info = await short.lock("lease").inspect();
    await held.release();
    return Math.ceil((info?.expiresInMs ?? 0) / 1_000);
  };
  expect(await lease(short.lock("lease").acquire())).toBe(1);
  expect(await lease(short.lock("lease", { leaseMs: 5_000 }).acquire())).toBe(5);
  expect(await lease(short.lock("lease", { leaseMs: 5_000 }).acquire({ leaseMs: 9_000 }))).toBe(9);
  const held = await short.lock("lease").acquire();
  await expect(short.lock("lease").acquire()).rejects.toThrow(/30 ms/);
  await expect(short.lock("lease", { waitMs: 20 }).acquire()).rejects.toThrow(/20 ms/);
  await expect(short.lock("lease", { waitMs: 20 }).acquire({ waitMs: 10 })).rejects.toThrow(/10 ms/);
  await held.release();
  await short.close();
});
