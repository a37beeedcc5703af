/** The life that a call asks for also counts where the value stays as it is [S7]. */
import { strict as assert } from "node:assert";
import type { TouchWrite } from "../../../backends/contract.ts";
import type { State } from "../../../handles/state/state.ts";
import { rejectsWith } from "../../assertions.ts";
import { save } from "../../contract-client.ts";
import { proof, type Case } from "../../suite.ts";

/** Asserts what is left of its life, and that its value and revision are the same as before. */
function lifeOf(state: State<number>, revision: number) {
  return async (low: number, high: number): Promise<void> => {
    const { expiresInMs, ...rest } = (await state.read()) ?? {};
    assert.deepEqual(rest, { value: 1, revision });
    const ms = expiresInMs ?? Infinity;
    assert.ok(ms > low && ms <= high, `${String(ms)} in (${String(low)}, ${String(high)}]`);
  };
}

const touch = (ttlMs: TouchWrite["ttlMs"], more: Partial<TouchWrite> = {}): TouchWrite => ({
  kind: "touch",
  ttlMs,
  ...more,
});

export const equalBytesCases: readonly Case[] = [
  proof(
    "[S7] a life that the call asks for counts if the value stays; the revision stays, too",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      const usual = store.state<number>(id, { ttlMs: 100_000 });
      const within = lifeOf(state, await state.save(1));
      await usual.update((n) => n); // the handle's counts for what is written
      await within(1e9, Infinity);
      await state.update((n) => n, { ttlMs: 300_000 });
      await within(200_000, 300_000);
      for (const ttlMs of ["keep", { whenNew: 50_000 }] as const)
        await state.update(() => undefined, { ttlMs });
      await within(200_000, 300_000);
      await state.update((n) => n, { expiresAt: Date.now() + 500_000 });
      await within(400_000, 501_000);
      await store.lock(id).run(() => state.update((n) => n, { ttlMs: 200_000 }));
      await within(100_000, 200_000);
      await usual.update((n) => n, { ttlMs: "none" });
      await within(1e9, Infinity);
      const [long, , short] = await Promise.all([
        state.update((n) => n, { ttlMs: 900_000 }),
        state.update((n) => n),
        state.update((n) => n, { ttlMs: 50_000 }),
      ]);
      assert.deepEqual([long, short], [1, 1]);
      await within(0, 50_000);
    },
  ),
  proof(
    "[S7] updates that are saved together leave the life that they would have left alone",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      const left = async (): Promise<number> => (await state.read())?.expiresInMs ?? Infinity;
      await state.save(1);
      await Promise.all([state.update((n) => n, { ttlMs: 300_000 }), state.update((n) => (n ?? 0) + 1)]);
      assert.equal(await state.load(), 2);
      assert.ok((await left()) <= 300_000);
      await Promise.all([
        state.update((n) => (n ?? 0) + 1, { ttlMs: 900_000 }),
        state.update((n) => n, { ttlMs: 100_000 }),
      ]);
      assert.equal(await state.load(), 3);
      assert.ok((await left()) <= 100_000);
      await Promise.all([
        state.update((n) => n, { ttlMs: 900_000 }),
        state.delete(),
        state.update(() => 1, { ttlMs: "keep" }),
      ]);
      assert.equal(await left(), Infinity);
    },
  ),
  proof("[S7] an update may choose the life of what it stores, or of what stays", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: () => 0, ttlMs: 900_000 });
    const left = async (): Promise<number> => (await state.read())?.expiresInMs ?? Infinity;
    await state.update(
      (n, context) => {
        context.setTtl(50_000);
        context.setTtl(100_000); // the last one counts
        return n + 1;
      },
      { ttlMs: 500_000 },
    );
    assert.ok((await left()) <= 100_000);
    const revision = (await state.read())?.revision;
    await state.update((_, context) => context.setTtl("none"));
    assert.equal(await left(), Infinity);
    await state.update((_, context) => context.setTtl({ expiresAt: new Date(Date.now() + 200_000) }));
    assert.ok((await left()) > 100_000 && (await left()) <= 201_000);
    await state.update((_, context) => context.setTtl({ whenNew: 10_000 }), { ttlMs: 5_000 });
    assert.ok((await left()) > 100_000);
    assert.equal((await state.read())?.revision, revision);
    await rejectsWith(
      state.update((n, context) => {
        context.setTtl(-1);
        return n + 1;
      }),
      "INVALID_ARGUMENT",
    );
    assert.equal(await state.load(), 1);
  }),
  proof("[S7] a touch in a write, a release or a commit keeps value and revision", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    assert.deepEqual(await a.write(id, touch(5_000)), { status: "conflict", revision: null });
    const revision = await a.saved(id, save("1"));
    const within = async (low: number, high: number): Promise<void> => {
      const state = await a.stored(id);
      assert.equal(state.revision, revision);
      const ms = state.expiresInMs ?? Infinity;
      assert.ok(ms > low && ms <= high, `${String(ms)} in (${String(low)}, ${String(high)}]`);
    };
    assert.deepEqual(await a.write(id, touch(500_000)), { status: "saved", revision });
    await within(400_000, 500_000);
    assert.equal((await a.write(id, touch("none", { ifRevision: revision + 1 }))).status, "conflict");
    await within(400_000, 500_000);
    const hold = a.ticketFor(id);
    await hold.granted();
    assert.deepEqual(await hold.write(touch("none"), a.receipt()), { status: "saved", revision });
    await within(1e9, Infinity);
    const released = await hold.release({ write: touch(200_000, { ifRevision: revision }) });
    assert.deepEqual(released, { status: "released", revision });
    await within(100_000, 200_000);
    const last = a.ticketFor(id);
    await last.granted();
    const entry = {
      id,
      ticket: last.ticket,
      write: touch(90_000),
      ifRevision: revision,
      release: last.receipt,
    };
    const committed = await a.backend.commitStates([entry], a.receipt());
    assert.deepEqual(committed, { status: "committed", revisions: [revision] });
    await within(50_000, 90_000);
  }),
  proof("[S7] [S9] a change of several states may choose the life of each", async (fixture) => {
    const store = await fixture.store();
    const tag = `{${fixture.id()}}`; // of one shard
    const [kept, changed] = [store.state<number>(`${tag}kept`), store.state<number>(`${tag}changed`)];
    const absent = store.state(`${tag}absent`, { initial: () => 0 });
    const revision = await kept.save(1);
    await changed.save(1, { ttlMs: 900_000 });
    await store.transact([kept, changed, absent], (drafts, context) => {
      drafts[1] = 2;
      context.setTtl(kept, { expiresAt: Date.now() + 200_000 });
      context.setTtl(changed, "none");
      context.setTtl(absent, 50_000);
    });
    await lifeOf(kept, revision)(100_000, 201_000);
    const now = await changed.read();
    assert.deepEqual([now?.value, now?.expiresInMs], [2, null]);
    assert.equal(await absent.exists(), false);
    await store.lock(kept.id).run(async () => {
      await store.transact([kept, changed], (_, context) => context.setTtl(kept, { expiresAt: new Date(0) }));
      assert.equal(await kept.update((n) => n), undefined);
    });
    const stranger = store.transact([changed], (_, context) => context.setTtl(kept, 5_000));
    await rejectsWith(stranger, "INVALID_ARGUMENT");
  }),
];
