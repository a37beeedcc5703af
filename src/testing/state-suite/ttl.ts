/** The expiry of a state [S7]: set by a handle, set by a call, or kept by a write without either. */
import { strict as assert } from "node:assert";
import { proof, type Case } from "../suite.ts";

export const ttlCases: readonly Case[] = [
  proof(
    "[S7] each write renews the handle's ttlMs; without one, a write keeps the expiry; options override it",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const lives = store.state(id, { initial: () => 0, ttlMs: 600_000 });
      const plain = store.state<number>(id);
      const left = async (): Promise<number> => (await plain.read())?.expiresInMs ?? Infinity;
      await lives.update((n) => n + 1);
      assert.ok((await left()) <= 600_000);
      assert.equal(await plain.touch(300_000), true);
      await plain.update((n) => (n ?? 0) + 1);
      assert.ok((await left()) <= 300_000);
      await lives.save(3);
      assert.ok((await left()) > 300_000);
      await lives.update((n) => n + 1, { ttlMs: 200_000 });
      assert.ok((await left()) <= 200_000);
      await plain.save(5, { ttlMs: "none" });
      assert.equal(await left(), Infinity);
      await lives.update((n) => n + 1, { ttlMs: "keep" });
      assert.equal(await left(), Infinity);
      assert.equal(await store.state(fixture.id()).touch(1_000), false);
      // Each of several updates that are saved together sets the expiry that it would have set alone.
      await Promise.all([
        plain.update((n) => (n ?? 0) + 1, { ttlMs: 200_000 }),
        plain.update((n) => (n ?? 0) + 1, { ttlMs: "keep" }),
      ]);
      assert.ok((await left()) <= 200_000);
    },
  ),
  proof(
    "[S7] a handle's { whenNew } is set on creation and kept by later writes; options override it",
    async (fixture) => {
      const [store, id] = [await fixture.store(), fixture.id()];
      const window = store.state(id, { initial: () => 0, ttlMs: { whenNew: 600_000 } });
      const sliding = store.state(id, { initial: () => 0, ttlMs: 200_000 });
      const plain = store.state<number>(id);
      const left = async (): Promise<number> => (await plain.read())?.expiresInMs ?? Infinity;
      const within = async (low: number, high: number): Promise<void> => {
        const ms = await left();
        assert.ok(ms > low && ms <= high, `${String(ms)} in (${String(low)}, ${String(high)}]`);
      };
      await window.update((n) => n + 1);
      await within(500_000, 600_000);
      assert.equal(await plain.touch(300_000), true);
      await window.update((n) => n + 1);
      await window.save(3);
      await window.update((n) => n + 1, { ttlMs: "keep" });
      await plain.save(5, { ttlMs: { whenNew: 900_000 } });
      await store.lock(id).run(() => window.update((n) => n + 1));
      await within(200_000, 300_000);
      await window.save(1, { ttlMs: 100_000 });
      await within(0, 100_000);
      await window.delete();
      assert.notEqual(await window.trySave(1, { ifRevision: "absent" }), null);
      await within(500_000, 600_000);
      // A new state has no expiry to keep: "keep" then means the handle's.
      await window.delete();
      await window.update((n) => n + 1, { ttlMs: "keep" });
      await within(500_000, 600_000);
      await window.delete();
      await sliding.save(1, { ttlMs: "keep" });
      await within(100_000, 200_000);
      await plain.touch(50_000);
      await sliding.save(2, { ttlMs: "keep" });
      await within(0, 50_000);
      // Each of several updates that are saved together sets the expiry that it would have set alone.
      const lives = [{ whenNew: 600_000 }, { whenNew: 100_000 }, "keep"] as const;
      await Promise.all(lives.map((ttlMs) => plain.update((n) => (n ?? 0) + 1, { ttlMs })));
      await within(0, 50_000);
      await plain.delete();
      await Promise.all(lives.map((ttlMs) => plain.update((n) => (n ?? 0) + 1, { ttlMs })));
      await within(500_000, 600_000);
      await plain.delete();
      await plain.save(1, { ttlMs: "keep" });
      assert.equal(await left(), Infinity);
    },
  ),
];
