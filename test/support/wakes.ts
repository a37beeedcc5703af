// Whether wakes arrive: the subscription may still be on its way, so that it is tried until they do.

import { expect } from "vitest";

import type { Store } from "../../src/index.ts";
import { poll } from "./poll.ts";

/** One store's release wakes a waiter of the other, long before it would ask again by itself. */
export async function wakes(a: Store, b: Store): Promise<void> {
  await poll(async () => {
    const grant = await a.lock("x").acquire();
    const waiting = b.lock("x").acquire();
    await poll(async () => (await a.lock("x").inspect())?.waiters).toBe(1);
    const from = performance.now();
    await grant.release();
    await (await waiting).release();
    return performance.now() - from;
  }).toBeLessThan(200);
}

/**
 * One store leads, and then no more; the other, which watches, sees both, though it does not ask at an interval. `meanwhile`:
 * while it leads.
 */
export async function seenByHints(a: Store, b: Store, meanwhile: () => Promise<unknown>): Promise<void> {
  const changes = b.leader("watched").watch({ intervalMs: 86_400_000 })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> =>
    ((await changes.next()).value as { value?: unknown } | null)?.value;
  expect(await next()).toBeUndefined();
  const shutdown = new AbortController();
  const begun = next();
  const running = a
    .leader("watched")
    .run(({ signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())), {
      value: "one",
      signal: shutdown.signal,
    });
  expect(await begun).toBe("one");
  const ended = next();
  await meanwhile();
  shutdown.abort();
  await running;
  expect(await ended).toBeUndefined();
  await changes.return?.();
}
