// The tracing channels on every backend: which events come, in which order, with what, and in which async context.

import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { traces } from "../../../src/diagnostics/traces.ts";
import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { record } from "./recorder.ts";

const memory = async (): Promise<Served> =>
  Promise.resolve({ url: "memory:", end: async () => {} } as Served);
const kinds = { memory, ...served };
const inOrder = ["start", "end", "asyncStart", "asyncEnd"];
const eventsOf = (channel: string): string[] => inOrder.map((phase) => `${channel} ${phase}`);

for (const [name, create] of Object.entries(kinds)) {
  describe(name, () => {
    let backend: Served;
    let stores: Store[] = [];
    const opened = (options?: OpenOptions): Store => {
      const store = open(backend.url, options);
      stores.push(store);
      return store;
    };
    beforeAll(async () => {
      backend = await create();
    });
    afterEach(async () => {
      await Promise.all(stores.map((store) => store.close({ drainMs: 0 })));
      stores = [];
    });
    afterAll(() => backend.end());

    test("a run under a lock is traced from its call to its release", async () => {
      const store = opened();
      using recorder = record(["acquire", "hold"]);
      let fence = 0;
      const done = store.lock("x").run((grant) => {
        fence = grant.fence;
        expect(recorder.names("hold")).toEqual(["hold start"]);
      });
      expect(recorder.names("acquire")).toEqual(["acquire start", "acquire end"]);
      await done;
      expect(recorder.names("acquire")).toEqual(eventsOf("acquire"));
      expect(recorder.names("hold")).toEqual(eventsOf("hold"));
      const [acquired] = recorder.ended("acquire");
      expect(acquired).toEqual({
        kind: "lock",
        ids: ["x"],
        weight: undefined,
        outcome: "granted",
        waitedMs: expect.any(Number) as number,
        fences: [fence],
        nested: false,
      });
      expect(recorder.ended("hold")).toEqual([
        { kind: "lock", ids: ["x"], fences: [fence], outcome: "released" },
      ]);
    });

    test("each event comes in the context of its caller, and the body is in the bound store", async () => {
      const request = new AsyncLocalStorage<string>();
      const span = new AsyncLocalStorage<unknown>();
      const bound = [tracingChannel("holdfast:hold").start, tracingChannel("holdfast:update").start];
      for (const start of bound) start.bindStore(span, (trace) => trace);
      try {
        const store = opened();
        const counter = store.state("n", { initial: () => 0 });
        using recorder = record(["acquire", "hold", "update"], () => request.getStore());
        const inside: unknown[] = [];
        const call = (who: string): Promise<unknown> =>
          request.run(who, async () => {
            await store.lock("x").run(() => void inside.push(span.getStore()));
            await using grant = await store.lock("y").acquire();
            await counter.update((n) => {
              inside.push(span.getStore());
              return n + grant.fence;
            });
          });
        await Promise.all(["a", "b", "c"].map(call));
        expect(inside).toHaveLength(6);
        for (const trace of inside) expect(trace).toMatchObject({ kind: expect.any(String) as string });
        expect(new Set(inside).size).toBe(6);
        const contexts = new Map<unknown, Set<unknown>>();
        for (const { trace, context } of recorder.all)
          contexts.set(trace, (contexts.get(trace) ?? new Set()).add(context));
        expect(contexts.size).toBe(15);
        for (const seen of contexts.values()) expect(seen.size).toBe(1);
        const callers = [...contexts.values()].flatMap((seen) => [...seen]);
        expect(callers.filter((who) => who === "b")).toHaveLength(5);
      } finally {
        for (const start of bound) start.unbindStore(span);
      }
    });

    test("updates that are saved together share one save", async () => {
      const store = opened();
      const counter = store.state("shared", { initial: () => 0 });
      using recorder = record(["update", "save"]);
      const failing = counter.update(() => {
        throw new Error("no");
      });
      const all = [...Array.from({ length: 20 }, () => counter.update((n) => n + 1)), failing];
      await Promise.allSettled(all);
      const updates = recorder.ended("update");
      const good = updates.filter(({ outcome }) => outcome === "saved");
      expect(good).toHaveLength(20);
      expect(updates.filter(({ outcome }) => outcome === "failed")).toHaveLength(1);
      const saves = recorder.ended("save");
      expect(new Set(good.map(({ save }) => save))).toEqual(new Set(saves));
      expect(saves.reduce((sum, { size }) => sum + Number(size), 0)).toBe(20);
      expect(saves.length).toBeLessThan(10);
      expect(saves.flatMap(({ updates: callers }) => callers as unknown[])).toEqual(good);
      await counter.update((n) => n);
      expect(recorder.ended("update").at(-1)).toMatchObject({ outcome: "unchanged", kind: "update" });
    });

    test("calls of the backend are traced, each attempt by itself", async () => {
      const store = opened();
      using recorder = record(["call"]);
      await store.state<number>("called").save(1);
      await store.state("called").load();
      expect(recorder.ended("call")).toEqual([
        { doing: "Writing the state", ids: ["called"], attempt: 1, outcome: "answered" },
        { doing: "Loading the state", ids: ["called"], attempt: 1, outcome: "answered" },
      ]);
    });

    test("every kind of lock and of change has its name, and the ids that callers know", async () => {
      const store = opened();
      using recorder = record(["acquire", "hold", "update"]);
      await store.lock("l").run(() => store.lock("l").run(() => undefined));
      await store.lock("s").run(() => undefined, { shared: true });
      await store.lockAll(["b", "a"]).run(() => undefined);
      await store.semaphore("gpu", { permits: 4 }).run(() => undefined, { weight: 3 });
      await store.leader("office").run(() => undefined);
      const state = store.state("st", { initial: () => ({ n: 0 }) });
      await state.run((draft) => void (draft.n += 1));
      await state.save({ n: 5 });
      await state.delete();
      await store.transact([state], ([draft]) => void (draft.n += 1));
      await store.once("mail", { keepMs: 60_000 }).run(() => "sent");
      const brief = (channel: "acquire" | "hold" | "update"): unknown[] =>
        recorder
          .ended(channel)
          .map(({ kind, ids, outcome }) => `${kind ?? ""} ${String(ids)} ${outcome ?? ""}`);
      expect(brief("acquire")).toEqual([
        "lock l granted",
        "lock l granted",
        "shared s granted",
        "locks a,b granted",
        "semaphore gpu granted",
        "leader office granted",
      ]);
      expect(brief("hold")).toEqual([
        "lock l released",
        "shared s released",
        "locks a,b released",
        "semaphore gpu released",
        "leader office released",
      ]);
      expect(brief("update")).toEqual([
        "run st saved",
        "save st saved",
        "delete st saved",
        "transact st saved",
        "once mail saved",
      ]);
    });
  });
}

test("without a subscriber, nothing is built or published", async () => {
  const resources: string[] = [];
  const hook = createHook({ init: (_, type) => void resources.push(type) }).enable();
  const channels = Object.values(traces).flatMap(({ start, end, asyncStart, asyncEnd, error }) => [
    start,
    end,
    asyncStart,
    asyncEnd,
    error,
  ]);
  const spies = channels.flatMap((one) => [vi.spyOn(one, "publish"), vi.spyOn(one, "runStores")]);
  const store = open("memory:");
  try {
    await store.lock("x").run(() => undefined);
    await (await store.lock("x").acquire()).release();
    await store.lockAll(["x", "y"]).run(() => undefined);
    await store.semaphore("s", { permits: 1 }).run(() => undefined);
    await store.leader("l").run(() => undefined);
    const state = store.state("n", { initial: () => ({ n: 0 }) });
    await state.update((draft) => void (draft.n += 1));
    await state.save({ n: 2 });
    await store.transact([state], ([draft]) => void (draft.n += 1));
    await store.once("o", { keepMs: 1_000 }).run(() => 1);
    await store.close();
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    expect(resources).toContain("HoldfastChange");
    expect(resources).not.toContain("HoldfastHold");
  } finally {
    hook.disable();
    vi.restoreAllMocks();
  }
});
