// A store on a cluster whose slot moves, and whose owner is killed, hangs, or changes places with a replica: calls wait as
// long as that takes and do not fail, nothing that was acknowledged is lost, and waiters are woken where the slot is.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { LockLostError, open, type Store } from "../../../../src/index.ts";
import { startCluster, type Cluster } from "../../../support/faults/index.ts";
import { poll } from "../../../support/poll.ts";
import { seenByHints } from "../../../support/wakes.ts";

vi.setConfig({ testTimeout: 90_000 });

const operationMs = 25_000;
let cluster: Cluster;
const stores: Store[] = [];
const connect = (): Store => {
  const store = open(cluster.url, { operationMs, leaseMs: 30_000, waitMs: 60_000 });
  stores.push(store);
  return store;
};

beforeAll(async () => {
  cluster = await startCluster();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});
afterAll(() => cluster.stop());

const counter = (store: Store) => store.state<{ n: number }>("counter", { initial: () => ({ n: 0 }) });

interface Counts {
  acknowledged: number;
  unknown: number;
}

/**
 * Updates of two stores, until `during` is over and some time after it. `isOutage`: the owner goes, so that what no replica
 * has is lost. What was acknowledged is on one, and calls for which none is left are only called unknown.
 */
async function countDuring(during: () => Promise<unknown>, isOutage: boolean): Promise<void> {
  const before = (await counter(connect()).load())?.n ?? 0;
  const durability = { replicas: isOutage ? 1 : 0, timeoutMs: 10_000 };
  const counts: Counts = { acknowledged: 0, unknown: 0 };
  let isOver = false;
  const loops = [connect(), connect()].map(counter).map(async (state) => {
    while (!isOver) {
      try {
        await state.update((draft) => void (draft.n += 1), { durability });
        counts.acknowledged += 1;
      } catch (error) {
        if (!isOutage) throw error;
        if (error instanceof LockLostError) continue; // granted by the old owner only; nothing was saved
        expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
        counts.unknown += 1;
      }
    }
  });
  const failed = Promise.all(loops).then(() => undefined);
  failed.catch(() => undefined); // awaited below
  const more = async (): Promise<void> => {
    const until = counts.acknowledged + 20;
    await Promise.race([
      failed,
      expect.poll(() => counts.acknowledged, { timeout: 30_000 }).toBeGreaterThan(until),
    ]);
  };
  await more();
  await during();
  await more().finally(() => (isOver = true));
  await failed;
  const after = (await counter(connect()).load())?.n ?? 0;
  expect(counts.unknown).toBeLessThan(5);
  expect(after).toBeGreaterThanOrEqual(before + counts.acknowledged);
  expect(after).toBeLessThanOrEqual(before + counts.acknowledged + counts.unknown);
}

/** Whether a waiter is woken long before it would ask again by itself, after `during`. */
async function wokenAfter(during: () => Promise<unknown>): Promise<void> {
  const [a, b] = [connect(), connect()];
  const grant = await a.lock("x").acquire();
  const waiting = b.lock("x").acquire();
  waiting.catch(() => undefined); // awaited below
  await poll(async () => (await a.lock("x").inspect())?.waiters).toBe(1);
  await during();
  await a.lock("x").inspect(); // a is where the slot is
  await poll(async () => {
    const owner = await cluster.owner();
    const channels = (await owner.command("PUBSUB", "SHARDCHANNELS")) as string[];
    return channels.length;
  }).toBe(2);
  const from = performance.now();
  await grant.release();
  const theirs = await waiting;
  expect(performance.now() - from).toBeLessThan(2_000);
  expect(theirs.fence).toBeGreaterThan(grant.fence);
  await theirs.release();
  await Promise.all([a.close(), b.close()]);
}

describe("a slot that moves", () => {
  test("[S3] [S5] [L9] at once: no call fails; the new owner is a node that has never run a script", async () => {
    await countDuring(() => cluster.moveAtOnce(), false);
  });

  test("[S3] [S5] [L9] key by key: no call fails", async () => {
    await countDuring(() => cluster.moveKeyByKey(), false);
  });

  test("[S3] [S5] key by key, with large states", async () => {
    const state = connect().state<string>("large", { initial: () => "" });
    await state.save("x".repeat(10_000));
    await countDuring(() => cluster.moveKeyByKey(), false);
    expect(await state.load()).toHaveLength(10_000);
  });

  test.each([
    ["small", ""],
    ["large", "x".repeat(10_000)],
  ])(
    "[S3] [S5] [S9] key by key, with %s states changed together: none is half done",
    async (name, ballast) => {
      const ids = ["one", "two", "three"];
      const change = (store: Store): Promise<unknown> => {
        const initial = () => ({ n: 0, ballast });
        const states = ids.map((id) =>
          store.state<{ n: number; ballast: string }>(`${name} ${id}`, { initial }),
        );
        return store.transact(states, (drafts) => drafts.forEach((draft) => void (draft.n += 1)));
      };
      let [changes, isOver] = [0, false];
      const loops = [connect(), connect()].map(async (store) => {
        for (; !isOver; changes += 1) await change(store);
      });
      const all = Promise.all(loops);
      const more = (): Promise<unknown> => {
        const least = changes + 10;
        return Promise.race([all, expect.poll(() => changes, { timeout: 30_000 }).toBeGreaterThan(least)]);
      };
      await more();
      await cluster.moveKeyByKey();
      await more().finally(() => (isOver = true));
      await all;
      const found = ids.map((id) => connect().state<{ n: number }>(`${name} ${id}`).load());
      expect((await Promise.all(found)).map((value) => value?.n)).toEqual(ids.map(() => changes));
    },
  );

  test("[L8] [L9] a waiter is woken at the new owner", async () => {
    await wokenAfter(() => cluster.moveAtOnce());
    await wokenAfter(() => cluster.moveKeyByKey());
  });
});

describe("an owner", () => {
  test("[L8] [L9] that changes places with its replica: a waiter is woken there", async () => {
    await wokenAfter(() => cluster.failOver());
  });

  test("[S3] [S5] that changes places with its replica: no call fails", async () => {
    await countDuring(() => cluster.failOver(), false);
  });

  test("[S3] [S5] that is killed: calls wait for the replica that takes over", async () => {
    await countDuring(async () => cluster.revive(await cluster.killOwner()), true);
  });

  test("[S3] [S5] that hangs: calls wait for the replica that takes over", async () => {
    await countDuring(async () => cluster.revive(await cluster.pauseOwner()), true);
  });
});

test("[E1] a leader is watched by hints, also when the slot moves", async () => {
  const [a, b] = [connect(), connect()];
  const hints = async (): Promise<string[]> =>
    (await (await cluster.owner()).command("PUBSUB", "SHARDCHANNELS", "*:changed:*")) as string[];
  await seenByHints(a, b, async () => {
    await poll(hints).toHaveLength(1);
    await cluster.moveAtOnce();
    await poll(hints).toHaveLength(1);
  });
});
