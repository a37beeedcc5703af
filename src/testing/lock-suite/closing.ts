/** close() as a user sees it [P2]: waiters are rejected, bodies may finish, and every lock is freed. */
import { strict as assert } from "node:assert";
import { aborted, deferred, eventually, pause, rejection, rejectsWith } from "../assertions.ts";
import { failBefore } from "../faults.ts";
import { proof, type Case } from "../suite.ts";

export const closingCases: readonly Case[] = [
  proof(
    "[P2] close rejects waiters, lets a body finish with its calls, and frees every lock",
    async (fixture) => {
      const [[a, b], id] = [await fixture.stores(2), fixture.id()];
      const begun = deferred();
      const state = a.state<string>(id);
      const body = a.lock(id).run(async (grant) => {
        begun.resolve();
        await pause(100);
        await state.save("from the body");
        assert.equal(grant.signal.aborted, false);
        return "done";
      });
      await begun.promise;
      const waiter = rejection(a.lock(id).acquire());
      await pause(10);
      const closing = a.close();
      await rejectsWith(a.lock(fixture.id()).acquire(), "CLOSED");
      assert.equal((await waiter).code, "CLOSED");
      assert.equal(await body, "done");
      await closing;
      assert.equal(await b.state(id).load(), "from the body");
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[P2] a body that runs beyond drainMs: its signal aborts with ClosedError, and its lock is released",
    async (fixture) => {
      const [a, id] = [await fixture.store(), fixture.id()];
      const begun = deferred();
      const body = rejection(
        a.lock(id).run(async ({ signal }) => {
          begun.resolve();
          throw await aborted(signal);
        }),
      );
      await begun.promise;
      await a.close({ drainMs: 20 });
      assert.equal((await body).code, "CLOSED");
      await fixture.becomesFree(id);
    },
  ),
  proof("[P2] close with grants and waiters of many ids leaves nothing behind", async (fixture) => {
    const [a, b] = await fixture.stores(2);
    const ids = Array.from({ length: 10 }, () => fixture.id());
    const grants = await Promise.all(ids.map((id) => a.lock(id).acquire()));
    const waiters = ids.map((id) => rejection(b.lock(id).acquire()));
    await eventually(async () => assert.equal((await a.lock(ids.at(-1) ?? "").inspect())?.waiters, 1));
    await b.close({ drainMs: 0 });
    for (const waiter of waiters) assert.equal((await waiter).code, "CLOSED");
    await a.close({ drainMs: 0 });
    for (const { signal } of grants) assert.equal((signal.reason as { code?: string }).code, "CLOSED");
    for (const id of ids) await fixture.becomesFree(id);
  }),
  proof("[P2] close gives up after operationMs if the backend does not reply", async (fixture) => {
    const { store, faults } = await fixture.faultyStore({ operationMs: 1_000 });
    await store.lock(fixture.id()).acquire();
    faults.always("any", failBefore("unknown"));
    await store.close({ drainMs: 0 });
    await rejectsWith(store.lock(fixture.id()).acquire(), "CLOSED");
  }),
];
