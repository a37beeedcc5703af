/** Transactions that wait, lose a lock, or get no answer [S9]: all or nothing, once. */
import { strict as assert } from "node:assert";
import { aborted, deferred, eventually, rejection, rejectsWith, stillPending } from "../../assertions.ts";
import { failBefore, hang, LateCopy, loseReply, meanwhile } from "../../faults.ts";
import { needing, proof, type Case } from "../../suite.ts";
import { accountIds, allFree, assertCents, move, twoAccounts } from "./accounts.ts";

export const transactFailureCases: readonly Case[] = [
  proof("[S9] [S5] the reply to the commit is lost: it is done once, and acknowledged", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    let calls = 0;
    for (const fault of [loseReply(), failBefore("unknown"), failBefore("none")]) {
      faults.once("commitStates", fault);
      const result = await store.transact(states, (drafts) => {
        calls += 1;
        move(10)(drafts);
        return drafts[0].cents;
      });
      assert.equal(result, 100 - 10 * calls);
    }
    assert.equal(calls, 3);
    await assertCents(states, [70, 130]);
    await allFree(fixture, ids);
  }),
  proof(
    "[S9] [S5] the reply is lost, and another client changes a state before the retry",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const ids = accountIds(fixture, 2);
      const states = twoAccounts(store, ids);
      const [rival] = twoAccounts(await fixture.store(), ids);
      faults.once(
        "commitStates",
        loseReply(() => rival.update((draft) => void (draft.cents += 1))),
      );
      await store.transact(states, move(10));
      await assertCents(states, [91, 110]);
    },
  ),
  proof("[S9] [S5] a late copy of a commit does nothing", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const copy = new LateCopy();
    faults.once("commitStates", copy.fault);
    await store.transact(states, move(10));
    await store.transact(states, move(10));
    await copy.deliver();
    await assertCents(states, [80, 120]);
    await allFree(fixture, ids);
  }),
  proof(
    "[S9] [S4] [L1] a late copy of a commit does nothing to the next holder of this process",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
      const ids = accountIds(fixture, 2);
      const states = twoAccounts(store, ids);
      const copy = new LateCopy();
      const plan = faults.always("commitStates", copy.fault);
      const unanswered = store.transact(states, move(10));
      let held = 0;
      // They come in the same tick, so the locks are held on for them.
      const next = ids.map((id) =>
        store.lock(id).run(async () => {
          held += 1;
          await eventually(() => assert.equal(held, 2)); // both, or the copy would be refused because of the other
          await copy.deliver();
        }),
      );
      assert.equal((await rejectsWith(unanswered, "UNREACHABLE")).outcome, "unknown");
      plan.cancel();
      await Promise.all(next);
      await assertCents(states, [100, 100]);
      await allFree(fixture, ids);
    },
  ),
  proof(
    "[S9] no answer at all: an error with an unknown outcome, and the locks become free",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
      const ids = accountIds(fixture, 2);
      const states = twoAccounts(store, ids);
      faults.once("commitStates", hang());
      const error = await rejectsWith(store.transact(states, move(10)), "UNREACHABLE");
      assert.equal(error.outcome, "unknown");
      await assertCents(states, [100, 100]);
      await allFree(fixture, ids);
      await store.transact(states, move(1));
      await assertCents(states, [99, 101]);
    },
  ),
  proof("[S9] it certainly did not arrive: an error with the outcome none", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 300 });
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const plan = faults.always("commitStates", failBefore());
    const error = await rejectsWith(store.transact(states, move(10)), "UNREACHABLE");
    plan.cancel();
    assert.equal(error.outcome, "none");
    await assertCents(states, [100, 100]);
    await allFree(fixture, ids);
  }),
  proof("[S9] [S4] a lock is lost while the function runs: nothing is saved", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const losing = store.transact(states, async (drafts, { signal }) => {
      move(10)(drafts);
      await other.lock(ids[1] ?? "").forceRelease();
      await aborted(signal).catch(() => undefined);
    });
    await rejectsWith(losing, "LOCK_LOST");
    await assertCents(states, [100, 100]);
    await allFree(fixture, ids);
  }),
  needing(["deleteLock"], "[S9] [S4] a lock is lost unnoticed: the server refuses all", async (fixture) => {
    const store = await fixture.store();
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const losing = store.transact(states, async (drafts) => {
      move(10)(drafts);
      await fixture.hook("deleteLock")(ids[1] ?? "");
    });
    await rejectsWith(losing, "LOCK_LOST");
    await assertCents(states, [100, 100]);
    await allFree(fixture, ids);
  }),
  needing(
    ["deleteLock"],
    "[S9] [S4] a lock is lost unnoticed while states are only read: no result of states that were not stored together",
    async (fixture) => {
      const [store, other] = await fixture.stores(2);
      const ids = accountIds(fixture, 2);
      const states = twoAccounts(store, ids);
      const reading = store.transact(states, async ([a, b]) => {
        await fixture.hook("deleteLock")(ids[1] ?? "");
        await twoAccounts(other, ids)[1].run((draft) => void (draft.cents += 1));
        return a.cents + b.cents;
      });
      await rejectsWith(reading, "LOCK_LOST");
      await assertCents(states, [100, 101]);
      await allFree(fixture, ids);
    },
  ),
  proof("[S9] a state has expired when the commit arrives: the function is called again", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const [rival] = twoAccounts(await fixture.store(), ids);
    await states[0].save({ cents: 500 });
    const expire = async (): Promise<void> => {
      await rival.touch(1);
      await eventually(async () => assert.equal(await rival.read(), undefined));
    };
    faults.once("commitStates", meanwhile({ before: expire }));
    const seen: number[] = [];
    const result = await store.transact(states, (drafts) => {
      seen.push(drafts[0].cents);
      move(10)(drafts);
      return seen.length;
    });
    assert.deepEqual([seen, result], [[500, 100], 2]);
    await assertCents(states, [90, 110]);
    await allFree(fixture, ids);
  }),
  proof(
    "[S9] [P2] it would be called again, but the locks were lost meanwhile: it is not",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const ids = accountIds(fixture, 2);
      const states = twoAccounts(store, ids);
      const [rival] = twoAccounts(await fixture.store(), ids);
      await states[0].save({ cents: 500 });
      let lost: Promise<unknown> | undefined;
      const before = async (): Promise<void> => {
        await rival.touch(1);
        await eventually(async () => assert.equal(await rival.read(), undefined));
      };
      const after = async (): Promise<void> => {
        void store.close({ drainMs: 0 });
        await lost;
      };
      faults.once("commitStates", meanwhile({ before, after }));
      let calls = 0;
      const losing = store.transact(states, (drafts, { signal }) => {
        calls += 1;
        lost = aborted(signal).catch(() => undefined);
        move(10)(drafts);
      });
      await rejectsWith(losing, "CLOSED");
      assert.equal(calls, 1);
      assert.equal(await rival.read(), undefined);
      await allFree(fixture, ids);
    },
  ),
  proof("[S9] a state that is only read has expired: the function is called again", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    const [rival] = twoAccounts(await fixture.store(), ids);
    await a.save({ cents: 500 });
    const expire = async (): Promise<void> => {
      await rival.touch(1);
      await eventually(async () => assert.equal(await rival.read(), undefined));
    };
    faults.once("commitStates", meanwhile({ before: expire }));
    await store.transact([a, b], ([one, two]) => void (two.cents = one.cents));
    await assertCents([a, b], [100, 100]);
  }),
  proof("[S9] [S6] a state that cannot be read: nothing is changed", async (fixture) => {
    const store = await fixture.store();
    const ids = accountIds(fixture, 2);
    const [a, b] = twoAccounts(store, ids);
    const text = {
      name: "text",
      serialize: (value: unknown) => Buffer.from(String(value)),
      deserialize: (bytes: Uint8Array) => Buffer.from(bytes).toString(),
    };
    await store.state(b.id, { serializer: text }).save("text");
    await rejectsWith(store.transact([a, b], move(1)), "CORRUPT_STATE");
    await assertCents([a], [100]);
    assert.equal(await store.state(b.id, { serializer: text }).load(), "text");
    await allFree(fixture, ids);
  }),
  proof("[S9] [L7] a time-out names the id and its holder; an abort ends the wait", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const held = await other.lock(ids[1] ?? "").acquire();
    for (const waitMs of [0, 50]) {
      const error = await rejectsWith(store.transact(states, move(1), { waitMs }), "LOCK_TIMEOUT");
      assert.match(error.message, new RegExp(`${ids[1] ?? ""}.*${String(process.pid)}`));
    }
    const [controller, reason] = [new AbortController(), new Error("enough")];
    const waiting = store.transact(states, move(1), { signal: controller.signal });
    await stillPending(waiting);
    controller.abort(reason);
    assert.equal(await rejection(waiting), reason);
    assert.equal(await rejection(store.transact(states, move(1), { signal: controller.signal })), reason);
    await held.release();
    await assertCents(states, [100, 100]);
    await allFree(fixture, ids);
  }),
  proof("[S9] [L5] a function that does not end: its locks are given up", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = accountIds(fixture, 2);
    const states = twoAccounts(store, ids);
    const [begun, end] = [deferred(), deferred()];
    const long = store.transact(
      states,
      async (drafts, { signal }) => {
        begun.resolve();
        move(10)(drafts);
        await aborted(signal);
        await end.promise;
      },
      { maxHoldMs: 100 },
    );
    await begun.promise;
    await other.transact(twoAccounts(other, ids), move(1));
    end.resolve();
    await rejectsWith(long, "LOCK_LOST");
    await assertCents(states, [99, 101]);
  }),
  proof("[S9] [P2] closing lets a running transaction commit", async (fixture) => {
    const [store, other] = await fixture.stores(2);
    const ids = accountIds(fixture, 2);
    const [begun, end] = [deferred(), deferred()];
    const running = store.transact(twoAccounts(store, ids), async (drafts) => {
      begun.resolve();
      await end.promise;
      move(10)(drafts);
    });
    await begun.promise;
    const closing = store.close();
    end.resolve();
    await running;
    await closing;
    await assertCents(twoAccounts(other, ids), [90, 110]);
    await rejectsWith(store.transact(twoAccounts(store, ids), move(1)), "CLOSED");
    await allFree(fixture, ids);
  }),
];
