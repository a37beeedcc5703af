/** Deadlocks as callers meet them: one of the calls in a cycle is ended, and the others go on [L15]. */
import { strict as assert } from "node:assert";
import type { Store } from "../../../store/store.ts";
import { deferred, eventually, inTime, rejectsWith, stillPending, type Failure } from "../../assertions.ts";
import type { Fixture } from "../../fixture.ts";
import { proof, type Case } from "../../suite.ts";
import { idsTogether, noted, notesIn } from "./helpers.ts";

/** A function that holds one lock and wants another. */
type Step = (whenHeld: () => Promise<void>) => Promise<unknown>;

/** Runs them all at once: each waits for what it wants when all hold what they hold. */
async function allAtOnce(steps: readonly Step[]): Promise<PromiseSettledResult<unknown>[]> {
  const all = deferred();
  let missing = steps.length;
  const whenHeld = (): Promise<void> => {
    missing -= 1;
    if (missing === 0) all.resolve();
    return all.promise;
  };
  return inTime(Promise.allSettled(steps.map((step) => step(whenHeld))));
}

const lockUnder =
  (store: Store, held: string, wanted: string): Step =>
  (whenHeld) =>
    store.lock(held).run(async () => {
      await whenHeld();
      return store.lock(wanted).run(() => "both");
    });

/** One of them got the error, the others both locks. */
function oneWasEnded(results: readonly PromiseSettledResult<unknown>[]): Failure {
  const ended = results.flatMap((result) => (result.status === "rejected" ? [result.reason as Failure] : []));
  assert.equal(ended.length, 1, `ended: ${ended.map(String).join("; ")}`);
  const [error] = ended as [Failure];
  assert.equal(error.code, "DEADLOCK", error.stack);
  assert.equal(error.outcome, "none");
  assert.equal(error.name, "LockTimeoutError");
  return error;
}

async function leavesNothing(fixture: Fixture, ids: readonly string[]): Promise<void> {
  for (const id of ids) await fixture.becomesFree(id);
}

export const deadlockCases: readonly Case[] = [
  proof(
    "[L15] two clients lock two ids in crossed order: one is told, the other goes on",
    async (fixture) => {
      const [one, two] = await fixture.stores(2);
      const [a, b] = idsTogether(fixture);
      const error = oneWasEnded(await allAtOnce([lockUnder(one, a, b), lockUnder(two, b, a)]));
      for (const id of [a, b]) assert.match(error.message, new RegExp(`"${id.replaceAll(/[{}]/g, "\\$&")}"`));
      assert.match(
        error.message,
        /^Deadlock: .*held by process \d+ on \S+, which needs the lock .* first.*lockAll\(\)/,
      );
      await leavesNothing(fixture, [a, b]);
    },
  ),
  proof("[L15] three clients in a circle; a fourth one that only waits goes on", async (fixture) => {
    const [one, two, three, four] = (await fixture.stores(4)) as [Store, Store, Store, Store];
    const [a, b, c] = idsTogether(fixture);
    const steps = [lockUnder(one, a, b), lockUnder(two, b, c), lockUnder(three, c, a)];
    const waiting = deferred();
    const fourth: Step = async (whenHeld) => {
      await whenHeld();
      waiting.resolve();
      return four.lock(b).run(() => "alone");
    };
    const error = oneWasEnded(await allAtOnce([...steps, fourth]));
    for (const id of [a, b, c]) assert.ok(error.message.includes(JSON.stringify(id)));
    await leavesNothing(fixture, [a, b, c]);
  }),
  proof("[L15] within one process: the call that closes the circle is told at once", async (fixture) => {
    const store = await fixture.store();
    const [a, b, c] = idsTogether(fixture);
    const [held, waits] = [deferred(), deferred()];
    const first = store.lock(a).run(async () => {
      held.resolve();
      await waits.promise;
      return store.lock(b).run(() => "both");
    });
    await held.promise;
    await store.lock(b).run(async () => {
      const middle = store.lock(b).run(() => store.lock(c).run(() => "free"));
      assert.equal(await middle, "free");
      waits.resolve();
      await stillPending(first);
      const error = await rejectsWith(store.lock(a).acquire(), "DEADLOCK");
      assert.match(error.message, /held by this process, which needs the lock/);
      await stillPending(first); // who waits goes on waiting, and this function goes on
    });
    assert.equal(await inTime(first), "both");
    await leavesNothing(fixture, [a, b, c]);
  }),
  proof("[L15] a circle through two callers of one process and another one", async (fixture) => {
    const [one, two] = await fixture.stores(2);
    const [a, b, c] = idsTogether(fixture);
    const steps = [lockUnder(one, a, b), lockUnder(one, b, c), lockUnder(two, c, a)];
    const error = oneWasEnded(await allAtOnce(steps));
    for (const id of [a, c]) assert.ok(error.message.includes(JSON.stringify(id)), error.message);
    await leavesNothing(fixture, [a, b, c]);
  }),
  proof(
    "[L15] updates of states in crossed order, with functions that call each other's",
    async (fixture) => {
      const [one, two] = await fixture.stores(2);
      const [a, b] = idsTogether(fixture);
      const update =
        (store: Store, held: string, wanted: string): Step =>
        (whenHeld) =>
          store.state(held, { initial: () => 0 }).update(async (n) => {
            await whenHeld();
            await store.state(wanted, { initial: () => 0 }).update((m) => m + 1);
            return n + 1;
          });
      oneWasEnded(await allAtOnce([update(one, a, b), update(two, b, a)]));
      // The one that was told has saved nothing, the other has saved both.
      assert.deepEqual([await one.state(a).load(), await one.state(b).load()], [1, 1]);
    },
  ),
  proof("[L15] a caller that catches the error can go on under the lock that it has", async (fixture) => {
    const [one, two] = await fixture.stores(2);
    const [a, b] = idsTogether(fixture);
    const patient =
      (store: Store, held: string, wanted: string): Step =>
      (whenHeld) =>
        store.lock(held).run(async (grant) => {
          await whenHeld();
          try {
            return await store.lock(wanted).run(() => "both");
          } catch (error) {
            assert.equal((error as Failure).code, "DEADLOCK");
            assert.ok(!grant.signal.aborted);
            await store.state(held).save("by the one that was told");
            return "one";
          }
        });
    const results = await allAtOnce([patient(one, a, b), patient(two, b, a)]);
    const values = results.map((result) =>
      String(result.status === "fulfilled" ? result.value : result.reason),
    );
    assert.deepEqual(values.sort(), ["both", "one"]);
    await leavesNothing(fixture, [a, b]);
  }),
  proof(
    "[L15] [L14] lockAll, which holds some of its ids while it waits, and a lock in another order",
    async (fixture) => {
      const [one, two] = await fixture.stores(2);
      const [a, b] = idsTogether(fixture);
      const all: Step = async (whenHeld) => {
        await whenHeld();
        return one.lockAll([a, b]).run(() => "both");
      };
      const crossed: Step = (whenHeld) =>
        two.lock(b).run(async () => {
          await whenHeld();
          await eventually(async () => assert.notEqual(await two.lock(a).inspect(), null)); // lockAll has it
          return two.lock(a).run(() => "both");
        });
      oneWasEnded(await allAtOnce([all, crossed]));
      await leavesNothing(fixture, [a, b]);
    },
  ),
  proof("[L15] [L12] a reader that wants what a writer holds, who waits for all readers", async (fixture) => {
    const [one, two, three] = await fixture.stores(3);
    const [a, b] = idsTogether(fixture);
    const [reads, end] = [deferred(), deferred()];
    const read = (store: Store, fn: () => Promise<unknown>): Promise<unknown> =>
      store.lock(a).run(fn, { shared: true });
    const other = read(three, () => {
      reads.resolve();
      return end.promise;
    });
    await reads.promise;
    const reader: Step = (whenHeld) =>
      read(one, async () => {
        await whenHeld();
        return one.lock(b).run(() => "both");
      });
    const steps = [reader, lockUnder(two, b, a)].map(
      (step): Step =>
        (whenHeld) =>
          step(whenHeld).finally(() => end.resolve()),
    );
    oneWasEnded(await allAtOnce(steps));
    await other;
    await leavesNothing(fixture, [a, b]);
  }),
  proof(
    "[L15] grants that were acquired by hand close no circle; a timeout says what the caller holds",
    async (fixture) => {
      const [one, two] = await fixture.stores(2);
      const [a, b] = idsTogether(fixture);
      const byHand = await one.lock(a).acquire();
      const held = deferred();
      const waiting = two.lock(b).run(async () => {
        held.resolve();
        return two.lock(a).run(() => "both");
      });
      await held.promise;
      const error = await rejectsWith(one.lock(b).acquire({ waitMs: 400 }), "LOCK_TIMEOUT");
      assert.doesNotMatch(error.message, /Its caller holds/);
      await byHand.release();
      assert.equal(await inTime(waiting), "both");
      await one.lock(a).run(async () => {
        const taken = await two.lock(b).acquire();
        const late = await rejectsWith(one.lock(b).acquire({ waitMs: 20 }), "LOCK_TIMEOUT");
        assert.ok(late.message.endsWith(` Its caller holds the lock ${JSON.stringify(a)}.`), late.message);
        await taken.release();
      });
      await leavesNothing(fixture, [a, b]);
    },
  ),
  proof("[L15] a call that its function has left behind closes no circle", async (fixture) => {
    const [{ store: one, faults }, two] = [await fixture.faultyStore(), await fixture.store()];
    const [a, b] = idsTogether(fixture);
    const [held, go] = [deferred(), deferred()];
    const other = two.lock(b).run(async () => {
      held.resolve();
      await go.promise;
      assert.equal(await two.lock(a).tryAcquire(), null);
      return two.lock(a).run(() => "both");
    });
    await held.promise;
    let behind: Promise<unknown> = Promise.resolve();
    await one.lock(a).run(async () => {
      behind = one.lock(b).run(() => "late"); // nobody awaits it in here
      await noted(faults, 1);
    });
    await one.lock(a).run(async () => {
      await noted(faults, 2);
      go.resolve();
      await stillPending(other);
    });
    assert.equal(await inTime(other), "both");
    assert.equal(await inTime(behind), "late");
  }),
  proof("[L15] [L7] a call that gave up closes no circle any more", async (fixture) => {
    const [{ store: one, faults }, two] = [await fixture.faultyStore(), await fixture.store()];
    const [a, b] = idsTogether(fixture);
    const [held, go, end] = [deferred(), deferred(), new AbortController()];
    const other = two.lock(b).run(async () => {
      held.resolve();
      await go.promise;
      return two.lock(a).run(() => "both");
    });
    await held.promise;
    const patient = one.lock(b).run(() => "third"); // for it, the ticket stays in the queue
    await one.lock(a).run(async () => {
      const waiting = one.lock(b).acquire({ signal: end.signal });
      await noted(faults, 1);
      end.abort(new Error("enough"));
      await assert.rejects(waiting, /enough/);
      await noted(faults, 2);
      go.resolve();
      await stillPending(other);
    });
    assert.equal(await inTime(other), "both");
    assert.equal(await inTime(patient), "third");
    await leavesNothing(fixture, [a, b]);
  }),
  proof("[L15] nothing is noted of calls outside of such functions, nor of short waits", async (fixture) => {
    const [{ store: one, faults }, two] = [await fixture.faultyStore(), await fixture.store()];
    const [a, b] = idsTogether(fixture);
    const grant = await two.lock(b).acquire();
    await rejectsWith(one.lock(b).acquire({ waitMs: 200 }), "LOCK_TIMEOUT");
    await one.lock(a).run(async () => {
      await rejectsWith(one.lock(b).acquire({ waitMs: 0 }), "LOCK_TIMEOUT");
      assert.equal(await one.lock(b).tryAcquire(), null);
    });
    await grant.release();
    await one.lock(a).run(() => one.lock(b).run(() => one.state(b).save(1)));
    assert.equal(notesIn(faults), 0);
  }),
];
