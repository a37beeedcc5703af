/** The contract of states: what is loaded, the reply to a write, and which writes are refused. */
import { strict as assert } from "node:assert";
import { assertRises, eventually } from "../assertions.ts";
import { bytesOf, remove, save } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";

export const writeCases: readonly Case[] = [
  proof("[S1] an absent state is null, whether it never existed or was deleted", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    assert.equal(await a.backend.loadState(id, { expiry: true }), null);
    await a.saved(id, save("one"));
    assert.deepEqual(await a.write(id, remove()), { status: "deleted", existed: true });
    assert.equal(await a.backend.loadState(id, { expiry: false }), null);
  }),
  proof("[S1] ids and bytes are kept exactly", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const odd of ["__proto__", "a'b\"c", "ä€😀", "%_*?[x]", "{x}", "a b\\", "x".repeat(400)]) {
      const id = `${fixture.id()}:${odd}`;
      await a.saved(id, { ...save(""), bytes });
      assert.deepEqual(Uint8Array.from((await b.stored(id)).bytes), bytes, odd);
    }
    const id = fixture.id();
    await a.saved(id, save(""));
    assert.equal(await b.load(id), "");
  }),
  proof(
    "[S1] loaded and saved values are copies: changing them does not change the stored state",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const bytes = bytesOf("one");
      await a.saved(id, { ...save(""), bytes });
      bytes.fill(0);
      (await a.stored(id)).bytes.fill(0);
      assert.equal(await a.load(id), "one");
    },
  ),
  proof("[S1] a large value is kept exactly", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const text = "0123456789abcdef".repeat(256 * 1024); // 4 MiB
    await a.saved(id, save(text));
    assert.equal(await a.load(id), text);
  }),
  proof("[S2] revisions rise, even across delete, expiry and other clients", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const id = fixture.id();
    const revisions = [await a.saved(id, save("1")), await b.saved(id, save("2"))];
    await a.write(id, remove());
    revisions.push(await a.saved(id, save("3", { ttlMs: 20 })));
    await eventually(async () => assert.equal(await a.load(id), null));
    revisions.push(await b.saved(id, save("4", { ifRevision: "absent" })));
    const hold = a.ticketFor(id);
    await hold.granted();
    const reply = await hold.release({ write: save("5") });
    assert.equal(reply.status, "released");
    assert.ok(reply.revision !== null);
    revisions.push(reply.revision, await b.saved(id, save("6")));
    assertRises(revisions, "revisions");
    assert.equal((await b.stored(id)).revision, revisions.at(-1));
  }),
  needing(["flush"], "[S2] [L3] revisions and fences rise, even across a flush", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const revisions: number[] = [];
    const fences: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      revisions.push(await a.saved(id, save(String(round))));
      const hold = a.ticketFor(id);
      fences.push((await hold.grantReply()).fence);
      await hold.released();
      await fixture.hook("flush")();
      assert.equal(await a.load(id), null);
    }
    assertRises(revisions, "revisions");
    assertRises(fences, "fences");
  }),
  needing(
    ["flush"],
    "[S2] [L3] they rise across a flush even for a new client, since time goes on",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      let last = 0;
      for (let round = 0; round < 20; round += 1) {
        const hold = a.ticketFor(id);
        const { fence, fences } = await hold.grantReply({ fences: 64 });
        last = fence + fences - 1;
        await hold.released();
      }
      const revision = await a.saved(id, save("before"));
      await fixture.hook("flush")();
      const next = b.ticketFor(id);
      assert.ok((await next.grantReply()).fence > last);
      await next.released();
      assert.ok((await b.saved(id, save("after"))) > revision);
    },
  ),
  proof(
    "[S2] a write at another revision is a conflict that names the revision, and nothing is written",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const absent = { status: "conflict", revision: null };
      assert.deepEqual(await a.write(id, save("1", { ifRevision: 7 })), absent);
      assert.deepEqual(await a.write(id, remove({ ifRevision: 7 })), absent);
      const revision = await a.saved(id, save("1", { ifRevision: "absent" }));
      const there = { status: "conflict", revision };
      assert.deepEqual(await a.write(id, save("2", { ifRevision: "absent" })), there);
      assert.deepEqual(await a.write(id, save("2", { ifRevision: revision - 1 })), there);
      assert.deepEqual(await a.write(id, save("2", { ifRevision: revision + 1 })), there);
      assert.deepEqual(await a.write(id, remove({ ifRevision: "absent" })), there);
      assert.deepEqual(await a.write(id, remove({ ifRevision: revision - 1 })), there);
      assert.equal(await a.load(id), "1");
      assert.equal((await a.write(id, save("2", { ifRevision: revision }))).status, "saved");
      assert.equal((await a.write(id, remove({ ifRevision: revision }))).status, "conflict");
    },
  ),
  proof("[S2] deleting an absent state succeeds", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    assert.deepEqual(await a.write(id, remove()), { status: "deleted", existed: false });
    assert.deepEqual(await a.write(id, remove({ ifRevision: "absent" })), {
      status: "deleted",
      existed: false,
    });
  }),
  proof(
    "[S4] a write under a ticket is accepted while it holds the lock, and refused before and after",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const hold = a.ticketFor(id);
      assert.deepEqual(await hold.write(save("early"), a.receipt()), { status: "lost" });
      await hold.granted();
      assert.equal((await hold.write(save("1"), a.receipt())).status, "saved");
      assert.equal((await hold.write(remove(), a.receipt())).status, "deleted");
      assert.equal((await hold.write(save("2"), a.receipt())).status, "saved");
      await hold.released();
      assert.deepEqual(await hold.write(save("late"), a.receipt()), { status: "lost" });
      assert.deepEqual(await hold.write(remove(), a.receipt()), { status: "lost" });
      assert.equal(await a.load(id), "2");
    },
  ),
  proof(
    "[S4] a holder whose lease has ended cannot write, separately or with its release, with or without a next holder",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      await a.saved(id, save("before"));
      const stale = a.ticketFor(id);
      await stale.granted({ leaseMs: 100 });
      await eventually(async () => assert.equal(await a.backend.inspectLock(id), null));
      assert.deepEqual(await stale.write(save("stale"), a.receipt()), { status: "lost" });
      assert.deepEqual(await stale.release({ write: save("stale") }), { status: "lost" });
      const next = b.ticketFor(id);
      await next.granted();
      assert.deepEqual(await stale.write(save("stale"), a.receipt()), { status: "lost" });
      assert.deepEqual(await stale.release({ write: save("stale") }), { status: "lost" });
      assert.equal(await b.load(id), "before");
      assert.equal(await next.renew(), "renewed");
      await next.released();
    },
  ),
  needing(
    ["deleteLock"],
    "[S4] the lock is deleted while it is held: the holder's writes are refused",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      const hold = a.ticketFor(id);
      await hold.granted();
      await fixture.hook("deleteLock")(id);
      assert.deepEqual(await hold.write(save("1"), a.receipt()), { status: "lost" });
      assert.deepEqual(await hold.release({ write: save("1") }), { status: "lost" });
      assert.equal(await hold.renew(), "lost");
      assert.equal(await a.load(id), null);
    },
  ),
  proof(
    "[S8] no client writes without a ticket while the lock is held, not even the holder",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const id = fixture.id();
      await a.saved(id, save("before"));
      const hold = a.ticketFor(id);
      await hold.granted();
      for (const client of [a, b]) {
        assert.deepEqual(await client.write(id, save("1")), { status: "busy" });
        assert.deepEqual(await client.write(id, remove()), { status: "busy" });
      }
      assert.equal(await b.load(id), "before");
      await hold.released();
      assert.equal((await b.write(id, save("1"))).status, "saved");
    },
  ),
  proof(
    "[S8] after a holder has died, a write without a ticket does not overtake a live waiter",
    async (fixture) => {
      const [a, b, c] = await fixture.clients(3);
      const id = fixture.id();
      await a.ticketFor(id).granted({ leaseMs: 100 });
      const waiter = b.ticketFor(id);
      await waiter.queued();
      await eventually(async () => assert.equal(await c.backend.inspectLock(id), null));
      assert.deepEqual(await c.write(id, save("1")), { status: "busy" });
      await eventually(async () => assert.equal((await waiter.ask()).status, "granted"));
      await waiter.released();
    },
  ),
];
