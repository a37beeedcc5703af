/** `store.leader()`: at most one leads, and whoever asks is not told of one that does no more [E1]. */
import { strict as assert } from "node:assert";
import type { Term } from "../../../handles/leader/leader.ts";
import { internalId } from "../../../names.ts";
import { aborted, deferred, eventually, inTime, pause, rejectsWith, stillPending } from "../../assertions.ts";
import { failBefore, meanwhile } from "../../faults.ts";
import { needing, proof, type Case } from "../../suite.ts";

/** Leads until it is told to end, or its signal aborts. */
export function leading<T = unknown>(): {
  readonly fn: (term: Term<T>) => Promise<string>;
  /** The terms so far. */
  readonly terms: Term<T>[];
  readonly inOffice: Promise<Term<T>>;
  readonly end: () => void;
} {
  const [inOffice, end] = [deferred<Term<T>>(), deferred()];
  const terms: Term<T>[] = [];
  const fn = async (term: Term<T>): Promise<string> => {
    terms.push(term);
    inOffice.resolve(term);
    await Promise.race([end.promise, aborted(term.signal)]);
    return "ended";
  };
  return { fn, terms, inOffice: inOffice.promise, end: end.resolve };
}

export const leaderCases: readonly Case[] = [
  proof(
    "[E1] one leads at a time, the next one when its function has returned; all are told who",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const [one, two] = [leading(), leading()];
      assert.equal(await a.leader(id).current(), null);
      const first = a.leader(id).run(one.fn, { value: { url: "a" } });
      const term = await one.inOffice;
      const second = b.leader(id).run(two.fn, { value: { url: "b" } });
      await stillPending(two.inOffice);
      const seen = await b.leader(id).current();
      assert.deepEqual(seen, {
        ...{ id, fence: term.fence, since: term.since, value: { url: "a" } },
        ...{ host: seen?.host, pid: process.pid, here: false },
      });
      assert.equal((await a.leader(id).current())?.here, true);
      one.end();
      assert.equal(await first, "ended");
      assert.equal(term.signal.aborted, false);
      const next = await inTime(two.inOffice);
      assert.ok(next.fence > term.fence);
      assert.deepEqual((await a.leader(id).current())?.value, { url: "b" });
      two.end();
      await second;
      assert.equal(await a.leader(id).current(), null);
      await fixture.becomesFree(internalId("leader", id));
    },
  ),
  needing(
    ["deleteLock"],
    "[E1] the office is lost: the signal aborts, nothing is proclaimed any more, and it campaigns again",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const [{ fn, terms, inOffice, end }, seen] = [leading(), deferred()];
      const running = a.leader(id, { leaseMs: 1_000 }).run(
        async (term) => {
          const result = await fn(term);
          await seen.promise;
          return result;
        },
        { value: 1 },
      );
      const term = await inOffice;
      await fixture.hook("deleteLock")(internalId("leader", id));
      assert.equal(await b.leader(id).current(), null); // the record is still there
      const reason = await aborted(term.signal);
      assert.equal(reason.code, "LOCK_LOST");
      assert.match(reason.message, new RegExp(`The lock of leader "${id}"`));
      await rejectsWith(term.proclaim(2), "LOCK_LOST");
      assert.equal(await b.leader(id).current(), null); // it does not campaign before its function has returned
      seen.resolve();
      await eventually(() => assert.equal(terms.length, 2));
      assert.ok((terms[1]?.fence ?? 0) > term.fence);
      const again = await b.leader(id).current();
      assert.equal(again?.fence, terms[1]?.fence);
      end();
      assert.equal(await running, "ended");
    },
  ),
  needing(
    ["deleteLock"],
    "[E1] errors that come from the loss are not the caller's; others are",
    async (fixture) => {
      const [a, id] = [await fixture.store(), fixture.id()];
      const leader = a.leader(id, { leaseMs: 1_000 });
      const lose = async (term: Term<unknown>): Promise<void> => {
        await fixture.hook("deleteLock")(internalId("leader", id));
        await aborted(term.signal);
      };
      let terms = 0;
      const result = await leader.run(async (term) => {
        terms += 1;
        if (terms === 5) return "fifth";
        await lose(term);
        if (terms === 4) await term.resign(); // of what is lost already
        if (terms === 1) term.signal.throwIfAborted();
        if (terms === 2) throw new DOMException("stopped", "AbortError");
        if (terms === 3) await term.proclaim("late");
        return "never";
      });
      assert.equal(result, "fifth");
      const own = new Error("own");
      const failing = leader.run(async (term) => {
        await lose(term);
        throw own;
      });
      await assert.rejects(failing, own);
    },
  ),
  proof(
    "[E1] [L5] the office is lost while it is proclaimed: the function is called in the next term",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const noRenewals = faults.always("renewLocks", failBefore("unknown"));
      const lose = async (): Promise<void> => {
        await pause(150);
        noRenewals.cancel();
      };
      faults.once("writeState", meanwhile({ after: lose }));
      const leader = store.leader(fixture.id(), { leaseMs: 100 });
      const called: boolean[] = [];
      await leader.run(({ signal }) => called.push(signal.aborted));
      assert.ok(called.length > 0 && !called.includes(true));
    },
  ),
  proof("[E1] the caller's signal ends the wait, and the term", async (fixture) => {
    const [[a, b], id] = [await fixture.stores(2), fixture.id()];
    const [one, two] = [leading(), leading()];
    const [stop, stopWaiting] = [new AbortController(), new AbortController()];
    const first = a.leader(id).run(one.fn, { signal: stop.signal });
    const term = await one.inOffice;
    const second = b.leader(id).run(two.fn, { signal: stopWaiting.signal });
    stopWaiting.abort(new Error("not now"));
    await assert.rejects(second, /not now/);
    stop.abort(new Error("shut down"));
    assert.equal((await aborted(term.signal)).message, "shut down");
    assert.equal(await first, "ended");
    await assert.rejects(a.leader(id).run(one.fn, { signal: stop.signal }), /shut down/);
    assert.equal(one.terms.length, 1);
    await fixture.becomesFree(internalId("leader", id));
  }),
  proof("[E1] resign: another one leads before the function has returned", async (fixture) => {
    const [[a, b], id] = [await fixture.stores(2), fixture.id()];
    const two = leading();
    const resigned = deferred<Term<unknown>>();
    const over = deferred();
    const first = a.leader(id).run(async (term) => {
      await Promise.all([term.resign(), term.resign()]);
      resigned.resolve(term);
      await over.promise;
      return "cleaned up";
    });
    const term = await resigned.promise;
    assert.equal(term.signal.aborted, true);
    await rejectsWith(term.proclaim("late"), "LOCK_LOST");
    assert.equal(await b.leader(id).current(), null);
    const second = b.leader(id).run(two.fn);
    await inTime(two.inOffice);
    over.resolve();
    assert.equal(await first, "cleaned up");
    two.end();
    await second;
  }),
  proof("[E1] in one process, the next term does not have the record of the last one", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const [other, id] = [await fixture.store(), fixture.id()];
    const [one, two] = [leading(), leading()];
    const runs = [one, two].map(({ fn }) => store.leader(id).run(fn));
    const first = await one.inOffice;
    const during: unknown[] = [];
    const look = async (): Promise<unknown> => during.push(await other.leader(id).current());
    faults.once("writeState", meanwhile({ after: look })); // the record of the first is deleted
    faults.once("writeState", meanwhile({ before: look }), 2); // the second has the lock, and proclaims itself
    one.end();
    const second = await inTime(two.inOffice);
    assert.deepEqual(during, [null, null]);
    assert.ok(second.fence > first.fence);
    two.end();
    await Promise.all(runs);
  }),
  proof(
    "[E1] the record cannot be deleted at the end of a term: it is not taken for the next one",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const [other, id] = [await fixture.store(), fixture.id()];
      const [one, two] = [leading(), leading()];
      const runs = [one, two].map(({ fn }) => store.leader(id).run(fn, { value: "old" }));
      const first = await one.inOffice;
      const during: unknown[] = [];
      const look = async (): Promise<void> => {
        const lock = await (await fixture.client()).backend.inspectLock(internalId("leader", id));
        during.push(lock !== null && (lock.fence ?? 0) > first.fence, await other.leader(id).current());
      };
      faults.once("writeState", () => Promise.reject(new Error("the record of the first is not deleted")));
      faults.once("writeState", meanwhile({ before: look }), 2); // the second has the lock, and proclaims itself
      one.end();
      await runs[0];
      const second = await inTime(two.inOffice);
      assert.deepEqual(during, [true, null]);
      assert.equal((await other.leader(id).current())?.fence, second.fence);
      two.end();
      await runs[1];
    },
  ),
  proof("[E1] the backend does not answer for a while: the campaign goes on", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 100 });
    const [id, { fn, inOffice, end }] = [fixture.id(), leading()];
    const down = faults.always("any", failBefore("unknown"));
    const running = store.leader(id).run(fn);
    await stillPending(inOffice);
    await pause(200);
    down.cancel();
    await inTime(inOffice);
    end();
    assert.equal(await running, "ended");
  }),
  proof(
    "[E1] watch yields the present and each change, until it is returned or the store closes",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const { fn, inOffice, end } = leading<string>();
      const changes = b.leader<string>(id).watch({ intervalMs: 10 })[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => {
        const result = await inTime(changes.next());
        if (result.done === true) return "done";
        return result.value && [result.value.fence, result.value.value];
      };
      assert.equal(await next(), null);
      const running = a.leader<string>(id).run(fn, { value: "one" });
      const term = await inOffice;
      assert.deepEqual(await next(), [term.fence, "one"]);
      await term.proclaim("two");
      assert.deepEqual(await next(), [term.fence, "two"]);
      end();
      await running;
      assert.equal(await next(), null);
      const pending = next();
      await stillPending(pending);
      await changes.return?.();
      assert.equal(await pending, "done");
      const others = b.leader(id).watch({ intervalMs: 86_400_000 })[Symbol.asyncIterator]();
      await others.next();
      const last = others.next();
      await b.close();
      assert.equal((await inTime(last)).done, true);
    },
  ),
  proof(
    "[E1] [P2] when the store begins to close, the signal aborts, and nothing is campaigned for",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const [one, two] = [leading(), leading()];
      const running = a.leader(id).run(one.fn);
      const term = await one.inOffice;
      const waiting = rejectsWith(a.leader(id).run(two.fn), "CLOSED");
      await a.close();
      await waiting;
      assert.equal(await running, "ended");
      assert.equal((term.signal.reason as { code?: string }).code, "CLOSED");
      assert.equal(await b.leader(id).run(() => "next"), "next");
    },
  ),
  proof(
    "[E1] a campaign inside a term of its own is refused; an error of the function ends the term",
    async (fixture) => {
      const [a, id] = [await fixture.store(), fixture.id()];
      const failing = a.leader(id).run(async () => {
        await rejectsWith(
          a.leader(id).run(() => 1),
          "INVALID_ARGUMENT",
        );
        throw new Error("own");
      });
      await assert.rejects(failing, /own/);
      await rejectsWith(
        a.leader(id).run(() => 1, { value: new Date() }),
        "SERIALIZATION",
      );
      await fixture.becomesFree(internalId("leader", id));
      const listed: string[] = [];
      await a.leader(id).run(async () => {
        for await (const lock of a.locks()) listed.push(lock.id);
        for await (const state of a.states()) listed.push(state.id);
      });
      assert.deepEqual(
        listed.filter((name) => name.includes(id)),
        [],
      );
    },
  ),
];
