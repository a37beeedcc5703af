/** The attempts of `store.once()`: numbered, fenced, refused when they are late, and what is remembered of them [O1]. */
import { strict as assert } from "node:assert";
import type { Serializer } from "../../serializers/serializer.ts";
import { internalId } from "../../names.ts";
import type { OnceAttempt } from "../../updates/once-changes.ts";
import { aborted, assertRises, deferred, inTime, pause, rejection, rejectsWith } from "../assertions.ts";
import { failBefore, loseReply, meanwhile } from "../faults.ts";
import { needing, proof, type Case } from "../suite.ts";
import { keepMs, neverCalled, slow } from "./once.ts";

export const onceAttemptCases: readonly Case[] = [
  proof(
    "[O1] [L5] the lock is lost while the attempt is counted: the function is not called",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore({ leaseMs: 100 });
      const once = store.once(fixture.id(), { keepMs });
      const noRenewals = faults.always("renewLocks", failBefore("unknown"));
      faults.once("writeState", meanwhile({ after: () => pause(150) }));
      const error = await rejectsWith(once.run(neverCalled), "LOCK_LOST");
      assert.equal(error.result, undefined);
      noRenewals.cancel();
      assert.equal(await once.run(({ attempt }) => attempt, { leaseMs: 10_000 }), 2);
    },
  ),
  proof(
    "[O1] an error is not remembered: the next caller runs its function, as attempt 2",
    async (fixture) => {
      const [[store, other], id] = [await fixture.stores(2), fixture.id()];
      const attempts: OnceAttempt[] = [];
      const failure = new Error("no");
      const fail = (attempt: OnceAttempt): never => {
        attempts.push(attempt);
        throw failure;
      };
      const [one, two] = [store, other].map((each) => each.once(id, { keepMs }));
      assert.ok(one !== undefined && two !== undefined);
      const failed = await Promise.all([1, 2, 3].map(() => rejection(one.run(fail))));
      assert.deepEqual(failed, [failure, failure, failure]);
      assert.equal(failed[0], failure);
      assert.equal(await two.peek(), null);
      assert.equal(
        await two.run((attempt) => {
          attempts.push(attempt);
          return "yes";
        }),
        "yes",
      );
      assert.deepEqual(
        attempts.map(({ attempt }) => attempt),
        [1, 2, 3, 4],
      );
      assertRises(
        attempts.map(({ fence }) => fence),
        "fences",
      );
      assert.equal(await one.run(neverCalled), "yes");
    },
  ),
  proof('[O1] errors: "remember": later callers get its name, message and code', async (fixture) => {
    const [[store, other], id] = [await fixture.stores(2), fixture.id()];
    const options = { keepMs, errors: "remember" } as const;
    const own = Object.assign(new RangeError("too far"), { code: "E_FAR", detail: 5 });
    const fail = (): never => {
      throw own;
    };
    assert.equal(await rejection(store.once(id, options).run(fail)), own);
    for (const call of [
      () => other.once(id, options).run(neverCalled),
      () => other.once(id, options).tryRun(neverCalled),
    ]) {
      const error = await rejection(call());
      assert.deepEqual([error.name, error.message, error.code], ["RangeError", "too far", "E_FAR"]);
      assert.equal("detail" in error, false);
    }
    const peeked = await other.once(id, options).peek();
    assert.ok(peeked !== null && "error" in peeked && peeked.error.message === "too far");
  }),
  proof("[O1] the same key with another fingerprint is a conflict", async (fixture) => {
    const [[store, other], id] = [await fixture.stores(2), fixture.id()];
    const one = { keepMs, fingerprint: { amount: 5 } };
    const two = { keepMs, fingerprint: { amount: 6 } };
    const { fn, called, end } = slow();
    const running = store.once(id, one).run(fn);
    await called;
    await rejectsWith(other.once(id, two).run(neverCalled), "CONFLICT"); // while it runs, without waiting
    end();
    await running;
    for (const each of [store, other]) {
      await rejectsWith(each.once(id, two).run(neverCalled), "CONFLICT");
      await rejectsWith(each.once(id, two).tryRun(neverCalled), "CONFLICT");
      await rejectsWith(each.once(id, two).peek(), "CONFLICT");
      assert.deepEqual(await each.once(id, one).run(neverCalled), { attempt: 1 });
      assert.deepEqual(await each.once(id, { keepMs }).run(neverCalled), { attempt: 1 }); // not compared
    }
    await other.once(id, two).forget();
    assert.equal(await other.once(id, two).run(() => "anew"), "anew");
    await rejectsWith(store.once(id, one).run(neverCalled), "CONFLICT");
  }),
  proof(
    "[O1] the record is gone when the function ends: it is not called again, and is remembered",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [{ backend }, id] = [await fixture.client(), fixture.id()];
      let runs = 0;
      const result = await store.once(id, { keepMs }).run(async () => {
        runs += 1;
        const [key, ticket] = faults.calls.find(({ method }) => method === "acquireLock")?.args ?? [];
        const receipt = { sequence: 900, n: 1, keepMs };
        const reply = await backend.writeState(String(key), { kind: "delete" }, String(ticket), receipt);
        assert.equal(reply.status, "deleted");
        return runs;
      });
      assert.deepEqual([result, runs], [1, 1]);
      assert.equal(await store.once(id, { keepMs }).run(neverCalled), 1);
    },
  ),
  needing(
    ["deleteLock"],
    "[O1] the lock is lost while the function runs: another runs it, and the late result is refused",
    async (fixture) => {
      const [[store, other], id] = [await fixture.stores(2), fixture.id()];
      const { fn, called, end } = slow();
      const late = store.once(id, { keepMs, leaseMs: 1_000 }).run(fn);
      const { signal, fence } = await called;
      await fixture.hook("deleteLock")(internalId("once", id));
      const second = await other.once(id, { keepMs }).run(({ attempt, fence }) => ({ attempt, fence }));
      assert.equal(second.attempt, 2);
      assert.ok(second.fence > fence);
      await aborted(signal);
      end();
      const error = await rejectsWith(late, "LOCK_LOST");
      assert.deepEqual(error.result, { attempt: 1 });
      const own = new Error("own");
      const failing = store.once(fixture.id(), { keepMs, leaseMs: 1_000 });
      const failed = failing.run(async (attempt) => {
        await fixture.hook("deleteLock")(internalId("once", failing.id));
        await aborted(attempt.signal);
        throw own;
      });
      assert.equal(await rejection(failed), own);
      assert.equal((await store.once(id, { keepMs }).run<{ attempt: number }>(neverCalled)).attempt, 2);
    },
  ),
  proof(
    "[O1] [S5] replies are lost: the function is called once, and its result is remembered",
    async (fixture) => {
      for (const method of ["acquireLock", "writeState", "releaseLock"] as const) {
        const { store, faults } = await fixture.faultyStore();
        const [id, attempts] = [fixture.id(), [] as number[]];
        faults.once(method, loseReply());
        const run = (): Promise<string> =>
          store.once(id, { keepMs }).run(({ attempt }) => {
            attempts.push(attempt);
            return method;
          });
        assert.equal(await run(), method);
        assert.equal(await run(), method);
        assert.deepEqual(attempts, [1]);
      }
    },
  ),
  proof("[O1] a value that cannot be kept is an error of its attempt", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const once = store.once(id, { keepMs, errors: "remember" });
    const error = await rejectsWith(
      once.run(() => new Date()),
      "SERIALIZATION",
    );
    assert.match(error.message, /\$\.value is an instance of Date/);
    assert.equal(await once.run(({ attempt }) => attempt), 2);
  }),
  proof("[O1] a function that asks for its own key is refused; another key is not", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const once = store.once(id, { keepMs });
    const result = await once.run(async () => {
      await rejectsWith(once.run(neverCalled), "INVALID_ARGUMENT");
      await rejectsWith(once.tryRun(neverCalled), "INVALID_ARGUMENT");
      await rejectsWith(once.forget(), "INVALID_ARGUMENT");
      return store.once(fixture.id(), { keepMs }).run(() => "inner");
    });
    assert.equal(result, "inner");
  }),
  proof("[O1] [P2] a function that runs while its store closes ends, and is remembered", async (fixture) => {
    const [[store, other], id] = [await fixture.stores(2), fixture.id()];
    const { fn, called, end } = slow();
    const running = store.once(id, { keepMs }).run(fn);
    const waiting = rejection(store.once(id, { keepMs }).run(neverCalled));
    await called;
    const closing = store.close();
    assert.equal((await waiting).code, "CLOSED");
    end();
    await Promise.all([running, closing]);
    assert.deepEqual(await other.once(id, { keepMs }).run(neverCalled), { attempt: 1 });
  }),
  proof(
    "[O1] what a waiter finds is forgotten before it has its answer: it runs its function",
    async (fixture) => {
      const [[store, other], id] = [await fixture.stores(2, { waitMs: 60_000 }), fixture.id()];
      const brief = 50;
      // Reading an outcome takes longer than it is kept.
      const slow: Serializer = {
        name: "json",
        serialize: (value) => Buffer.from(JSON.stringify(value)),
        deserialize: (bytes) => {
          const value = JSON.parse(Buffer.from(bytes).toString()) as { done?: string };
          for (const from = Date.now(); value.done !== undefined && Date.now() < from + brief + 10;);
          return value;
        },
      };
      const [running, go] = [deferred(), deferred()];
      const first = store.once(id, { keepMs: brief }).run(async () => {
        running.resolve();
        await go.promise;
        return "first";
      });
      await running.promise;
      const slowly = other.once(id, { keepMs: brief, serializer: slow });
      const waiting = [slowly.run(() => "second")];
      await pause(30); // after the ask that is answered with what is stored
      waiting.push(slowly.run(() => "third"));
      await pause(30); // they wait for the lock
      go.resolve();
      assert.equal(await first, "first");
      for (const call of waiting) assert.match(await inTime(call), /first|second|third/);
    },
  ),
  proof("[O1] a failed call without a fingerprint leaves that of an earlier one", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const fail = (): never => {
      throw new Error("no");
    };
    await rejection(store.once(id, { keepMs, fingerprint: "A" }).run(fail));
    await rejection(store.once(id, { keepMs }).run(fail));
    await rejectsWith(store.once(id, { keepMs, fingerprint: "B" }).run(neverCalled), "CONFLICT");
    assert.equal(await store.once(id, { keepMs, fingerprint: "A" }).run(({ attempt }) => attempt), 3);
  }),
];
