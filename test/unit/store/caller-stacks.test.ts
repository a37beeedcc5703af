// What a caller gets of an error: a stack that names the call which failed, an object of its own, and its own errors as they
// are.
//
// Seen failing: src/caller-stacks.ts throws what it caught; it copies errors of the caller's; it copies them without their fields;
// src/errors.ts takes the names from `new.target`.

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import * as errors from "../../../src/errors.ts";
import {
  ConflictError,
  LockTimeoutError,
  open,
  UnavailableError,
  type Grant,
  type Store,
} from "../../../src/index.ts";
import { FaultyBackend, hang, meanwhile } from "../../../src/testing/index.ts";

let faulty: FaultyBackend;
let store: Store;
let other: Store;

beforeEach(() => {
  const memory = new Memory();
  faulty = new FaultyBackend(new MemoryBackend({ memory }));
  store = open(faulty, { operationMs: 100, waitMs: 20 });
  other = open(new MemoryBackend({ memory }));
});
afterEach(async () => {
  await Promise.all([store.close({ drainMs: 0 }), other.close({ drainMs: 0 })]);
});

const state = () => store.state<{ n: unknown }>("x", { initial: () => ({ n: 0 }) });
const fail = async (call: Promise<unknown>): Promise<Error> => {
  const [settled] = await Promise.allSettled([call]);
  if (settled.status === "fulfilled") throw new Error("should have been rejected");
  return settled.reason as Error;
};

describe("the stack names the function that waits for the call", () => {
  const held = () => other.lock("x").acquire();
  const silent = () => Promise.resolve(faulty.always("any", hang()));
  const heldAndSilent = async () => {
    const grant = await store.lock("x").acquire();
    await silent();
    return grant;
  };
  const lost = async () => {
    const grant = await store.lock("x").acquire();
    await other.lock("x").forceRelease();
    return grant;
  };
  const readAll = async (list: AsyncIterable<unknown>) => {
    for await (const entry of list) expect(entry).toBeDefined();
  };

  type Call = (grant: Grant) => unknown;
  const calls: Record<string, Record<string, Call>> = {
    LOCK_TIMEOUT: {
      acquire: () => store.lock("x").acquire(),
      "acquire at once": () => store.lock("x").acquire({ waitMs: 0 }),
      "lock.run": () => store.lock("x").run(() => 1),
      save: () => state().save({ n: 1 }),
      update: () => state().update((draft) => void (draft.n = 1)),
      run: () => state().run(() => 1),
      delete: () => state().delete(),
      "a stateful function": () =>
        store.stateful(
          "x",
          () => ({}),
          () => 1,
        )(),
    },
    CONFLICT: { save: () => state().save({ n: 1 }, { ifRevision: 7 }) },
    SERIALIZATION: {
      save: () => state().save({ n: () => 1 }),
      update: () => state().update((draft) => void (draft.n = () => 1)),
    },
    INVALID_ARGUMENT: {
      update: () => state().update(1 as never),
      close: () => store.close({ drainMs: -1 }),
      "lock()": () => store.lock(""),
    },
    UNREACHABLE: {
      ready: () => store.ready(),
      load: () => state().load(),
      read: () => state().read(),
      save: () => state().save({ n: 1 }),
      trySave: () => state().trySave({ n: 1 }),
      touch: () => state().touch(5_000),
      exists: () => state().exists(),
      take: () => state().take(),
      tryDelete: () => state().tryDelete(),
      tryAcquire: () => store.lock("x").tryAcquire(),
      inspect: () => store.lock("x").inspect(),
      forceRelease: () => store.lock("x").forceRelease(),
      states: () => readAll(store.states()),
      locks: () => readAll(store.locks()),
      release: (grant) => grant.release(),
      asyncDispose: (grant) => grant[Symbol.asyncDispose](),
    },
    LOCK_LOST: {
      "lock.run": () => store.lock("x").run(() => other.lock("x").forceRelease()),
      save: (grant) => state().save({ n: 1 }, { grant }),
      update: (grant) => state().update(() => ({ n: 1 }), { grant }),
    },
  };
  const before = (code: string, what: string): Promise<unknown> => {
    if (code === "LOCK_TIMEOUT") return held();
    if (code === "LOCK_LOST" && what !== "lock.run") return lost();
    if (code !== "UNREACHABLE") return Promise.resolve();
    return /release$|Dispose/.test(what) ? heldAndSilent() : silent();
  };
  const cases = Object.entries(calls).flatMap(([code, of]) =>
    Object.entries(of).map(([what, call]) => ({ code, what, call })),
  );

  test.each(cases)("$code of $what", async ({ code, what, call }) => {
    const made = (await before(code, what)) as Grant;
    async function theUsersFunction(): Promise<void> {
      await call(made);
    }
    const error = await fail(theUsersFunction());
    expect(error).toMatchObject({ code });
    expect(error.stack).toContain(`${error.name}: ${error.message}\n`);
    expect(error.stack).toContain("theUsersFunction");
  });

  test("of a leader, also if the office could not be taken, or the store closes by then", async () => {
    async function theUsersFunction(): Promise<void> {
      await store.leader("x").run(() => undefined);
    }
    const full = new UnavailableError("memory: is full", { code: "OUT_OF_MEMORY", lasting: true });
    faulty.once("writeState", () => Promise.reject(full));
    const refused = await fail(theUsersFunction());
    expect(refused).toMatchObject({ code: "OUT_OF_MEMORY" });
    expect(refused.stack).toContain("theUsersFunction");

    let closed: Promise<void> | undefined;
    faulty.once("writeState", meanwhile({ before: () => void (closed = store.close()) }));
    const ended = await fail(theUsersFunction());
    await closed;
    expect(ended).toMatchObject({ code: "CLOSED", message: expect.stringContaining('leader "x"') as string });
    expect(ended.stack).toContain("theUsersFunction");
  });

  test("each of those who share one failure has an object and a stack of his own", async () => {
    faulty.always("writeState", hang());
    faulty.always("releaseLock", hang());
    async function firstCaller(): Promise<void> {
      await state().update((draft) => void (draft.n = 1));
    }
    async function secondCaller(): Promise<void> {
      await state().update((draft) => void (draft.n = 2));
    }
    const [first, second] = await Promise.all([fail(firstCaller()), fail(secondCaller())]);
    expect(second).not.toBe(first);
    expect([first.stack?.includes("firstCaller"), first.stack?.includes("secondCaller")]).toEqual([
      true,
      false,
    ]);
    expect([second.stack?.includes("firstCaller"), second.stack?.includes("secondCaller")]).toEqual([
      false,
      true,
    ]);
    expect(Object.getOwnPropertyDescriptors(second)).toEqual({
      ...Object.getOwnPropertyDescriptors(first),
      stack: expect.anything() as unknown,
    });
  });
});

test("a copy has all that the error had, and is an error to Node", async () => {
  const failed = await fail(
    store.lock("x").run(async () => {
      await other.lock("x").forceRelease();
      return { sent: true };
    }),
  );
  expect(failed).toBeInstanceOf(errors.LockLostError);
  expect(failed.message).toMatch(
    /ran under the lock "x" \(fence \d+\), which had been lost before its release/,
  );
  expect(failed).toMatchObject({ code: "LOCK_LOST", outcome: "none", result: { sent: true } });
  expect(Object.prototype.toString.call(failed)).toBe("[object Error]");
  expect(structuredClone(failed).message).toBe(failed.message);

  faulty.always("any", hang());
  const unanswered = await fail(state().save({ n: 1 }));
  expect(unanswered).toMatchObject({ code: "UNREACHABLE", outcome: "unknown", lasting: false });
  expect(unanswered.cause).toBeInstanceOf(errors.UnavailableError);
});

describe("what is the caller's own comes through as it is", () => {
  const mine = new LockTimeoutError("mine");

  test("what a function threw", async () => {
    const thrown = () => {
      throw mine;
    };
    expect(await fail(store.lock("x").run(thrown))).toBe(mine);
    expect(await fail(state().update(thrown))).toBe(mine);
    expect(await fail(state().run(async () => Promise.reject(mine)))).toBe(mine);
    expect(await fail(store.lock("x").run(() => state().update(thrown)))).toBe(mine);
    let reason: unknown;
    const lost = state().update(async (_draft, { signal }) => {
      await other.lock("x").forceRelease();
      signal.addEventListener("abort", () => void (reason = signal.reason));
      while (!signal.aborted) await new Promise(setImmediate);
      signal.throwIfAborted();
    });
    expect(await fail(lost)).toBe(reason);
    expect(await fail(store.state("y", { initial: thrown }).load())).toBe(mine);
    expect(await fail(store.state("y", { initial: thrown }).update(() => undefined))).toBe(mine);
  });

  test("what an inner call failed with", async () => {
    await other.lock("inner").acquire();
    let inner: unknown;
    const body = async () => {
      inner = await fail(store.lock("inner").acquire());
      throw inner;
    };
    expect(await fail(store.lock("x").run(body))).toBe(inner);
    expect(await fail(state().update(body))).toBe(inner);
  });

  test.each([mine, new ConflictError("mine"), new Error("mine"), "text", undefined])(
    "the reason of a signal: %s",
    async (reason) => {
      await other.lock("x").acquire();
      const calls = (signal: AbortSignal) => [
        store.lock("x").acquire({ signal, waitMs: Infinity }),
        store.lock("x").tryAcquire({ signal }),
        state().trySave({ n: 1 }, { signal, waitMs: Infinity }),
        state().update(() => undefined, { signal, waitMs: Infinity }),
      ];
      const controller = new AbortController();
      const waiting = calls(controller.signal);
      controller.abort(reason);
      const errors = await Promise.all([...waiting, ...calls(controller.signal)].map(fail));
      for (const error of errors) expect(error).toBe(controller.signal.reason);
    },
  );
});

test("an error of a class of the user's own is handed on as it is: a copy would lack its private fields", async () => {
  class Mine extends UnavailableError {
    readonly #detail = "kept";
    get detail(): string {
      return this.#detail;
    }
  }
  const mine = new Mine("mine", { lasting: true });
  const backend = Object.assign(new MemoryBackend(), { loadState: () => Promise.reject(mine) });
  await using own = open(backend);
  const failed = own.state("x").load();
  await expect(failed).rejects.toBeInstanceOf(Mine);
  await expect(failed).rejects.toMatchObject({ detail: "kept" });
});

test("names are text, not the names of classes that a bundler may have changed", () => {
  const {
    isOfOurs: _isOfOurs,
    isError: _isError,
    brandErrors: _brandErrors,
    sentence: _sentence,
    clause: _clause,
    ...rest
  } = errors;
  const { internalMark: _internalMark, quoted: _quoted, shownId: _shownId, ...classes } = rest;
  for (const [name, made] of Object.entries(classes)) {
    expect(Object.hasOwn(made.prototype, "name")).toBe(true);
    expect((made.prototype as Error).name).toBe(name);
  }
  class Renamed extends LockTimeoutError {}
  expect(new Renamed("late").name).toBe("LockTimeoutError");
  expect(new LockTimeoutError("late").stack).toMatch(/^LockTimeoutError: late\n/);
});
