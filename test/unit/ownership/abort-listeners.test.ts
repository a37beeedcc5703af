// One signal for many calls: one listener on it, none when the last call is over, and all of them hear of it, in their order.
//
// Seen failing: a listener for each call; one that stays when the last call is over; listeners called in the context of
// whoever aborts.

import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { MemoryBackend } from "../../../src/backends/memory/backend.ts";
import { open, type Store } from "../../../src/index.ts";
import { context, runOutside } from "../../../src/ownership/async-context.ts";
import { onAbort } from "../../../src/ownership/abort-listeners.ts";

let store: Store;
beforeEach(() => {
  store = open(new MemoryBackend());
});
afterEach(() => store.close({ drainMs: 0 }));

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

test("[L7] 1000 calls wait with one signal: one listener, no warning; all end with the reason, in call order", async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error): number => warnings.push(warning);
  process.on("warning", warned);
  const { signal, ...controller } = aborting();
  const grants = [await store.lock("a").acquire(), await store.lock("b").acquire()];
  const ended: number[] = [];
  const calls = Array.from({ length: 1_000 }, (_, n) => {
    const options = { signal, waitMs: Infinity };
    const kinds = [
      () => store.lock("a").acquire(options),
      () => store.lock("b").run(() => undefined, options),
      () => store.state("a").save(n, options),
      () => store.state("b").update(() => n, options),
    ];
    return kinds[n % 4]!().catch((error: unknown) => {
      ended.push(n);
      return error;
    });
  });
  expect(listeners(signal)).toBe(1);
  const reason = new Error("shutting down");
  controller.abort(reason);
  expect(new Set(await Promise.all(calls))).toEqual(new Set([reason]));
  for (const kind of [0, 1, 2, 3]) {
    const order = ended.filter((n) => n % 4 === kind);
    expect(order).toEqual(order.toSorted((one, two) => one - two));
    expect(order).toHaveLength(250);
  }
  expect(listeners(signal)).toBe(0);
  await Promise.all(grants.map((grant) => grant.release()));
  process.off("warning", warned);
  expect(warnings).toEqual([]);
});

test("[L7] the last call that is served leaves no listener; the signal can be used again", async () => {
  const { signal } = aborting();
  for (const round of [1, 2]) {
    const grant = await store.lock("a").acquire({ signal });
    const calls = [1, 2, 3].map(() => store.lock("a").run(() => round, { signal }));
    expect(listeners(signal)).toBe(1);
    await grant.release();
    expect(await Promise.all(calls)).toEqual([round, round, round]);
    expect(listeners(signal)).toBe(0);
  }
});

test("[L4] [L7] branches of one owner share a listener on their grant's signal, and on the caller's", async () => {
  const { signal, ...controller } = aborting();
  await store.lock("a").run(async (grant) => {
    const busy = await store.lock("a").acquire();
    const calls = Array.from({ length: 20 }, () => store.lock("a").acquire({ signal, waitMs: Infinity }));
    expect([listeners(signal), listeners(grant.signal)]).toEqual([1, 1]);
    controller.abort("enough");
    for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[])
      expect(reason).toBe("enough");
    expect([listeners(signal), listeners(grant.signal)]).toEqual([0, 0]);
    await busy.release();
  });
});

describe("the registry", () => {
  test("who is stopped by one that was called before is not called", () => {
    const { signal, ...controller } = aborting();
    const called: string[] = [];
    const stops = [
      onAbort(signal, () => {
        called.push("first");
        for (const stop of stops) stop();
      }),
      onAbort(signal, () => called.push("second")),
    ];
    controller.abort();
    expect(called).toEqual(["first"]);
  });

  test("stopping twice stops nobody else; the same function may be given twice", () => {
    const { signal, ...controller } = aborting();
    let calls = 0;
    const count = (): void => void (calls += 1);
    const stop = onAbort(signal, count);
    onAbort(signal, count);
    stop();
    stop();
    expect(listeners(signal)).toBe(1);
    controller.abort();
    expect(calls).toBe(1);
  });

  test("[L4] a listener runs in nobody's body", () => {
    const { signal, ...controller } = aborting();
    let inside: unknown = "not called";
    runOutside(() => onAbort(signal, () => (inside = context.getStore())));
    context.run("a body", () => controller.abort());
    expect(inside).toBeUndefined();
  });
});

function aborting(): { readonly signal: AbortSignal; readonly abort: (reason?: unknown) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
