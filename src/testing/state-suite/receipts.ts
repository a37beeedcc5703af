/** The contract of receipts [S5]: a retry gets the reply of the first attempt, and a late copy does nothing. */
import { strict as assert } from "node:assert";
import type { Receipt, SaveWrite, WriteReply } from "../../backends/contract.ts";
import { remove, save } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";

export const receiptCases: readonly Case[] = [
  proof("[S5] a repeated save or delete gets the first reply, and is done once", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const id = fixture.id();
    const receipt = a.receipt();
    const first = await a.write(id, save("1"), receipt);
    await b.saved(id, save("2"));
    assert.deepEqual(await a.write(id, save("1"), receipt), first);
    assert.equal(await a.load(id), "2");
    const second = { ...receipt, n: 2 };
    assert.deepEqual(await a.write(id, remove(), second), { status: "deleted", existed: true });
    await b.saved(id, save("3"));
    assert.deepEqual(await a.write(id, remove(), second), { status: "deleted", existed: true });
    assert.equal(await a.load(id), "3");
  }),
  proof(
    "[S5] a repeated conditional save gets the first reply, not a conflict with itself",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const receipt = a.receipt();
      const first = await a.write(id, save("1", { ifRevision: "absent" }), receipt);
      assert.equal(first.status, "saved");
      assert.deepEqual(await a.write(id, save("1", { ifRevision: "absent" }), receipt), first);
    },
  ),
  proof(
    "[S5] a late copy of a save is refused, even if the lock is free and the state absent",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const receipt = a.receipt();
      await a.write(id, save("1"), receipt);
      await a.write(id, remove(), { ...receipt, n: 2 });
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "forgotten" });
      assert.equal(await a.load(id), null);
    },
  ),
  needing(
    ["flush"],
    "[S5] a retry after a flush does nothing, and is answered as forgotten",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const other = `{${id}}`; // with the same tag, so on the same shard
      await a.saved(other, save("0")); // what can be proven
      const receipt = a.receipt();
      await a.write(id, save("1"), receipt);
      await fixture.hook("flush")();
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "forgotten" });
      await a.saved(other, save("2")); // a server that has this may have lost earlier data
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "forgotten" });
      assert.equal(await a.load(id), null);
      const [cancelled, released] = [a.ticketFor(id), a.ticketFor(id)];
      await released.granted();
      await cancelled.queued();
      await cancelled.cancel();
      await released.released();
      await fixture.hook("flush")();
      assert.deepEqual(await cancelled.cancel(), { status: "forgotten" });
      assert.deepEqual(await released.release(), { status: "forgotten" });
    },
  ),
  needing(["flush"], "[S5] after a flush, a call that is not a retry is carried out", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    await a.saved(id, save("1"));
    await fixture.hook("flush")();
    await a.saved(id, save("2", { ifRevision: "absent" }));
    assert.equal(await a.load(id), "2");
  }),
  proof(
    "[S5] an answer that did nothing is not recorded: the same receipt may succeed later",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      const receipt = a.receipt();
      const hold = b.ticketFor(id);
      await hold.granted();
      assert.deepEqual(await a.write(id, save("1"), receipt), { status: "busy" });
      await hold.released();
      assert.equal((await a.write(id, save("1"), receipt)).status, "saved");
    },
  ),
  proof(
    "[S5] the refusal of a retry is recorded: its first copy, arriving late, is refused too",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      const [receipt, other] = [a.receipt(), a.receipt()];
      const hold = b.ticketFor(id);
      await hold.granted();
      const refused = async (write: SaveWrite, receipt: Receipt, reply: WriteReply): Promise<void> =>
        assert.deepEqual(await a.write(id, write, receipt), reply);
      const held = { status: "busy" } as const;
      await refused(save("1"), receipt, held);
      await refused(save("1"), receipt, held); // the retry
      await hold.released();
      await refused(save("1"), receipt, held);
      const revision = await b.saved(id, save("theirs"));
      const fresh = save("2", { ifRevision: "absent" });
      const conflict = { status: "conflict", revision } as const;
      await refused(fresh, other, conflict);
      await refused(fresh, other, conflict);
      await b.write(id, remove());
      await refused(fresh, other, conflict);
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
  proof("[S5] a write under a ticket is also done once", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const hold = a.ticketFor(id);
    await hold.granted();
    const receipt = a.receipt();
    const first = await hold.write(save("1"), receipt);
    assert.equal((await hold.write(save("2"), a.receipt())).status, "saved");
    assert.deepEqual(await hold.write(save("1"), receipt), first);
    assert.equal(await a.load(id), "2");
    await hold.released();
  }),
];
