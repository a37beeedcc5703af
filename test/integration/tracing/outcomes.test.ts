// How traced calls end: each outcome, with the error of the call, and no error where nothing has failed.

import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, expect, test } from "vitest";

import { Memory, MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { failBefore, FaultyBackend } from "../../../src/testing/index.ts";
import { poll } from "../../support/poll.ts";
import { record, type ChannelName, type Recorder } from "./recorder.ts";

const stores: Store[] = [];
let recorder: Recorder | undefined;

function recording(...channels: ChannelName[]): Recorder {
  return (recorder = record(channels));
}

function opened(options?: OpenOptions, memory?: Memory): Store {
  const store = open(new MemoryBackend({ memory }), options);
  stores.push(store);
  return store;
}

afterEach(async () => {
  recorder?.[Symbol.dispose]();
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});

const codeOf = ({ error }: Readonly<Record<string, unknown>>): unknown =>
  (error as { code?: string } | undefined)?.code;

test("acquire: busy is no failure; timeout, aborted, closed and refused are", async () => {
  const [holder, store] = ((memory) => [opened({}, memory), opened({}, memory)])(new Memory());
  await holder.lock("x").acquire();
  const seen = recording("acquire");
  expect(await store.lock("x").tryAcquire()).toBeNull();
  expect(seen.ended("acquire")).toMatchObject([{ outcome: "busy" }]);
  expect(seen.ended("acquire")[0]).not.toHaveProperty("error");
  expect(seen.names("acquire")).not.toContain("acquire error");

  await expect(store.lock("x").acquire({ waitMs: 30 })).rejects.toThrow("x");
  expect(seen.ended("acquire")[1]).toMatchObject({ outcome: "timeout", ids: ["x"] });
  expect(seen.ended("acquire")[1]?.["waitedMs"]).toBeGreaterThanOrEqual(29);
  expect(codeOf(seen.ended("acquire")[1] ?? {})).toBe("LOCK_TIMEOUT");
  expect(seen.names("acquire").slice(-3)).toEqual([
    "acquire error",
    "acquire asyncStart",
    "acquire asyncEnd",
  ]);

  const stop = new AbortController();
  const aborted = store.lock("x").acquire({ signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(seen.ended("acquire")[2]).toMatchObject({ outcome: "aborted", error: new Error("enough") });

  await store.lock("s").run(() => expect(store.lock("s").acquire()).rejects.toThrow(), { shared: true });
  expect(seen.ended("acquire").map(({ outcome }) => outcome)).toContain("refused");

  const waiting = store.lock("x").acquire();
  await store.close();
  await expect(waiting).rejects.toThrow("closing");
  expect(seen.ended("acquire").at(-1)).toMatchObject({ outcome: "closed" });
});

test("acquire: deadlock", async () => {
  const store = opened();
  const seen = recording("acquire");
  const both = (first: string, second: string, other: () => Promise<unknown>): Promise<unknown> =>
    store.lock(first).run(async () => {
      await other();
      await store.lock(second).run(() => undefined);
    });
  let arrived = 0;
  const together = async (): Promise<void> => {
    arrived += 1;
    await poll(() => arrived).toBe(2);
  };
  await Promise.allSettled([both("a", "b", together), both("b", "a", together)]);
  expect(seen.ended("acquire").map(({ outcome }) => outcome)).toContain("deadlock");
});

test("hold: a loss is told in the context of the holder, and ends the hold once", async () => {
  const memory = new Memory();
  const [store, other] = [opened({}, memory), opened({}, memory)];
  const request = new AsyncLocalStorage<string>();
  const seen = (recorder = record(["hold"], () => request.getStore()));
  const grant = await request.run("holder", () => store.lock("x").acquire());
  await other.lock("x").forceRelease();
  await poll(() => grant.signal.aborted).toBe(true);
  expect(await grant.release()).toBe(false);
  expect(seen.names("hold")).toEqual(
    ["start", "end", "error", "asyncStart", "asyncEnd"].map((e) => `hold ${e}`),
  );
  expect(seen.ended("hold")).toMatchObject([{ outcome: "lost", fences: [grant.fence] }]);
  expect(codeOf(seen.ended("hold")[0] ?? {})).toBe("LOCK_LOST");
  expect(new Set(seen.all.map(({ context }) => context))).toEqual(new Set(["holder"]));
});

test("hold: of several locks, one of which is lost; of a store that closes", async () => {
  const memory = new Memory();
  const [store, other] = [opened({}, memory), opened({}, memory)];
  const seen = recording("hold");
  const set = await store.lockAll(["a", "b"]).acquire();
  await other.lock("b").forceRelease();
  await poll(() => set.signal.aborted).toBe(true);
  await set.release();
  await store.lock("c").acquire();
  await store.close({ drainMs: 0 });
  expect(seen.ended("hold")).toMatchObject([
    { outcome: "lost", ids: ["a", "b"] },
    { outcome: "released", ids: ["c"] }, // by close()
  ]);
});

test("hold and call: a release without an answer, and the attempts that failed", async () => {
  const backend = new FaultyBackend(new MemoryBackend());
  const store = open(backend, { operationMs: 60 });
  stores.push(store);
  const grant = await store.lock("x").acquire();
  await grant.release();
  const seen = recording("hold", "call");
  const next = await store.lock("x").acquire();
  backend.always("releaseLock", failBefore());
  await expect(next.release()).rejects.toThrow("Releasing");
  expect(seen.ended("hold")).toMatchObject([{ outcome: "unavailable" }]);
  const releases = seen.ended("call").filter(({ doing }) => String(doing).startsWith("Releasing"));
  expect(releases.length).toBeGreaterThan(2);
  expect(releases.map(({ attempt }) => attempt)).toEqual(releases.map((_, index) => index + 1));
  expect(new Set(releases.map(({ outcome }) => outcome))).toEqual(new Set(["unavailable"]));
});

test("update: each way to fail, with the error that the caller gets", async () => {
  const store = opened({ waitMs: 30 });
  const state = store.state("n", { initial: () => 0 });
  const seen = recording("update");
  const last = () => seen.ended("update").at(-1) ?? {};
  const own = new Error("own");
  await expect(
    state.update(() => {
      throw own;
    }),
  ).rejects.toBe(own);
  expect(last()).toMatchObject({ outcome: "failed", error: own, kind: "update" });

  await state.save(1);
  await expect(state.save(2, { ifRevision: "absent" })).rejects.toThrow();
  expect(last()).toMatchObject({ outcome: "conflict", kind: "save" });

  await expect(state.update(() => Symbol("no") as unknown as number)).rejects.toThrow();
  expect(last()).toMatchObject({ outcome: "refused" });

  const held = await store.lock("n").acquire();
  await expect(state.update((n) => n + 1)).rejects.toThrow();
  expect(last()).toMatchObject({ outcome: "timeout" });
  expect(codeOf(last())).toBe("LOCK_TIMEOUT");
  await state.update((n) => n + 1, { grant: held });
  expect(last()).toMatchObject({ outcome: "saved", fences: [held.fence] });
  await held.release();

  await store.transact([state], () => undefined);
  expect(last()).toMatchObject({ outcome: "unchanged", kind: "transact" });
  const once = store.once("k", { keepMs: 60_000, errors: "remember" });
  const attempt = () =>
    once.run(() => {
      throw own;
    });
  await expect(attempt()).rejects.toThrow("own");
  expect(last()).toMatchObject({ outcome: "failed", kind: "once" });
});

test("a subscriber that throws does not change what the caller gets", async () => {
  const store = opened();
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", note);
  const { traces } = await import("../../../src/diagnostics/traces.ts");
  const broken = (): void => {
    throw new Error("subscriber");
  };
  traces.acquire.start.subscribe(broken);
  traces.hold.asyncEnd.subscribe(broken);
  try {
    expect(await store.lock("x").run(() => "done")).toBe("done");
    await poll(() => errors.length).toBe(2);
  } finally {
    traces.acquire.start.unsubscribe(broken);
    traces.hold.asyncEnd.unsubscribe(broken);
    process.removeAllListeners("uncaughtException");
    for (const listener of others) process.on("uncaughtException", listener);
  }
});
