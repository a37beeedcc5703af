// Whether wakes arrive: the subscription may still be on its way, so that it is tried until they do.

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
