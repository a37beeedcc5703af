/** `state.watch()`: the value now, then each change, and always the newest [E2]. */
import { strict as assert } from "node:assert";
import { diagnostics, type WarningEvent } from "../../../diagnostics/events.ts";
import type { Snapshot, State, WatchStateOptions } from "../../../handles/state/state.ts";
import { assertRises, deferred, inTime, rejectsWith, stillPending } from "../../assertions.ts";
import { failBefore, meanwhile } from "../../faults.ts";
import type { Fixture } from "../../fixture.ts";
import { needing, proof, type Case } from "../../suite.ts";

type Step<T> = IteratorResult<Snapshot<T> | undefined, undefined>;

class Watching<T> {
  readonly #changes: AsyncIterator<Snapshot<T> | undefined, undefined>;

  constructor(state: State<T>, options?: WatchStateOptions) {
    this.#changes = state.watch(options)[Symbol.asyncIterator]() as AsyncIterator<
      Snapshot<T> | undefined,
      undefined
    >;
  }

  step(): Promise<Step<T>> {
    return inTime(this.#changes.next());
  }

  /** The next value; `undefined`: absent. */
  async next(): Promise<T | undefined> {
    const { done, value } = await this.step();
    assert.notEqual(done, true, "the loop has ended");
    return value?.value;
  }

  end(): Promise<unknown> {
    return inTime(Promise.resolve(this.#changes.return?.()));
  }
}

/** Where changes are pushed, they must be seen without asking. */
const withoutAsking = ({ pushes }: Fixture): WatchStateOptions => (pushes ? { intervalMs: 86_400_000 } : {});

/** Resolves once there is a warning of this cause about this id. */
async function warned(cause: string, id: string): Promise<void> {
  const { promise, resolve } = deferred();
  const listener = (event: unknown): void => {
    const warning = event as WarningEvent;
    if (warning.cause === cause && warning.message.includes(id)) resolve();
  };
  diagnostics.warning.subscribe(listener);
  await inTime(promise).finally(() => diagnostics.warning.unsubscribe(listener));
}

const over = { done: true, value: undefined };

export const watchCases: readonly Case[] = [
  proof(
    "[E2] watch yields the value now, then changes by others, deletes, and what is created again",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const state = a.state<number>(id);
      const watch = new Watching(b.state<number>(id), withoutAsking(fixture));
      assert.equal(await watch.next(), undefined);
      const steps: [() => Promise<unknown>, number | undefined][] = [
        [() => state.save(1), 1],
        [() => state.update((n) => (n ?? 0) + 1), 2],
        [() => state.delete(), undefined],
        [() => state.save(3, { ttlMs: 600_000 }), 3],
        [() => a.lock(id).run(() => state.save(4)), 4],
      ];
      for (const [change, expected] of steps) {
        const next = watch.next();
        await change();
        assert.equal(await next, expected);
      }
      const pending = watch.step();
      await state.touch(500_000); // no change of the value
      await stillPending(pending);
      await watch.end();
      assert.deepEqual(await pending, over);
    },
  ),
  proof("[E2] watch sees the changes of its own store at once", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<number>(id);
    const watch = new Watching(state, { intervalMs: 86_400_000 });
    assert.equal(await watch.next(), undefined);
    for (const n of [1, 2, 3]) {
      const next = watch.next();
      await state.save(n);
      assert.equal(await next, n);
    }
    await watch.end();
  }),
  proof(
    "[E2] [S7] an expiry is seen when it comes, also if the life was changed meanwhile",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const state = a.state<number>(id);
      await state.save(1, { ttlMs: 300 });
      const watch = new Watching(b.state<number>(id), withoutAsking(fixture));
      assert.equal(await watch.next(), 1);
      assert.equal(await watch.next(), undefined);
      await state.save(2, { ttlMs: 600_000 });
      assert.equal(await watch.next(), 2);
      const gone = watch.next();
      await state.touch(300);
      assert.equal(await gone, undefined);
      await watch.end();
    },
  ),
  proof("[E2] changes while the loop is busy are skipped, but for the newest", async (fixture) => {
    const [[a, b], id] = [await fixture.stores(2), fixture.id()];
    const state = a.state<number>(id);
    await state.save(0);
    const watch = new Watching(b.state<number>(id), withoutAsking(fixture));
    assert.equal(await watch.next(), 0);
    for (let n = 1; n <= 20; n += 1) await state.save(n);
    assert.equal(await watch.next(), 20);
    const saving = (async () => {
      for (let n = 21; n <= 60; n += 1) await state.save(n);
    })();
    const seen: number[] = [20];
    while (seen.at(-1) !== 60) seen.push((await watch.next()) ?? -1);
    await saving;
    assertRises(seen, "what is seen");
    await watch.end();
  }),
  proof("[E2] a change that is made while watch asks is seen", async (fixture) => {
    const [{ store, faults }, id] = [await fixture.faultyStore(), fixture.id()];
    const state = store.state<number>(id);
    const watch = new Watching(state, { intervalMs: 86_400_000 });
    faults.once("loadState", meanwhile({ after: () => state.save(1) })); // its reply says that there is none
    assert.equal(await watch.next(), undefined);
    faults.once("loadState", meanwhile({ after: () => state.save(2) }));
    assert.equal(await watch.next(), 1);
    assert.equal(await watch.next(), 2);
    await watch.end();
  }),
  proof("[E2] [P2] break, the signal and the end of the store end the loop", async (fixture) => {
    const [[a, b], id] = [await fixture.stores(2), fixture.id()];
    const state = a.state<number>(id);
    const seen: unknown[] = [];
    for await (const snapshot of state.watch()) {
      seen.push(snapshot);
      break;
    }
    assert.deepEqual(seen, [undefined]);
    const stop = new AbortController();
    const watch = new Watching(state, { signal: stop.signal });
    await watch.next();
    const pending = watch.step();
    await stillPending(pending);
    stop.abort();
    assert.deepEqual([await pending, await watch.step()], [over, over]);
    assert.deepEqual(await new Watching(state, { signal: stop.signal }).step(), over);
    const closed = new Watching(b.state<number>(id));
    await closed.next();
    const last = closed.step();
    await stillPending(last);
    await b.close();
    assert.deepEqual([await last, await closed.step()], [over, over]);
  }),
  proof("[E2] an outage does not end the loop; without a first value, it throws", async (fixture) => {
    const [{ store, faults }, id] = [await fixture.faultyStore({ operationMs: 500 }), fixture.id()];
    const state = store.state<number>(id);
    const watch = new Watching(state, { intervalMs: 10 });
    assert.equal(await watch.next(), undefined);
    const outage = faults.always("loadState", failBefore());
    await rejectsWith(new Watching(state).step(), "UNREACHABLE");
    const next = watch.next();
    await warned("watch-unanswered", id);
    await stillPending(next);
    outage.cancel();
    await state.save(1);
    assert.equal(await next, 1);
    await watch.end();
  }),
  needing(["putGarbage"], "[E2] [S6] what is no state ends the loop with its error", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const watch = new Watching(store.state<number>(id), { intervalMs: 10 });
    assert.equal(await watch.next(), undefined);
    const failed = rejectsWith(watch.step(), "CORRUPT_STATE");
    const [error] = await Promise.all([failed, fixture.hook("putGarbage")(id)]);
    assert.match(error.message, new RegExp(id));
    assert.deepEqual(await watch.step(), over);
  }),
];
