/** Lost replies of lock calls [S5]: no lock blocks itself, and one release frees it. */
import { strict as assert } from "node:assert";
import type { Store } from "../../store/store.ts";
import { eventually, inTime, pause, rejection } from "../assertions.ts";
import { failBefore, LateCopy, loseReply, type Fault } from "../faults.ts";
import { proof, type Case } from "../suite.ts";

interface LockOperation {
  readonly name: string;
  /** Returns the result to compare; the lock must be free afterwards. */
  run(store: Store, id: string): Promise<unknown>;
  readonly answer: unknown;
}

const operations: readonly LockOperation[] = [
  { name: "lock.run", run: (store, id) => store.lock(id).run(() => "ran"), answer: "ran" },
  {
    name: "acquire and release",
    run: async (store, id) => (await store.lock(id).acquire()).release(),
    answer: true,
  },
  {
    name: "tryAcquire and release",
    run: async (store, id) => (await store.lock(id).tryAcquire())?.release(),
    answer: true,
  },
  {
    name: "five callers at once",
    run: (store, id) => Promise.all([1, 2, 3, 4, 5].map((n) => store.lock(id).run(() => n))),
    answer: [1, 2, 3, 4, 5],
  },
  {
    name: "acquire and forceRelease by the same store",
    run: async (store, id) => {
      const grant = await store.lock(id).acquire();
      const forced = await store.lock(id).forceRelease();
      return [forced, await grant.release()];
    },
    answer: [true, false],
  },
  {
    name: "acquire and adopt by the same store",
    run: async (store, id) => {
      const grant = await store.lock(id).acquire();
      const next = await store.lock(id).adopt(grant.token());
      return [await next.release(), await grant.release()];
    },
    answer: [true, false],
  },
];

interface LockMishap {
  readonly name: string;
  plan(): { fault: Fault; settle?: () => Promise<void> };
}

const mishaps: readonly LockMishap[] = [
  { name: "its reply lost", plan: () => ({ fault: loseReply() }) },
  { name: "a failure before it is carried out", plan: () => ({ fault: failBefore("unknown") }) },
  {
    name: "its first copy arriving after the retry",
    plan() {
      const copy = new LateCopy();
      return { fault: copy.afterRetry, settle: () => copy.deliver() };
    },
  },
  {
    name: "its first copy arriving at the end",
    plan() {
      const copy = new LateCopy();
      return { fault: copy.fault, settle: () => copy.deliver() };
    },
  },
];

function matrixCase(operation: LockOperation, mishap: LockMishap): Case {
  return {
    name: `[S5] ${operation.name}, at each backend call with ${mishap.name}: takes effect once, and leaves nothing`,
    async run(fixture) {
      const { store, faults } = await fixture.faultyStore();
      for (let nth = 1, fired = true; fired; nth += 1) {
        const id = fixture.id();
        const { fault, settle } = mishap.plan();
        const plan = faults.once("any", fault, nth);
        assert.deepEqual(await operation.run(store, id), operation.answer, `call ${String(nth)}`);
        await settle?.();
        plan.cancel();
        fired = plan.fired;
        await fixture.becomesFree(id);
      }
    },
  };
}

const oneByOne: readonly Case[] = [
  proof(
    "[S5] a waiter whose asks lose their replies has one place in the queue, and gets the lock",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const id = fixture.id();
      const held = await other.lock(id).acquire();
      faults.once("acquireLock", loseReply());
      faults.once("acquireLock", loseReply(), 2);
      const waiting = store.lock(id).acquire();
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
      await held.release();
      await (await waiting).release();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[S5] a release whose reply is lost while the next one enters: the next one keeps the lock",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const id = fixture.id();
      const grant = await store.lock(id).acquire();
      const next = other.lock(id).acquire();
      await eventually(async () => assert.equal((await store.lock(id).inspect())?.waiters, 1));
      faults.once(
        "releaseLock",
        loseReply(() => next),
      );
      assert.equal(await grant.release(), true);
      const entered = await next;
      assert.equal((await other.lock(id).inspect())?.fence, entered.fence);
      assert.equal(await entered.release(), true);
    },
  ),
  proof(
    "[S5] [L7] a cancel whose reply is lost is repeated, and its first copy does no harm",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const other = await fixture.store();
      const id = fixture.id();
      const held = await other.lock(id).acquire();
      const copy = new LateCopy();
      faults.once("cancelLock", copy.fault);
      const given = await rejection(store.lock(id).acquire({ waitMs: 30 }));
      assert.equal(given.code, "LOCK_TIMEOUT");
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 0));
      const again = store.lock(id).acquire();
      await eventually(async () => assert.equal((await other.lock(id).inspect())?.waiters, 1));
      await copy.deliver();
      await pause(10);
      assert.equal((await other.lock(id).inspect())?.waiters, 1); // the new waiter is another ticket
      await held.release();
      await (await again).release();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[S5] forceRelease whose reply is lost, with another holder at the retry: only the first holder is released",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [first, second] = await fixture.stores(2);
      const id = fixture.id();
      const held = await first.lock(id).acquire();
      const next = second.lock(id).acquire();
      await eventually(async () => assert.equal((await first.lock(id).inspect())?.waiters, 1));
      faults.once(
        "releaseLock",
        loseReply(() => next),
      );
      assert.equal(await store.lock(id).forceRelease(), true);
      const entered = await next;
      assert.equal(await held.release(), false);
      assert.equal(entered.signal.aborted, false);
      assert.equal(await entered.release(), true);
    },
  ),
  proof(
    "[L1] [L5] [L7] a release that keeps the lock, its reply lost for longer than the lease: it is not handed out",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 300, waitMs: 60_000 });
      const [other, id] = [await fixture.store({ waitMs: 60_000 }), fixture.id()];
      const first = await store.lock(id).acquire();
      const inside = { other: false };
      const second = store.lock(id).run(() => inside.other);
      // Kept, since no other client waits. No reply comes until the lease has ended and another client has the lock.
      const fault = loseReply(async () => {
        const grant = await other.lock(id).acquire();
        inside.other = true;
        void pause(400).then(() => {
          inside.other = false;
          return grant.release();
        });
      });
      faults.once("releaseLock", fault);
      await first.release();
      assert.equal(await inTime(second), false, "both were inside");
    },
  ),
  proof("[L7] a late grant whose cancel is lost is released nevertheless", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
    const id = fixture.id();
    // The ask is carried out, but every reply is lost until the caller has given up.
    const silent = faults.always("acquireLock", loseReply());
    const lost = faults.always("cancelLock", loseReply());
    assert.equal((await rejection(store.lock(id).acquire())).code, "UNREACHABLE");
    lost.cancel();
    silent.cancel();
    await fixture.becomesFree(id);
  }),
];

export const lostReplyCases: readonly Case[] = [
  ...operations.flatMap((operation) => mishaps.map((mishap) => matrixCase(operation, mishap))),
  ...oneByOne,
];
