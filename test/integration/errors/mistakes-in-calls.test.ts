// The usual mistakes in calls, and what is told: the code, what is wrong, and what to do. docs/guide.md has the table of them.
// Mistakes in targets and servers: mistakes-in-targets.test.ts.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { runInThisContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";

import { open, type HoldfastError, type Store, type WarningEvent } from "../../../src/index.ts";
import { FaultyBackend, Memory, MemoryBackend } from "../../../src/testing/index.ts";

const memory = new Memory();
const backend = new FaultyBackend(new MemoryBackend({ memory }));
let store: Store;
let warnings: WarningEvent[] = [];
const listen = (event: unknown): void => void warnings.push(event as WarningEvent);
beforeAll(() => {
  subscribe("holdfast:warning", listen);
  store = open(backend, { waitMs: 30, maxStateBytes: 1_000 });
});
afterAll(async () => {
  unsubscribe("holdfast:warning", listen);
  await store.close({ drainMs: 0 });
});

type Anything = (...given: readonly unknown[]) => unknown;
type Handle = Readonly<Record<"tryAcquire" | "run" | "update" | "save", Anything>>;
/** As a program in JavaScript may call it. */
const js = () =>
  store as unknown as Readonly<
    Record<"lock" | "state" | "lockAll" | "once", (...given: readonly unknown[]) => Handle>
  >;
/** A function that our own linter would refuse. */
const written = runInThisContext as (text: string) => () => undefined;
const nothing = (): undefined => undefined;
const object = (id: string) => store.state<unknown>(id, { initial: () => ({ n: 0 }) });
const saved = (value: unknown) => store.state<unknown>("a value").save({ list: [value] });

interface Told {
  readonly make: () => unknown;
  /** Of the error, or the cause of the warning. */
  readonly code: string;
  readonly says: RegExp;
}

const mistakes: Record<string, Told> = {
  "an id that is a number": {
    make: () => js().lock(7),
    code: "INVALID_ARGUMENT",
    says: /^A lock's id must be a string; got 7/,
  },
  "leaseMs in seconds": {
    make: () => store.lock("x", { leaseMs: 30 }),
    code: "INVALID_ARGUMENT",
    says: /leaseMs must be a whole number of milliseconds from 100 to 86400000; got 30/,
  },
  "ttlMs in seconds": { make: () => store.state("x", { ttlMs: 60 }), code: "short-ttl", says: /60 \* 1000/ },
  "an option that does not exist": {
    make: () => js().lock("x", { timeout: 5 }),
    code: "INVALID_ARGUMENT",
    says: /lock\(\).*timeout/,
  },
  "an option of another call": {
    make: () => js().lock("x").tryAcquire({ waitMs: 5 }),
    code: "INVALID_ARGUMENT",
    says: /tryAcquire\(\).*waitMs/,
  },
  "options and function swapped in run()": {
    make: () => js().lock("x").run({ waitMs: 5 }, nothing),
    code: "INVALID_ARGUMENT",
    says: /run\(\) takes a function to run under the lock, and then its options: run\(fn, options\)/,
  },
  "initial as a value": {
    make: () => js().state("x", { initial: 0 }),
    code: "INVALID_ARGUMENT",
    says: /initial must be a function that returns a new value; got 0/,
  },
  "initial as an async function": {
    make: () =>
      js()
        .state("x-async", { initial: async () => 1 })
        .update(nothing),
    code: "SERIALIZATION",
    says: /Promise/,
  },
  "an update that returns nothing for a number": {
    make: () => store.state("visits", { initial: () => 0 }).update(written("(n) => { n += 1; }")),
    code: "assigned-parameter",
    says: /update\(\) of the state "visits" assigns to its parameter n .*Return the new value/,
  },
  "an assignment to the parameter of run()": {
    make: () => object("draft").run(written("(draft) => { draft = { n: 1 }; }")),
    code: "assigned-parameter",
    says: /run\(\) of the state "draft" assigns to its parameter draft .*Change properties/,
  },
  "run() on a number": {
    make: () =>
      js()
        .state("number", { initial: () => 1 })
        .run(nothing),
    code: "INVALID_ARGUMENT",
    says: /run\(\) is for objects.*this state is a number\. Use update\(\)/,
  },
  "run() on null": {
    make: () =>
      js()
        .state("null", { initial: () => null })
        .run(nothing),
    code: "INVALID_ARGUMENT",
    says: /this state is null\. Use update\(\)/,
  },
  "a draft that is changed and another value returned": {
    make: () =>
      object("both").update((draft) => ({
        ...(draft as { n: number }),
        n: ((draft as { n: number }).n = 2) + 1,
      })),
    code: "INVALID_ARGUMENT",
    says: /changed the draft and also returned a different value/,
  },
  "the state is saved inside its own update": {
    make: () => object("inside").update(async () => (await object("inside").save({ n: 2 }), undefined)),
    code: "INVALID_ARGUMENT",
    says: /save\(\) of "inside" inside a function that is changing the same state: change the draft instead/,
  },
  "a grant that was released": {
    make: async () => {
      const grant = await store.lock("released").acquire();
      await grant.release();
      await store.state("released").save(1, { grant });
    },
    code: "LOCK_LOST",
    says: /"released" \(fence \d+\) is no longer held: it was released before.*Acquire the lock again/,
  },
  "a promise for a grant: missing await": {
    make: () =>
      js()
        .state("x")
        .save(1, { grant: store.lock("not-awaited").acquire() }),
    code: "INVALID_ARGUMENT",
    says: /got a Promise\. Await it/,
  },
  "the grant of another lock": {
    make: async () => {
      await using grant = await store.lock("one-lock").acquire();
      await store.state("another-state").save(1, { grant });
    },
    code: "INVALID_ARGUMENT",
    says: /"one-lock".*"another-state"|"another-state".*"one-lock"/,
  },
  "a body that is not awaited": {
    make: async () => {
      let work: Promise<unknown> = Promise.resolve();
      let go = nothing as () => void;
      const later = new Promise<void>((resolve) => (go = resolve));
      await store.lock("floating").run(() => void (work = later.then(() => store.state("log").save(1))));
      go();
      await work;
    },
    code: "outlived-run",
    says: /work that run\(\) of the lock "floating" began.*Await all promises/,
  },
  "the guarded state is written by a body that is not awaited": {
    make: async () => {
      let work: Promise<unknown> = Promise.resolve();
      let go = nothing as () => void;
      const later = new Promise<void>((resolve) => (go = resolve));
      await store.lock("late").run(() => void (work = later.then(() => store.state("late").save(1))));
      go();
      await work;
    },
    code: "LOCK_LOST",
    says: /"late" .*work that has outlived the function of run\(\).*Await all promises/,
  },
  "a release that was forgotten": {
    make: async () => {
      await store.lock("forgotten").acquire();
      await store.lock("forgotten").run(nothing);
    },
    code: "LOCK_TIMEOUT",
    says: /"forgotten".*held by this store in this process, for .*call from inside lock\.run\(fn\) or pass \{ grant \}/,
  },
  "nested locks in opposite orders": {
    make: async () => {
      const [one, two] = [store.lock("order-1"), store.lock("order-2")];
      let entered = nothing as () => void;
      const both = new Promise<void>((resolve) => (entered = resolve));
      let inside = 0;
      const meet = (): Promise<void> => (++inside === 2 && entered(), both);
      const waits = { waitMs: 5_000 };
      const calls = await Promise.allSettled([
        one.run(async () => (await meet(), two.run(nothing, waits))),
        two.run(async () => (await meet(), one.run(nothing, waits))),
      ]);
      for (const call of calls) if (call.status === "rejected") throw call.reason;
    },
    code: "DEADLOCK",
    says: /"order-\d".*"order-\d".*with lockAll\(\), or everywhere in the same order/,
  },
  "exclusive while shared": {
    make: () => store.lock("up").run(() => store.lock("up").acquire(), { shared: true }),
    code: "INVALID_ARGUMENT",
    says: /"up" is held by this caller as a shared one.*Release it first/,
  },
  "lockAll without an array": {
    make: () => js().lockAll("a", "b"),
    code: "INVALID_ARGUMENT",
    says: /lockAll\(\).*(array|options|object)/,
  },
  "a semaphore with another number of permits": {
    make: async () => {
      await store.semaphore("gpu", { permits: 2 }).acquire();
      await store.semaphore("gpu", { permits: 3 }).acquire();
    },
    code: "INVALID_ARGUMENT",
    says: /"gpu".*\b2\b.*\b3\b|"gpu".*\b3\b.*\b2\b/,
  },
  "once without keepMs": { make: () => js().once("mail"), code: "INVALID_ARGUMENT", says: /keepMs/ },
  "a store that was closed": {
    make: async () => {
      const closed = open("memory:");
      await closed.close();
      await closed.lock("x").acquire();
    },
    code: "CLOSED",
    says: /The store is closed: open a new one/,
  },
  "a Date": { make: () => saved(new Date(0)), code: "SERIALIZATION", says: /"a value".*list\[0\].*Date/ },
  "a Map": { make: () => saved(new Map()), code: "SERIALIZATION", says: /"a value".*list\[0\].*Map/ },
  "an instance of a class": {
    make: () =>
      saved(
        new (class Money {
          cents = 5;
        })(),
      ),
    code: "SERIALIZATION",
    says: /list\[0\].*Money/,
  },
  "a function": { make: () => saved(nothing), code: "SERIALIZATION", says: /list\[0\].*function/ },
  "a BigInt": { make: () => saved(1n), code: "SERIALIZATION", says: /list\[0\].*(BigInt|bigint)/ },
  "undefined in an array": {
    make: () => saved(undefined),
    code: "SERIALIZATION",
    says: /list\[0\].*undefined.*null/,
  },
  "a cycle": {
    make: () => {
      const loop: unknown[] = [];
      loop.push(loop);
      return saved(loop);
    },
    code: "SERIALIZATION",
    says: /list\[0\].*(contains itself|circular|cycle)/i,
  },
  "too large a value": {
    make: () => saved("x".repeat(2_000)),
    code: "SERIALIZATION",
    says: /"a value" takes \d+ bytes, more than maxStateBytes \(1000\)\. Split it .* or raise maxStateBytes/,
  },
  "another serializer": {
    make: async () => {
      await store.state("pickled", { serializer: "pickle" }).save(1);
      await store.state("pickled").load();
    },
    code: "CORRUPT_STATE",
    says: /"pickled".*written by the serializer "pickle", and this handle uses "json"\. Use that serializer here, or/,
  },
  "a revision that is not the stored one": {
    make: () => store.state("moved").save(1, { ifRevision: 7 }),
    code: "CONFLICT",
    says: /"moved" was not written: you asked for revision 7, and it is absent/,
  },
  "a draft that is used after the call": {
    make: async () => {
      let kept: { n: number } | undefined;
      await object("kept").save({ n: 0 });
      await object("kept").run((draft) => void (kept = draft as { n: number }));
      if (kept !== undefined) kept.n = 9; // tells nothing: it is the caller's own copy, and changes nothing
      expect(await object("kept").load()).toEqual({ n: 0 });
      await object("kept").save(kept, { ifRevision: "absent" });
    },
    code: "CONFLICT",
    says: /"kept" was not written/,
  },
};

test.each(Object.entries(mistakes))("%s", async (_, { make, code, says }) => {
  warnings = [];
  const error = await (async () => make())().then(nothing, (reason: unknown) => reason as HoldfastError);
  const [warning] = warnings;
  const told = error ?? { code: warning?.cause, message: warning?.message };
  expect(told.code, String(told.message)).toBe(code);
  expect(told.message).toMatch(says);
});
