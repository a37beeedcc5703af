// Waiting is aborted at each await point. The exported suite aborts before and after each call to the backend
// ("aborted at each await point"); here every kind of call is aborted after each number of turns of the event loop, against
// a real server. The caller has its own reason in the same turn, the backend has no queue entry and no lock, and nothing
// in the process holds on to the call any more: no listener, no timer, no entry of a line.
//
// Seen failing with the defence taken out:
// - src/scheduling/local-queue.ts does not clear the deadline of whoever leaves: "nothing in the process holds on";
// - src/scheduling/local-queue.ts does not remove the listener of whoever leaves: every call "on a free lock";
// - src/scheduling/lock-manager.ts drops an abandoned ticket instead of cancelling it: every call "behind a holder";
// - src/scheduling/local-queue.ts rejects 20 ms after the abort: acquire, lock.run and update "behind a holder".

import { createHook } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { served, type Served } from "../../support/served.ts";
import { sharedBackends } from "../../support/setting.ts";

vi.setConfig({ testTimeout: 60_000 });

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Longer than any test: whatever is gone was not cleared by time. */
const patience = { waitMs: 100_000, leaseMs: 100_000 };

/** Every call that may have to wait. What it got all the same, it gives back. */
const calls: Readonly<Record<string, (store: Store, id: string, signal: AbortSignal) => Promise<unknown>>> = {
  acquire: async (store, id, signal) => (await store.lock(id).acquire({ signal })).release(),
  "lock.run": (store, id, signal) => store.lock(id).run(() => undefined, { signal }),
  save: (store, id, signal) => store.state(id).save("mine", { signal }),
  delete: (store, id, signal) => store.state(id).delete({ signal }),
  update: (store, id, signal) => store.state(id).update(() => "mine", { signal }),
};

/** A write that needs no turn where the lock is free is not given up between its sending and its answer [S5]. */
const waitsForAnswer = new Set(["save", "delete"]);

/** After so many turns of the event loop: each of the first, then further apart, until any answer is long there. */
const sweep = [...Array.from({ length: 20 }, (_, n) => n), 25, 30, 40, 50, 70, 100, 150, 200, 400, 1_000];

/** Timers of this process that exist now, whether or not they keep it alive. */
const timers = new Set<number>();
const hook = createHook({
  init: (id, type) => {
    if (type === "Timeout") timers.add(id);
  },
  destroy: (id) => {
    timers.delete(id);
  },
});

/** Aborts a call after so many turns; checks all that can be seen at once. Answers whether it ended with the reason. */
async function abortAfter(
  turns: number,
  call: (signal: AbortSignal) => Promise<unknown>,
  atOnce = false,
): Promise<boolean> {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error(`after ${String(turns)} turns`);
  let end: unknown;
  const ended = call(signal).then(
    () => (end = "done"),
    (error: unknown) => (end = error),
  );
  for (let turn = 0; turn < turns && end === undefined; turn += 1) await nextTurn();
  const waits = end === undefined && getEventListeners(signal, "abort").length > 0;
  if (end !== undefined) expect(getEventListeners(signal, "abort"), "listeners").toEqual([]); // it was granted
  controller.abort(reason);
  await nextTurn();
  if (waits && atOnce) expect(end, "in the same turn").toBeDefined();
  await ended;
  expect(getEventListeners(signal, "abort"), "listeners").toEqual([]);
  if (end !== "done") expect(end).toBe(reason);
  return end === reason;
}

for (const name of sharedBackends) {
  describe(name, () => {
    let backend: Served;
    let store: Store;
    let other: Store;
    beforeAll(async () => {
      backend = await served[name]();
      [store, other] = [open(backend.url, patience), open(backend.url, patience)];
      await Promise.all([store.ready(), other.ready()]);
    });
    afterEach(() => {
      hook.disable();
    });
    afterAll(async () => {
      await Promise.all([store.close({ drainMs: 0 }), other.close({ drainMs: 0 })]);
      await backend.end();
    });

    test.each(Object.keys(calls))(
      "[L7] %s aborted after 0, 1, 2 … turns behind a holder: nothing is left, at once",
      async (kind) => {
        const id = `held: ${kind}`;
        await other.state(id).save("old");
        const holder = await other.lock(id).acquire();
        for (const turns of sweep) {
          const call = (signal: AbortSignal): Promise<unknown> => calls[kind]!(store, id, signal);
          expect(await abortAfter(turns, call, !waitsForAnswer.has(kind))).toBe(true);
        }
        await poll(async () => (await other.lock(id).inspect())?.waiters).toBe(0); // "waiters"
        expect((await other.lock(id).inspect())?.fence).toBe(holder.fence);
        expect(await holder.release()).toBe(true);
        expect(await other.lock(id).inspect()).toBeNull();
        expect(await other.state(id).load()).toBe("old");
      },
    );

    test.each(Object.keys(calls))(
      "[L7] [S5] %s aborted after 0, 1, 2 … turns on a free lock: it has its effect, or none; no lock is left",
      async (kind) => {
        const id = `free: ${kind}`;
        for (const turns of sweep) {
          await other.state(id).save("old");
          const gaveUp = await abortAfter(turns, (signal) => calls[kind]!(store, id, signal));
          await poll(() => other.lock(id).inspect()).toBeNull(); // "holder": long before the lease ends
          if (gaveUp) expect(await other.state(id).load()).toBe("old");
        }
      },
    );

    test("[L7] aborted just as the lock is handed over: it goes to the next, or is given back", async () => {
      const id = "handed over";
      for (const turns of sweep) {
        const holder = await other.lock(id).acquire();
        const controller = new AbortController();
        const waiting = calls["acquire"]!(store, id, controller.signal).catch((error: unknown) => error);
        await poll(async () => (await other.lock(id).inspect())?.waiters).toBe(1);
        const released = holder.release();
        for (let turn = 0; turn < turns; turn += 1) await nextTurn();
        controller.abort(new Error("enough"));
        expect(await released).toBe(true);
        await waiting;
        await poll(() => other.lock(id).inspect()).toBeNull();
      }
    });

    test("[L7] nothing in the process holds on to what was given up: no timer, no line, no queue", async () => {
      const id = "forgotten";
      const holder = await other.lock(id).acquire();
      const standing = store.lock(id).acquire(); // one that goes on waiting, so that nothing is cleared with the last
      await poll(async () => (await other.lock(id).inspect())?.waiters).toBe(1);
      hook.enable();
      const given: WeakRef<AbortSignal>[] = [];
      const giveUp = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n += 1) {
          await abortAfter(n % 8, (signal) => {
            given.push(new WeakRef(signal));
            return Object.values(calls)[n % 5]!(store, id, signal);
          });
        }
      };
      await giveUp(50);
      const before = timers.size;
      await giveUp(200);
      expect(timers.size).toBeLessThanOrEqual(before + 5);
      await poll(async () => {
        await nextTurn();
        collectGarbage();
        return given.filter((signal) => signal.deref() !== undefined).length;
      }).toBeLessThanOrEqual(2); // the engine may keep the last ones
      expect(await holder.release()).toBe(true);
      expect(await (await standing).release()).toBe(true);
      expect(await other.lock(id).inspect()).toBeNull();
    });
  });
}
