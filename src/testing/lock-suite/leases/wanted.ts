/** The signal of a holder that others wait for its lock. */
import { strict as assert } from "node:assert";
import { eventually, inTime, pause } from "../../assertions.ts";
import { needing, proof, type Case } from "../../suite.ts";

function aborts(signal: AbortSignal, withinMs?: number): Promise<unknown> {
  if (signal.aborted) return Promise.resolve();
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return inTime(aborted, withinMs);
}

/** Less than passes between two looks that nothing has caused. */
const soonMs = 3_000;

export const wantedCases: readonly Case[] = [
  proof("[L2] wanted aborts when another process begins to wait, and not before", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const lock = store.lock(fixture.id());
    const grant = await lock.acquire();
    const { wanted } = grant;
    assert.equal(await other.lock(lock.id).tryAcquire(), null); // who only tries does not wait
    await pause(400);
    assert.equal(wanted.aborted, false);
    assert.equal(grant.wanted, wanted);
    const waiting = other.lock(lock.id).acquire();
    await aborts(wanted);
    assert.equal(grant.signal.aborted, false);
    assert.equal(await grant.release(), true);
    const next = await waiting;
    assert.equal(next.wanted.aborted, false);
    await next.release();
    await fixture.becomesFree(lock.id);
  }),
  proof(
    "[L2] wanted aborts at once for those that wait when it is read, of this process and of others",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      for (const waiter of [store, other]) {
        const lock = store.lock(fixture.id());
        const grant = await lock.acquire();
        const waiting = waiter.lock(lock.id).acquire();
        if (waiter === other)
          await eventually(async () => assert.equal((await store.lock(lock.id).inspect())?.waiters, 1));
        await aborts(grant.wanted);
        await grant.release();
        await (await waiting).release();
      }
    },
  ),
  proof("[L2] wanted aborts when a caller of the same process begins to wait", async (fixture) => {
    const store = await fixture.store();
    const lock = store.lock(fixture.id());
    const grant = await lock.acquire();
    const nested = await lock.acquire({ grant });
    const { wanted } = nested;
    const waiting = lock.acquire();
    await aborts(wanted);
    assert.equal(grant.wanted, wanted);
    await nested.release();
    await grant.release();
    await (await waiting).release();
  }),
  proof("[L2] [L12] every shared holder that looks is told of an exclusive caller", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const shared = { shared: true } as const;
    const readers = [await store.lock(id).acquire(shared), await other.lock(id).acquire(shared)];
    const signals = readers.map((reader) => reader.wanted);
    const waiting = store.lock(id).acquire();
    await Promise.all(signals.map((signal) => aborts(signal)));
    for (const reader of readers) await reader.release();
    await (await waiting).release();
    await fixture.becomesFree(id);
  }),
  proof("[L2] a new holder that adopted the lock is told of those that wait", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const id = fixture.id();
    const grant = await store.lock(id).acquire();
    const next = await other.lock(id).adopt(grant.token());
    const { wanted } = next;
    const waiting = store.lock(id).acquire();
    await aborts(wanted);
    await next.release();
    await (await waiting).release();
  }),
  needing(
    ["pushes"],
    "[L2] [L8] wanted is caused by those that begin to wait, not by the next look",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      for (const waiter of [store, other]) {
        const lock = store.lock(fixture.id());
        const grant = await lock.acquire();
        const { wanted } = grant;
        await pause(500); // its first look is over
        const waiting = waiter.lock(lock.id).acquire();
        await aborts(wanted, soonMs);
        await grant.release();
        await (await waiting).release();
      }
    },
  ),
];
