/** `store.once()`: one call of the function is completed and remembered, and every caller gets its result [O1]. */
import { strict as assert } from "node:assert";
import { internalId } from "../../names.ts";
import type { OnceAttempt } from "../../updates/once-changes.ts";
import { deferred, eventually, pause, rejectsWith, stillPending } from "../assertions.ts";
import { meanwhile } from "../faults.ts";
import { proof, type Case } from "../suite.ts";

export const keepMs = 60_000;

/** A function that tells when it is called, and returns when it may. */
export function slow(): {
  readonly fn: (attempt: OnceAttempt) => Promise<{ attempt: number }>;
  readonly called: Promise<OnceAttempt>;
  readonly end: () => void;
} {
  const [called, end] = [deferred<OnceAttempt>(), deferred()];
  const fn = async (attempt: OnceAttempt): Promise<{ attempt: number }> => {
    called.resolve(attempt);
    await end.promise;
    return { attempt: attempt.attempt };
  };
  return { fn, called: called.promise, end: end.resolve };
}

export const neverCalled = (): never => {
  throw new Error("must not be called");
};

export const onceCases: readonly Case[] = [
  proof("[O1] a function runs once; later callers get a copy of its result, by one read", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const id = fixture.id();
    const first = await store.once(id, { keepMs }).run(() => ({ items: ["a"] }));
    const calls = faults.calls.map(({ method }) => method);
    assert.deepEqual(calls, ["loadState", "acquireLock", "writeState", "releaseLock"]);
    assert.deepEqual(first, { items: ["a"] });
    faults.calls.length = 0;
    const again = await store.once(id, { keepMs }).run(neverCalled);
    assert.deepEqual(again, first);
    assert.notEqual(again, first);
    assert.deepEqual(
      faults.calls.map(({ method }) => method),
      ["loadState"],
    );
    const other = await fixture.store();
    assert.deepEqual(await other.once(id, { keepMs }).run(neverCalled), first);
    assert.deepEqual(await other.once(id, { keepMs }).peek(), { value: first });
  }),
  proof("[O1] undefined, null and false are results", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    for (const value of [undefined, null, false, 0, ""]) {
      const id = fixture.id();
      assert.equal(await store.once(id, { keepMs }).run(() => value), value);
      assert.equal(await other.once(id, { keepMs }).run(neverCalled), value);
      assert.deepEqual(await other.once(id, { keepMs }).peek(), { value });
      assert.deepEqual(await other.once(id, { keepMs }).tryRun(neverCalled), { ran: false, value });
    }
    assert.equal(await store.once(fixture.id(), { keepMs }).peek(), null);
  }),
  proof("[O1] a waiting caller gets the result with its grant, and loads nothing", async (fixture) => {
    const [{ store, faults }, runner, id] = [
      await fixture.faultyStore(),
      await fixture.store(),
      fixture.id(),
    ];
    const { fn, called, end } = slow();
    const running = runner.once(id, { keepMs }).run(fn);
    await called;
    const waiting = store.once(id, { keepMs }).run(neverCalled);
    await stillPending(waiting);
    end();
    assert.deepEqual(await running, { attempt: 1 });
    assert.deepEqual(await waiting, { attempt: 1 });
    const of = (method: string): number => faults.calls.filter((call) => call.method === method).length;
    assert.deepEqual([of("loadState"), of("writeState"), of("releaseLock")], [1, 0, 1]);
  }),
  proof("[O1] many callers of several stores: one call, equal results, few calls", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const [others, id] = [await fixture.stores(2), fixture.id()];
    let runs = 0;
    const call = async (): Promise<{ run: number }> => {
      runs += 1;
      await pause(20);
      return { run: runs };
    };
    const callers = [store, ...others].flatMap((each) =>
      Array.from({ length: 200 }, () => each.once(id, { keepMs, waitMs: 60_000 }).run(call)),
    );
    const results = await Promise.all(callers);
    assert.equal(runs, 1);
    assert.deepEqual(
      results,
      results.map(() => ({ run: 1 })),
    );
    assert.equal(new Set(results).size, results.length);
    const calls = faults.calls.filter(({ method }) => method !== "acquireLock"); // some backends are polled
    assert.ok(calls.length < 60, `few calls, not ${String(calls.length)}`);
  }),
  proof("[O1] tryRun returns null while another call runs, here or elsewhere", async (fixture) => {
    const [[store, other], id] = [await fixture.stores(2), fixture.id()];
    const { fn, called, end } = slow();
    const together = [1, 2].map(() => store.once(id, { keepMs }).tryRun(fn));
    await called;
    assert.equal(await together[1], null);
    assert.equal(await store.once(id, { keepMs }).tryRun(neverCalled), null);
    assert.equal(await other.once(id, { keepMs }).tryRun(neverCalled), null);
    const error = await rejectsWith(
      other.once(id, { keepMs }).run(neverCalled, { waitMs: 0 }),
      "LOCK_TIMEOUT",
    );
    assert.match(error.message, new RegExp(`The lock of once "${id}" was not free`));
    const here = await rejectsWith(
      store.once(id, { keepMs }).run(neverCalled, { waitMs: 10 }),
      "LOCK_TIMEOUT",
    );
    assert.doesNotMatch(here.message, /lock\.run/);
    end();
    assert.deepEqual(await together[0], { ran: true, value: { attempt: 1 } });
    assert.deepEqual(await other.once(id, { keepMs }).tryRun(neverCalled), {
      ran: false,
      value: { attempt: 1 },
    });
  }),
  proof(
    "[O1] the lock is held by a caller that only reads the result: that is not a function that runs",
    async (fixture) => {
      const [[store], { store: late, faults }, id] = [
        await fixture.stores(2),
        await fixture.faultyStore(),
        fixture.id(),
      ];
      const hold = (await fixture.client()).ticketFor(internalId("once", id));
      const saveAndHold = async (): Promise<void> => {
        await store.once(id, { keepMs }).run(() => "saved");
        await hold.granted();
      };
      faults.once("loadState", meanwhile({ after: saveAndHold })); // it has found nothing
      assert.deepEqual(await late.once(id, { keepMs }).tryRun(neverCalled), { ran: false, value: "saved" });
      await hold.released();
    },
  ),
  proof("[O1] forget waits for the function that runs; then it runs again, as attempt 1", async (fixture) => {
    const [[store, other], id] = [await fixture.stores(2), fixture.id()];
    const { fn, called, end } = slow();
    const running = store.once(id, { keepMs }).run(fn);
    await called;
    const forgetting = other.once(id, { keepMs }).forget();
    await stillPending(forgetting);
    end();
    await Promise.all([running, forgetting]);
    assert.equal(await store.once(id, { keepMs }).peek(), null);
    assert.equal(await store.once(id, { keepMs }).run(({ attempt }) => attempt), 1);
  }),
  proof("[O1] the result is remembered for keepMs, and for minHoldMs from the call", async (fixture) => {
    const [store, [short, held]] = [await fixture.store(), [fixture.id(), fixture.id()]];
    await store.once(short, { keepMs: 20 }).run(() => 1);
    await store.once(held, { keepMs: 20, minHoldMs: 60_000 }).run(() => pause(30));
    await eventually(async () => assert.equal(await store.once(short, { keepMs }).peek(), null));
    assert.equal(await store.once(short, { keepMs }).run(({ attempt }) => attempt), 1);
    assert.notEqual(await store.once(held, { keepMs }).peek(), null);
    const { backend } = await fixture.client();
    const left = async (id: string): Promise<number | null | undefined> => {
      const state = await backend.loadState(internalId("once", id), { expiry: true });
      return state && "bytes" in state ? state.expiresInMs : undefined;
    };
    const heldMs = (await left(held)) ?? 0;
    assert.ok(heldMs > 50_000 && heldMs <= 59_971, `from the call, not from its end: ${String(heldMs)}`);
    const ever = fixture.id();
    await store.once(ever, { keepMs: Infinity }).run(() => 1);
    assert.equal(await left(ever), null);
  }),
  proof(
    "[O1] no state and no lock of a user is the once of the same id, and no listing has it",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const { fn, called, end } = slow();
      const running = store.once(id, { keepMs }).run(fn);
      await called;
      for (const name of [id, `once:${id}`]) await store.state(name).save("own", { waitMs: 0 });
      const listed: string[] = [];
      for await (const lock of store.locks()) listed.push(lock.id);
      end();
      await running;
      for await (const state of store.states()) listed.push(state.id);
      assert.deepEqual(listed.filter((name) => name.includes(id)).sort(), [id, `once:${id}`].sort());
      assert.deepEqual(await store.once(id, { keepMs }).run(neverCalled), { attempt: 1 });
    },
  ),
];
