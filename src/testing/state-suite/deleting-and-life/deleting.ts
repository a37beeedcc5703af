/** What deleting answers: `delete`, `tryDelete`, `take`, `context.delete()`; and `exists`, which loads nothing. */
import { strict as assert } from "node:assert";
import type { UpdateContext } from "../../../updates/update-context.ts";
import { eventually, rejectsWith } from "../../assertions.ts";
import { save } from "../../contract-client.ts";
import { needing, proof, type Case } from "../../suite.ts";

export const deletingCases: readonly Case[] = [
  proof(
    "[S1] delete answers whether there was a state: alone, in a queue, and under a lock",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      assert.equal(await state.delete(), false);
      const revision = await state.save(1);
      assert.equal(await state.tryDelete({ ifRevision: revision + 1 }), null);
      await rejectsWith(state.delete({ ifRevision: "absent" }), "CONFLICT");
      assert.equal(await state.tryDelete({ ifRevision: revision }), true);
      assert.equal(await state.tryDelete({ ifRevision: "absent" }), false);
      await state.save(1, { ttlMs: 1 });
      await eventually(async () => assert.equal(await state.load(), undefined));
      assert.equal(await state.delete(), false); // it had expired
      const queued = [
        state.update(() => 2),
        state.delete(),
        state.delete(),
        state.save(3),
        state.tryDelete(),
      ];
      const [, first, second, , third] = await Promise.all(queued);
      assert.deepEqual([first, second, third], [true, false, true]);
      await state.save(4);
      const held = await store.lock(id).run(async () => [await state.delete(), await state.tryDelete()]);
      assert.deepEqual(held, [true, false]);
    },
  ),
  proof("[S3] take returns the value and deletes the state: of many callers, one has it", async (fixture) => {
    const [store, other] = [await fixture.store(), await fixture.store()];
    const id = fixture.id();
    const state = store.state(id, { initial: () => "initial" });
    assert.equal(await state.take(), undefined);
    const revision = await state.save("once");
    await rejectsWith(state.take({ ifRevision: revision + 1 }), "CONFLICT");
    const takers = Array.from({ length: 6 }, (_, n) =>
      (n % 2 === 0 ? store : other).state<string>(id).take(),
    );
    const taken = (await Promise.all(takers)).filter((value) => value !== undefined);
    assert.deepEqual(taken, ["once"]);
    assert.equal(await state.exists(), false);
    const again = await state.save("again");
    const held = await store
      .lock(id)
      .run(async () => [await state.take({ ifRevision: again }), await state.take()]);
    assert.deepEqual(held, ["again", undefined]);
    await rejectsWith(state.take({ ifRevision: again }), "CONFLICT"); // absent
    const [, value, after] = await Promise.all([
      state.update(() => "queued"),
      state.take(),
      state.update((text) => text),
    ]);
    assert.deepEqual([value, after], ["queued", "initial"]);
  }),
  proof("[S3] a function of update or run may delete its state", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state<string[]>(id);
    const named = store.state(id, { initial: (): string[] => ["initial"] });
    await state.save(["a"]);
    const gone = await state.update((_, { delete: remove }) => remove());
    assert.equal(gone, undefined);
    assert.equal(await state.exists(), false);
    await state.save(["a", "b"]);
    const left = await named.update(async (draft, context) => {
      draft.push("dropped");
      await Promise.resolve();
      context.delete();
    });
    assert.deepEqual(left, ["initial"]); // what load() returns now
    assert.equal(await state.exists(), false);
    await state.save(["a"]);
    const together = await Promise.all([
      named.run((draft, context) => {
        context.delete();
        return draft;
      }),
      named.run((draft) => draft.push("next")),
    ]);
    assert.deepEqual(together, [["a"], 2]);
    assert.deepEqual(await state.load(), ["initial", "next"]);
    await store.lock(id).run(() =>
      named.run((_, context) => {
        context.delete();
      }),
    );
    assert.equal(await state.exists(), false);
  }),
  proof(
    "[S3] a function that deletes and throws, or also returns a value, changes nothing",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      await state.save(1);
      const thrown = state.run((_, context) => {
        context.delete();
        throw new Error("mine");
      });
      await assert.rejects(thrown);
      const both = state.update((_, context) => {
        context.delete();
        return 2;
      });
      await rejectsWith(both, "INVALID_ARGUMENT");
      let late: UpdateContext | undefined;
      await state.update((_, context) => void (late = context));
      assert.throws(() => late?.delete(), { code: "INVALID_ARGUMENT" });
      assert.throws(() => late?.setTtl(5_000), { code: "INVALID_ARGUMENT" });
      assert.equal(await state.load(), 1);
    },
  ),
  proof("[S3] a function that changes nothing does not make an absent state", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: () => ({ n: 0 }) });
    assert.equal(await state.run((draft) => draft.n), 0);
    assert.deepEqual(await state.update(() => undefined, { ttlMs: 60_000 }), { n: 0 });
    assert.equal(await store.lock(id).run(() => state.run((draft) => draft.n)), 0);
    await Promise.all([state.run(() => 1), state.update((_, { setTtl }) => setTtl(60_000))]);
    assert.equal(await state.read(), undefined);
    assert.deepEqual(await state.update(() => ({ n: 0 })), { n: 0 }); // a value that was returned is meant
    assert.deepEqual((await state.read())?.value, { n: 0 });
  }),
  proof("[S1] exists tells a state from none, whichever serializer wrote it", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const [client, state] = [await fixture.client(), store.state(id)];
    assert.equal(await state.exists(), false);
    assert.equal(await client.backend.describeState(id), null);
    const revision = await client.saved(
      id,
      save("x".repeat(20_000), { serializer: "other", ttlMs: 600_000 }),
    );
    assert.equal(await state.exists(), true);
    const described = await client.backend.describeState(id);
    assert.ok(described !== null && "revision" in described);
    const { expiresInMs, ...rest } = described;
    assert.deepEqual(rest, { revision, serializer: "other" });
    assert.ok(expiresInMs !== null && expiresInMs > 500_000 && expiresInMs <= 600_000);
    await client.backend.touchState(id, { ttlMs: 1 }, client.receipt());
    await eventually(async () => assert.equal(await state.exists(), false));
  }),
  needing(["putGarbage"], "[S1] [S6] what is no state neither is absent nor is taken", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    await fixture.hook("putGarbage")(id);
    for (let round = 0; round < 2; round += 1) {
      await rejectsWith(store.state(id).exists(), "CORRUPT_STATE");
      await rejectsWith(store.state(id).take(), "CORRUPT_STATE");
    }
  }),
];
