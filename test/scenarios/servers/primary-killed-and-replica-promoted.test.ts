// The primary is killed with the replication cut, so that the replica that takes over knows neither the
// last grant nor the last save. The next holder's fence is greater than any given before, for clients that come new and
// for those that moved, and the server accepts the saves of one holder only.
// The other half of the scenario, acknowledgements by replicas where they are asked for, is in test/integration/redis/durability-failover.test.ts.
//
// Seen failing with the defence taken out:
//   stamp.lua without the server's time, counting from 1: the first test (a fence twice);
//   write.lua without its check of the ticket: the first test (the late save was accepted);
//   renew.lua answering "renewed" whoever holds the lock: the first test (the idle grant was never told);
//   acquirer.ts without a look at whether the holder is a dead ticket of its own: the second test (it waited for itself);
//   receipt.lua without the proof that a retry carries: the third test (an update that was saved was called lost).

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { startGroup, type Group } from "../../support/faults/index.ts";

vi.setConfig({ testTimeout: 30_000 });

let group: Group;
const stores: Store[] = [];
const connect = (url: string, options?: OpenOptions): Store => {
  const store = open(url, options);
  stores.push(store);
  return store;
};

beforeEach(async () => {
  group = await startGroup({ replicas: 1 });
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await group.stop();
});

/** What has been done so far reaches the replica; what is done from now on does not. */
const cutReplication = async (): Promise<void> => {
  await group.inSync();
  group.cutReplication();
};
const failOver = async (): Promise<void> => {
  await group.killPrimary();
  await group.promote();
};

test("[L3] [S2] [S4] [L5] a grant and a save that the new primary never saw: the next fence and revision are greater, the old holder is refused and told", async () => {
  const id = "failover";
  const old = connect(group.url, { leaseMs: 20_000 });
  const first = await old.lock(id).acquire();
  const kept = await old.state(id).save("kept", { grant: first });
  await first.release();
  await cutReplication();
  const grant = await old.lock(id).acquire();
  const lost = await old.state(id).save("lost", { grant });
  const idle = await old.lock("idle").acquire({ leaseMs: 2_000 });
  await failOver();

  const newcomer = connect(group.primary.url); // it has seen nothing of all that
  const theirs = await newcomer.lock(id).acquire();
  expect(theirs.fence).toBeGreaterThan(grant.fence);
  expect(await newcomer.state(id).read()).toMatchObject({ value: "kept", revision: kept });
  expect(await newcomer.state(id).save("theirs", { grant: theirs })).toBeGreaterThan(lost);
  const late = old.state(id).save("too late", { grant });
  await expect(late).rejects.toMatchObject({ code: "LOCK_LOST" });
  await poll(() => idle.signal.aborted).toBe(true); // by its renewal
  expect(await grant.release()).toBe(false);
  expect(await newcomer.state(id).load()).toBe("theirs");
  expect(await theirs.release()).toBe(true);

  const again = await old.lock(id).acquire(); // the one that moved goes on with the new primary
  expect(again.fence).toBeGreaterThan(theirs.fence);
  expect(await again.release()).toBe(true);
});

test("[L7] [S4] a release that the new primary never saw: the lock that came back is given back, and waiters go on", async () => {
  const id = "released before";
  const [old, waiter] = [connect(group.url, { leaseMs: 20_000 }), connect(group.url)];
  const grant = await old.lock(id).acquire();
  await cutReplication();
  expect(await grant.release()).toBe(true);
  await failOver();
  // It is held there by a grant that has ended: its client is told so when it asks, and gives it back [L7]. Without
  // that both would wait for as long as the lease of that grant, which is longer than they can.
  const fences: number[] = [];
  const enter = (store: Store): Promise<unknown> =>
    store.lock(id).run(({ fence }) => fences.push(fence), { waitMs: 10_000 });
  await Promise.all([enter(waiter), enter(old)]);
  expect(Math.min(...fences)).toBeGreaterThan(grant.fence);
  expect(await waiter.lock(id).inspect()).toBeNull();
});

test("[S5] an update that was under way in a failover is applied once, or its outcome is said to be unknown", async () => {
  const id = "under way";
  const store = connect(group.url, { operationMs: 10_000 });
  const state = store.state(id, { initial: () => ({ ids: [] as string[] }) });
  await state.update((draft) => void draft.ids.push("before"));
  await cutReplication();
  const called: string[] = [];
  const outcomes = new Map<string, string>();
  const lane = async (lane: number): Promise<void> => {
    for (let n = 0; n < 20; n += 1) {
      const name = `${String(lane)}:${String(n)}`;
      called.push(name);
      await state
        .update((draft) => void draft.ids.push(name))
        .then(
          () => outcomes.set(name, "ok"),
          (error: unknown) => {
            expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
            outcomes.set(name, "unknown");
          },
        );
    }
  };
  const lanes = [lane(0), lane(1)];
  await poll(() => outcomes.size).toBeGreaterThan(5);
  await group.killPrimary();
  const before = called.length;
  await failOver();
  await Promise.all(lanes);
  const { ids } = await state.load();
  expect(new Set(ids).size).toBe(ids.length);
  // What was called after the old primary's end was acknowledged by the new one, or nobody knows.
  const acknowledged = called.slice(before).filter((name) => outcomes.get(name) === "ok");
  expect(ids).toEqual(expect.arrayContaining(["before", ...acknowledged]));
  expect(acknowledged.length).toBeGreaterThan(0);
});
