/** The contract of receipts [S5]: a retry is answered as the first try was, and a late copy does nothing. */
import { strict as assert } from "node:assert";
import { remove, save } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";

export const receiptCases: readonly Case[] = [
  proof("[S5] a repeated save or delete is answered as the first time, and done once", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const id = fixture.id();
    const receipt = a.receipt();
    const first = await a.write(id, save("1"), receipt);
    await b.saved(id, save("2"));
    assert.deepEqual(await a.write(id, save("1"), receipt), first);
    assert.equal(await a.load(id), "2");
    const second = { ...receipt, n: 2 };
    assert.deepEqual(await a.write(id, remove(), second), { status: "deleted" });
    await b.saved(id, save("3"));
    assert.deepEqual(await a.write(id, remove(), second), { status: "deleted" });
    assert.equal(await a.load(id), "3");
  }),
  proof(
    "[S5] a repeated conditional save is answered as the first time, not as a conflict with itself",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const receipt = a.receipt();
      const first = await a.write(id, save("1", { ifRevision: "absent" }), receipt);
      assert.equal(first.status, "saved");
      assert.deepEqual(await a.write(id, save("1", { ifRevision: "absent" }), receipt), first);
    },
  ),
  proof(
    "[S5] a late copy of a save is refused, also when the lock is free and the state absent",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const receipt = a.receipt();
      await a.write(id, save("1"), receipt);
      await a.write(id, remove(), { ...receipt, n: 2 });
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "forgotten" });
      assert.equal(await a.load(id), null);
    },
  ),
  proof(
    "[S5] a retry whose proof is not known does nothing: the backend has lost its memory",
    async (fixture) => {
      const [a, id, other] = [await fixture.client(), fixture.id(), fixture.id()];
      const proof = { sequence: 4_000, n: 4 };
      const retry = { ...a.receipt(), proof };
      assert.deepEqual(await a.write(id, save("1"), retry), { status: "forgotten" });
      await a.write(other, save("1"), { ...retry, sequence: 4_000, n: 3, proof: undefined });
      assert.deepEqual(await a.write(id, save("1"), retry), { status: "forgotten" });
      assert.equal(await a.load(id), null);
      await a.write(other, save("1"), { ...retry, sequence: 4_000, n: 5, proof: undefined });
      assert.equal((await a.write(id, save("1"), retry)).status, "saved");
    },
  ),
  needing(
    ["flush"],
    "[S5] a retry after a flush does nothing, and says that nobody can tell",
    async (fixture) => {
      const [a, id, other] = [await fixture.client(), fixture.id(), fixture.id()];
      const before = a.receipt();
      await a.write(other, save("0"), before);
      const receipt = a.receipt();
      await a.write(id, save("1"), receipt);
      await fixture.hook("flush")();
      const retry = { ...receipt, proof: { sequence: before.sequence, n: before.n } };
      assert.deepEqual(await a.write(id, save("1"), retry), { status: "forgotten" });
      assert.equal(await a.load(id), null);
    },
  ),
  proof(
    "[S5] an answer that did nothing is not recorded: the same receipt may succeed later",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      const receipt = a.receipt();
      const hold = b.turn(id);
      await hold.granted();
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "held" });
      await hold.released();
      assert.equal((await a.write(id, save("1", { ifRevision: 7 }), receipt)).status, "conflict");
      assert.equal((await a.write(id, save("1"), receipt)).status, "saved");
    },
  ),
  proof(
    "[S5] the refusal of a retry is recorded: its first copy, arriving late, is refused too",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      const [receipt, other] = [a.receipt(), a.receipt()];
      const hold = b.turn(id);
      await hold.granted();
      const held = await a.write(id, save("1"), { ...receipt, retry: true });
      assert.deepEqual(held, { status: "held" });
      await hold.released();
      const conflict = await a.write(id, save("2", { ifRevision: 7 }), { ...other, retry: true });
      assert.deepEqual(conflict, { status: "conflict", revision: null });
      assert.deepEqual(await a.write(id, save("1"), receipt), held);
      assert.deepEqual(await a.write(id, save("2", { ifRevision: 7 }), other), conflict);
      assert.equal(await b.load(id), null);
    },
  ),
  proof("[S5] receipts are each client's own", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const id = fixture.id();
    const receipt = { sequence: 0, n: 5, keepMs: 60_000 };
    assert.equal((await a.write(id, save("a"), receipt)).status, "saved");
    assert.equal((await b.write(id, save("b"), receipt)).status, "saved");
    assert.equal(await a.load(id), "b");
  }),
  proof("[S5] a write under a ticket is done once as well", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const hold = a.turn(id);
    await hold.granted();
    const receipt = a.receipt();
    const first = await hold.write(save("1"), receipt);
    assert.equal((await hold.write(save("2"), a.receipt())).status, "saved");
    assert.deepEqual(await hold.write(save("1"), receipt), first);
    assert.equal(await a.load(id), "2");
    await hold.released();
  }),
];
