/** Calls that their function has left behind: what is outside of it does not wait for them, and closes no circle [L15]. */
import { strict as assert } from "node:assert";
import type { Store } from "../../../store/store.ts";
import { deferred, inTime, stillPending } from "../../assertions.ts";
import { proof, type Case } from "../../suite.ts";
import { idsTogether, noted, notesIn } from "./helpers.ts";

type Fn = () => Promise<unknown>;

/** Each runs the function under something that it acquires, by the id `own` if it has one. */
type Inner = (
  store: Store,
  ids: { readonly outer: string; readonly own: string },
  fn: Fn,
) => Promise<unknown>;

const inner: readonly (readonly [what: string, runs: Inner])[] = [
  ["another lock", (store, { own }, fn) => store.lock(own).run(fn)],
  ["several locks", (store, { own }, fn) => store.lockAll([own, `${own}2`]).run(fn)],
  ["the same lock, entered again", (store, { outer }, fn) => store.lock(outer).run(fn)],
  ["a permit", (store, { own }, fn) => store.semaphore(own, { permits: 1 }).run(fn)],
  [
    "a state that it updates",
    (store, { own }, fn) =>
      store.state(own, { initial: () => 0 }).update(async (n) => {
        await fn();
        return n;
      }),
  ],
];

export const leftBehindCases: readonly Case[] = [
  ...inner.map(([what, runs]) =>
    proof(
      `[L15] a call left behind by a function under ${what}, inside of one that runs on`,
      async (fixture) => {
        const [{ store: one, faults }, two] = [await fixture.faultyStore(), await fixture.store()];
        const [a, b, c] = idsTogether(fixture);
        for (const [other, notes] of [
          [one, 0],
          [two, 2],
        ] as const) {
          const before = notesIn(faults);
          const [wanted, waiting] = await holderThatWants(other, b, a);
          let behind: Promise<unknown> = Promise.resolve();
          await one.lock(a).run(async () => {
            const leaves = async (): Promise<void> => {
              behind = one.lock(b).run(() => "late");
              await noted(faults, before + Math.min(notes, 1));
            };
            await runs(one, { outer: a, own: c }, leaves);
            await noted(faults, before + notes);
            wanted.resolve();
            await stillPending(waiting);
          });
          assert.equal(await inTime(waiting), "both");
          assert.equal(await inTime(behind), "late");
        }
      },
    ),
  ),
  proof(
    "[L15] a loop behind functions that have ended is awaited by nothing outside of it",
    async (fixture) => {
      const store = await fixture.store();
      const [a, b, c] = idsTogether(fixture);
      const [wanted, waiting] = await holderThatWants(store, b, a);
      const loops: Promise<unknown>[] = [];
      await store.lock(a).run(async () => {
        // As many as a context remembers, and some more or less.
        for (let times = 12; times < 20; times += 1) {
          const waits = deferred();
          const last: Fn = () => {
            waits.resolve();
            return store.lock(b).run(() => "late");
          };
          loops.push(
            loopOfUpdates(
              store,
              Array.from({ length: times }, () => fixture.id()),
              () => store.lock(`${c}${times}`).run(last),
            ),
          );
          await waits.promise;
        }
        wanted.resolve();
        await stillPending(waiting);
      });
      assert.equal(await inTime(waiting), "both");
      assert.deepEqual(new Set(await inTime(Promise.all(loops))), new Set(["late"]));
    },
  ),
];

/** It runs under the lock `held`, and wants the other one once `wanted` is resolved. */
async function holderThatWants(store: Store, held: string, other: string) {
  const [holds, wanted] = [deferred(), deferred()];
  const waiting = store.lock(held).run(async () => {
    holds.resolve();
    await wanted.promise;
    return store.lock(other).run(() => "both");
  });
  await holds.promise;
  return [wanted, waiting] as const;
}

/** Each function that updates a state begins the next update when it has ended; the last one calls `last`. */
async function loopOfUpdates(store: Store, [id, ...others]: readonly string[], last: Fn): Promise<unknown> {
  if (id === undefined) return last();
  const over = deferred();
  let next: Promise<unknown> = Promise.resolve();
  await store.state(id, { initial: () => 0 }).update((n) => {
    next = over.promise.then(() => loopOfUpdates(store, others, last));
    return n + 1;
  });
  over.resolve();
  return next;
}
