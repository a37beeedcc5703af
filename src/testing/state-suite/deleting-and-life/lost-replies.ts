/** Lost replies [S5]: what a delete, a `take` and a `touch` answer is what their first attempt came to. */
import { strict as assert } from "node:assert";
import { rejectsWith } from "../../assertions.ts";
import { failBefore, LateCopy, loseReply, meanwhile } from "../../faults.ts";
import { proof, type Case } from "../../suite.ts";

export const lostDeleteCases: readonly Case[] = [
  proof("[S5] a delete whose reply is lost still answers that there was a state", async (fixture) => {
    const { store, faults } = await fixture.faultyStore();
    const state = store.state<number>(fixture.id());
    await state.save(1);
    faults.once("writeState", loseReply());
    assert.equal(await state.delete(), true);
    faults.once("writeState", loseReply());
    assert.equal(await state.tryDelete(), false);
    const revision = await state.save(2);
    faults.once("writeState", loseReply());
    const held = store.lock(state.id).run(() => state.tryDelete({ ifRevision: revision }));
    assert.equal(await held, true);
    await state.save(3);
    faults.once("releaseLock", loseReply());
    const [, deleted] = await Promise.all([state.update(() => 4), state.delete()]);
    assert.equal(deleted, true);
  }),
  ...(
    [
      "its reply lost",
      "a failure before it is carried out",
      "its first copy arriving after the retry",
    ] as const
  ).map((mishap, index) =>
    proof(`[S5] take, at each of its calls with ${mishap}: the value is answered once`, async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const rival = await fixture.store();
      for (let nth = 1, fired = true; fired; nth += 1) {
        const id = fixture.id();
        await rival.state<string>(id).save("once");
        const copy = new LateCopy();
        const fault = [loseReply(), failBefore("unknown"), copy.afterRetry][index] ?? loseReply();
        const plan = faults.once("any", fault, nth);
        assert.equal(await store.state<string>(id).take(), "once");
        const next = await rival.state<string>(id).save("next");
        if (index === 2 && plan.fired) await copy.deliver();
        assert.equal((await rival.state(id).read())?.revision, next);
        ({ fired } = plan);
        plan.cancel();
        await fixture.becomesFree(id);
      }
    }),
  ),
  proof(
    "[S5] a touch under a condition whose reply is lost does not conflict with what came after it",
    async (fixture) => {
      const { store, faults } = await fixture.faultyStore();
      const rival = await fixture.store();
      const state = store.state<number>(fixture.id());
      const revision = await state.save(1);
      faults.once(
        "touchState",
        loseReply(() => rival.state<number>(state.id).save(2, { ttlMs: "none" })),
      );
      assert.equal(await state.touch(50_000, { ifRevision: revision }), true);
      assert.equal((await state.read())?.expiresInMs, null);
      faults.once("touchState", meanwhile({ before: () => rival.state<number>(state.id).save(3) }));
      await rejectsWith(state.touch(50_000, { ifRevision: revision }), "CONFLICT");
    },
  ),
];
