// Behaviours of other libraries, as a table, on every backend: each is tested with three stores of one storage, which stand for
// three processes.

import { afterAll, beforeAll, describe, test } from "vitest";

import { open, type Store } from "../../src/index.ts";
import { backends, type Storage } from "../contract/backends.ts";
import { poll } from "../support/poll.ts";

export interface World {
  readonly stores: readonly [Store, Store, Store];
  /** Of a lock that no other behaviour uses. */
  readonly id: string;
}

/** By the title of their test. */
export type Behaviours = Readonly<Record<string, (world: World) => Promise<void>>>;

export function testOnEachBackend(behaviours: Behaviours): void {
  for (const [name, backend] of Object.entries(backends)) {
    describe(name, () => {
      let storage: Storage;
      let stores: readonly [Store, Store, Store];
      const connect = (): Store => open(storage.createBackend(), { leaseMs: 2_000 });
      beforeAll(async () => {
        storage = await backend.create();
        stores = [connect(), connect(), connect()];
      });
      afterAll(async () => {
        await Promise.all(stores.map((store) => store.close({ drainMs: 0 })));
        await storage.end();
      });
      for (const [n, [title, behaviour]] of Object.entries(behaviours).entries())
        test(title, () => behaviour({ stores, id: `lock ${String(n)}` }));
    });
  }
}

/** Returns when so many processes wait for the lock. */
export async function untilWaiting(store: Store, id: string, count: number): Promise<void> {
  await poll(async () => (await store.lock(id).inspect())?.waiters).toBe(count);
}

/** The event loop stands still, so that nothing is renewed. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Returns when the lease that is looked at has been renewed. */
export async function untilRenewed(expiresInMs: () => Promise<number | null | undefined>): Promise<void> {
  let last = Infinity;
  await poll(async () => {
    const left = (await expiresInMs()) ?? NaN;
    const wasRenewed = left > last;
    last = left;
    return wasRenewed;
  }).toBe(true);
}
