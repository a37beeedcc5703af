// A day's work of a user, as one function: what a bundler, a framework or another runtime may break. It imports what is
// installed as `holdfast`, and throws at the first answer that is wrong.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { HoldfastError, open, type Store } from "holdfast";
import { PyTuple } from "holdfast/pickle";

/** Does everything on a new store of this target; returns the line that says so. */
export async function everyday(target: string): Promise<string> {
  const id = `everyday:${randomUUID()}`;
  const isShared = target !== "memory:"; // each open("memory:") is a store of its own
  const first = open(target);
  const second = isShared ? open(target) : first;
  await countTogether(first, second, id);
  await enterAgain(first, id);
  await beRefused(first, second, id);
  await useOtherParts(first, second, id);
  await first.close();
  await second.close();
  if (isShared) await readBack(target, id);
  return `everyday: done on ${target.split(":")[0] ?? ""}`;
}

async function countTogether(first: Store, second: Store, id: string): Promise<void> {
  const counters = [first, second].map((store) => store.state(id, { initial: () => ({ n: 0 }) }));
  const updates = Array.from({ length: 10 }, () =>
    counters.map((counter) => counter.update((draft) => void (draft.n += 1))),
  );
  await Promise.all(updates.flat());
  assert.deepEqual(await second.state(id).load(), { n: 20 });
}

/** The async context of `run` survives timers and promises, so that the inner calls need no grant. */
async function enterAgain(store: Store, id: string): Promise<void> {
  const lock = store.lock(id);
  await lock.run(async (outer) => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await lock.run((inner) => assert.equal(inner.fence, outer.fence), { waitMs: 0 });
    await store.state<{ n: number }>(id).save({ n: 21 });
  });
}

/** A save under a lock that was lost, and a lock that is held. `name` is what it is in the sources, minified or not. */
async function beRefused(first: Store, second: Store, id: string): Promise<void> {
  const grant = await first.lock(id).acquire();
  await second.lock(id).forceRelease();
  const save = first.state(id).save({ n: -1 }, { grant });
  await assert.rejects(save, { name: "LockLostError", code: "LOCK_LOST" });
  const held = await second.lock(`${id}:held`).acquire();
  const late = first.lock(held.id).acquire({ waitMs: 20 });
  await assert.rejects(late, (error) => {
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.name, "LockTimeoutError");
    return error.code === "LOCK_TIMEOUT";
  });
  await held.release();
}

/** What is loaded only when it is used. */
async function useOtherParts(first: Store, second: Store, id: string): Promise<void> {
  const pickled = first.state(`${id}:pickle`, { serializer: "pickle" });
  await pickled.save({ at: new PyTuple([3, 4]) });
  assert.deepEqual(await second.state(pickled.id, { serializer: "pickle" }).load(), {
    at: new PyTuple([3, 4]),
  });
  const [from, to] = ["a", "b"].map((name) =>
    first.state(`{${id}}:${name}`, { initial: () => ({ cents: 5 }) }),
  );
  assert.ok(from !== undefined && to !== undefined);
  await first.transact([from, to], ([a, b]) => void ([a.cents, b.cents] = [0, a.cents + b.cents]));
  assert.deepEqual([await from.load(), await to.load()], [{ cents: 0 }, { cents: 10 }]);
  const mail = (store: Store): Promise<string> =>
    store.once(`${id}:mail`, { keepMs: 60_000 }).run(() => "sent");
  assert.deepEqual([await mail(first), await mail(second)], ["sent", "sent"]);
  assert.equal(await first.semaphore(`${id}:gpu`, { permits: 2 }).run(({ weight }) => weight), 1);
}

async function readBack(target: string, id: string): Promise<void> {
  const store = open(target);
  assert.deepEqual(await store.state(id).load(), { n: 21 });
  await store.close();
}
