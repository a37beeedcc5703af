// Mistakes that change no value and throw no error: each is told once, as a warning, and correct code that looks like it is not.
//
// Seen failing: without each of the warnings; with a warning whenever a function changed nothing; with one for each call.

import { AsyncResource } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { runInThisContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { open, type Store, type WarningEvent } from "../../../src/index.ts";
import { assignedName } from "../../../src/updates/lost-assignment.ts";
import { poll } from "../../support/poll.ts";

let store: Store;
let warnings: WarningEvent[] = [];
const listen = (event: unknown): void => void warnings.push(event as WarningEvent);
beforeEach(() => {
  warnings = [];
  subscribe("holdfast:warning", listen);
  store = open("memory:");
});
afterEach(async () => {
  unsubscribe("holdfast:warning", listen);
  await store.close();
});

/** Code that our own linter would refuse. */
const written = runInThisContext as (text: string) => (draft: unknown) => undefined;

describe("a function that assigns to its parameter, and returns nothing", () => {
  test("update of a number", async () => {
    const visits = store.state("visits", { initial: () => 0 });
    for (let call = 0; call < 3; call += 1) {
      await visits.update(written("(n) => { n += 1; }"));
    }
    expect(await visits.load()).toBe(0);
    expect(warnings).toEqual([{ cause: "assigned-parameter", message: expect.any(String) as string }]);
    expect(warnings[0]?.message).toBe(
      'The function that was passed to update() of the state "visits" assigns to its parameter n and returns nothing, ' +
        "so it changed nothing. Return the new value, as in update((n) => n + 1), or change properties of the draft.",
    );
  });

  test("run of an object, async, stored and absent", async () => {
    const one = store.state<{ a: number } | undefined>("one");
    await one.run(written("async (draft) => { draft = { a: 1 }; }"));
    await store.state("two", { initial: () => ({ a: 0 }) }).run(written("(draft) => { draft = { a: 1 }; }"));
    expect(
      warnings.map(({ message }) => /run\(\) of the state "(\w+)".*parameter draft/.exec(message)?.[1]),
    ).toEqual(["one", "two"]);
    expect(warnings[0]?.message).toContain("use update() and return the new value");
  });

  test("a function that decides to change nothing is right (decision 0030)", async () => {
    const state = store.state("right", { initial: () => ({ n: 5 }) });
    const number = store.state("right-number", { initial: () => 5 });
    await number.update((n) => {
      if (n < 5) return n + 1;
      return undefined;
    });
    await number.update((n) => {
      if (n < 5) {
        n += 1;
        return n;
      }
      return undefined;
    });
    await state.run((draft) => {
      draft.n += 0;
    });
    await state.update((draft) => {
      const copy = draft;
      copy.n = 5;
    });
    await state.run((draft) => {
      draft = { n: 1 };
      return draft.n;
    });
    await state.update(({ n }) => {
      expect(n).toBe(5);
    });
    expect(warnings).toEqual([]);
  });

  test.each([
    ["(n) => { n += 1; }", "n"],
    ["n => { n++ }", "n"],
    ["async n => { await x; --n }", "n"],
    ["async (n, { signal }) => { n = await next(signal) }", "n"],
    ["function (n) { n ??= 1; }", "n"],
    ["function add(n) { n **= 2; return; }", "n"],
    ["add(n) { n >>>= 1 }", "n"],
    ["(n = 1) => void (n -= 1)", "n"],
    ["({ count }) => { count += 1; }", "count"],
    ["({ a, b: c }) => { c = 1; }", "c"],
    ["([x, y]) => { y = 1; }", "y"],
    ["($d) => { /* return 1 */ $d = 'return 1'; }", "$d"],
    ["(n) => { n = n + 1 /* (so) */ }", "n"],
    ["(n) => { if (n == 1 || n >= 2 || n === 3) log(n); }", undefined],
    ["(n) => { list.push((m) => m); s.n = 1; s.n += 1; }", undefined],
    ["(n) => { { let n = 1; log(n); } }", undefined],
    ["(n) => { if (a) return n + 1; n = 2; }", undefined],
    ["(draft) => { draft.a = 1; draft[0] = 2; ++draft.b; }", undefined],
    ["(d) => { const text = `d = 1`; }", undefined],
    ["() => { n = 1; }", undefined],
    ["function () { [native code] }", undefined],
    ["(...all) => { all = 1; }", undefined],
    ["class {}", undefined],
    ["(d) => { d = d.filter(Boolean); }", "d"],
    ["(d) => { while (d.next) d = d.next; d.last = true; }", undefined],
    ["(d) => { all.forEach(function (d) { d += 1; }); }", undefined],
    ["(d) => { const add = (d) => { d += 1; }; }", undefined],
    ["(d) => { for (let i = 0, d = 1; d < 3; d++) log(i); }", undefined],
    ["(d) => { try { log(); } catch (d) { d = 1; } }", undefined],
    ["({ list }) => { list = list ?? []; list.push(1); }", undefined],
    ["(n) => { log(/n = 1/.test(text)); }", undefined],
    ["(d) => { ++d?.count; }", undefined],
  ])("%s: %s", (text, name) => {
    expect(assignedName(text)).toBe(name);
  });
});

test("a time to live in seconds: once", () => {
  store.state("a", { ttlMs: 60 });
  store.state("b", { ttlMs: 60 });
  store.state("c", { ttlMs: { whenNew: 86_400 } });
  expect(warnings).toEqual([{ cause: "short-ttl", message: expect.any(String) as string }]);
  expect(warnings[0]?.message).toMatch(
    /^ttlMs is 60: that is 60 milliseconds \(0\.06 s\)\. .* write 60 \* 1000/,
  );
});

describe("work that outlives lock.run", () => {
  async function outlive(id: string, call: () => Promise<unknown>): Promise<unknown> {
    let resolve = (): void => undefined;
    const promise = new Promise<void>((over) => (resolve = over));
    let work: Promise<unknown> | undefined;
    await store.lock(id).run(() => {
      work = promise.then(call).catch((error: unknown) => error);
    });
    resolve();
    return work;
  }

  test("a call for another id: a warning, once for each lock", async () => {
    await outlive("order", () => store.state("stock").update(() => 1));
    await outlive("order", () => store.lock("other").run(() => 1));
    await outlive("shared", () => store.lock("other").run(() => 1, { shared: true }));
    expect(warnings.map(({ cause }) => cause)).toEqual(["outlived-run", "outlived-run"]);
    expect(warnings[0]?.message).toMatch(
      /^A call for the lock "stock" comes from work that run\(\) of the lock "order" began, and that has outlived it: .*\. Await all promises/,
    );
  });

  test("the same for calls of other kinds, and for many at once", async () => {
    const calls: Record<string, [says: string, call: () => Promise<unknown>]> = {
      saveMany: ['"stock"', () => store.saveMany([{ id: "stock", value: 1 }])],
      deleteMany: ['"stock"', () => store.deleteMany(["stock"])],
      transact: ['"stock"', () => store.transact([store.state("stock")], () => undefined)],
      once: ['of once "mail"', () => store.once("mail", { keepMs: 60_000 }).run(() => undefined)],
      semaphore: ['of semaphore "gpu"', () => store.semaphore("gpu", { permits: 1 }).run(() => undefined)],
    };
    for (const [kind, [says, call]] of Object.entries(calls)) {
      await outlive(`before ${kind}`, call);
      expect(warnings.pop()?.message).toMatch(`A call for the lock ${says} comes from`);
    }
  });

  test("a call that a timer or a listener makes, or one that comes much later: nothing", async () => {
    const calls: Promise<unknown>[] = [];
    const emitter = new EventEmitter();
    const call = (): void => void calls.push(store.lock("elsewhere").run(() => 1));
    await store.lock("setup").run(() => {
      emitter.on("message", AsyncResource.bind(call));
      setTimeout(call, 1);
    });
    emitter.emit("message");
    await poll(() => calls.length).toBe(2);
    await Promise.all(calls);
    expect(warnings).toEqual([]);

    const leaseMs = 100;
    let later: Promise<unknown> | undefined;
    await store.lock("short").run(
      () => {
        later = pause(2 * leaseMs).then(() => store.lock("elsewhere").run(() => 1));
      },
      { leaseMs },
    );
    await later;
    expect(warnings).toEqual([]);
  });

  test("a call that continues after a timer: a warning", async () => {
    let work: Promise<unknown> | undefined;
    await store.lock("continued").run(() => {
      work = pause(1).then(() => store.lock("elsewhere").run(() => 1));
    });
    await work;
    expect(warnings).toMatchObject([{ cause: "outlived-run" }]);
  });

  test("[S4] a write of the guarded state: an error that says so", async () => {
    const error = await outlive("guarded", () => store.state("guarded").save(1));
    expect(error).toMatchObject({ code: "LOCK_LOST" });
    expect((error as Error).message).toMatch(
      /^The lock "guarded" \(fence \d+\) .*work that has outlived .*Await all/,
    );
    expect(await store.state("guarded").load()).toBeUndefined();
    const told = expect.stringContaining("comes from work that has outlived") as string;
    const results = await outlive("guarded", () => store.saveMany([{ id: "guarded", value: 1 }]));
    expect(results).toMatchObject([{ error: { code: "LOCK_LOST", message: told } }]);
    const both = [store.state("guarded"), store.state("other")] as const;
    const transacted = await outlive("guarded", () => store.transact(both, () => undefined));
    expect(transacted).toMatchObject({ code: "LOCK_LOST", message: told });
    expect(await store.state("guarded").load()).toBeUndefined();
  });

  test("a loop that takes its own lock again, awaited work, and what a draft function began: nothing", async () => {
    await outlive("tick", () => store.lock("tick").run(() => 1));
    await store.lock("outer").run(async () => {
      await store.lock("inner").run(() => 1);
      await store.state("after").save(1);
    });
    let work: Promise<unknown> | undefined;
    await store.state("draft").update(() => {
      work = Promise.resolve().then(() => store.state("log").save(1));
      return 1;
    });
    await work;
    expect(warnings).toEqual([]);
  });
});
