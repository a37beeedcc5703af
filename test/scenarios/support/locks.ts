// Looking at a lock from outside, as a third party that takes no part.

import { setTimeout as sleep } from "node:timers/promises";

import type { Store } from "../../../src/index.ts";

/** How many stand in its queue. */
export async function waiters(store: Store, id: string): Promise<number> {
  return (await store.lock(id).inspect())?.waiters ?? 0;
}

/** Returns when its holder has renewed it so many times more. Throws if nobody holds it. */
export async function untilRenewed(store: Store, id: string, times: number): Promise<void> {
  let left = times;
  let last = Infinity;
  while (left > 0) {
    const expiresInMs = (await store.lock(id).inspect())?.expiresInMs ?? null;
    if (expiresInMs === null) throw new Error(`nobody holds the lock ${id} any more`);
    if (expiresInMs > last) left -= 1;
    last = expiresInMs;
    await sleep(5);
  }
}
