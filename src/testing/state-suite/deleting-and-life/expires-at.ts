/** A state that lives until a time [S7], by the backend's clock; and `touch` under a condition. */
import { strict as assert } from "node:assert";
import { eventually, rejectsWith } from "../../assertions.ts";
import { save } from "../../contract-client.ts";
import { proof, type Case } from "../../suite.ts";

/** The clocks of a test and of a server on its machine differ by little. */
const at = (ms: number): Date => new Date(Date.now() + ms);
const past = new Date(0);

export const expiresAtCases: readonly Case[] = [
  ...(["small", "large"] as const).map((size) =>
    proof(`[S7] a ${size} value lives until the time that it was saved with`, async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const text = "x".repeat(size === "small" ? 1 : 20_000);
      const state = store.state<string>(id, { ttlMs: 900_000 });
      const within = async (low: number, high: number): Promise<void> => {
        const ms = (await state.read())?.expiresInMs ?? Infinity;
        assert.ok(ms > low && ms <= high, `${String(ms)} in (${String(low)}, ${String(high)}]`);
      };
      await state.save(text, { expiresAt: at(200_000) });
      await within(100_000, 201_000);
      await state.update((value) => `${value ?? ""}.`, { expiresAt: Date.now() + 400_000 });
      await within(300_000, 401_000);
      const revision = await state.save(text, { expiresAt: past });
      assert.equal(await state.read(), undefined);
      const after = await state.save(text, { ifRevision: "absent", expiresAt: at(50) });
      assert.ok(after > revision);
      await eventually(async () => assert.equal(await state.exists(), false));
      assert.equal(await state.update(() => `${text}.`, { expiresAt: past }), `${text}.`);
      assert.equal(await state.exists(), false);
    }),
  ),
  proof("[S7] what follows an update that ends the state in the same batch finds none", async (fixture) => {
    const [store, id] = [await fixture.store(), fixture.id()];
    const state = store.state(id, { initial: () => 0 });
    await state.save(5);
    const found = await Promise.all([
      state.update((n) => n + 1, { expiresAt: past }),
      state.update((n) => n), // reads only
      state.update((n) => n + 1),
      state.update((_, context) => context.setTtl({ expiresAt: past })),
      state.take(),
      state.update((n) => n + 1),
    ]);
    assert.deepEqual(found, [6, 0, 1, 1, undefined, 1]);
    const held = await store.lock(id).run(async () => {
      await state.update((n) => n, { expiresAt: past });
      return state.load();
    });
    assert.equal(held, 0);
  }),
  proof(
    "[S7] touch sets a life, none, or a time; under a condition, of this revision only",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const state = store.state<number>(id);
      const left = async (): Promise<number> => (await state.read())?.expiresInMs ?? Infinity;
      const revision = await state.save(1);
      assert.equal(await state.touch({ expiresAt: at(300_000) }, { ifRevision: revision }), true);
      assert.ok((await left()) > 200_000 && (await left()) <= 301_000);
      assert.equal(await state.touch("none"), true);
      assert.equal(await left(), Infinity);
      await rejectsWith(state.touch(5_000, { ifRevision: revision + 1 }), "CONFLICT");
      assert.equal(await left(), Infinity);
      await store.lock(id).run(() => state.touch(100_000)); // it needs no lock
      assert.ok((await left()) <= 100_000);
      assert.equal(await state.touch({ expiresAt: past }), true);
      assert.equal(await state.exists(), false);
      assert.equal(await state.touch({ expiresAt: at(5_000) }), false);
      await rejectsWith(state.touch(5_000, { ifRevision: revision }), "CONFLICT");
    },
  ),
  proof(
    "[S7] the reply to a save that has expired is that of a save; a waiter finds nothing",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      const until = save("1", { ttlMs: { until: 1 } });
      assert.equal((await a.write(id, until)).status, "saved");
      assert.equal(await a.load(id), null);
      const hold = a.ticketFor(id);
      await hold.granted();
      const waiter = b.ticketFor(id);
      await waiter.queued({ load: true });
      const released = await hold.release({ write: until });
      assert.equal(released.status, "released");
      assert.ok(released.revision !== null);
      const granted = await waiter.grantReply({ load: true });
      assert.equal(granted.state, null);
    },
  ),
];
