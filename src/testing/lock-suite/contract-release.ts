/** The contract of releases and renewals: released, kept, repeated, refused, and forced. */
import { strict as assert } from "node:assert";
import { eventually } from "../assertions.ts";
import { save, textOf, type ListeningClient, type ContractTicket } from "../contract-client.ts";
import { proof, type Case } from "../suite.ts";
import { threeClients } from "./three-clients.ts";

/** Waits until the holder's lease has ended. */
function becomesUnheld(client: ListeningClient, id: string): Promise<void> {
  return eventually(async () => assert.equal(await client.backend.inspectLock(id), null));
}

export const releaseCases: readonly Case[] = [
  proof(
    "[S3] the state comes with the grant if it was asked for, and is saved with the release",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      assert.equal((await a.ticketFor(fixture.id()).grantReply({ load: true })).state, null);
      await a.saved(id, save("1"));
      const hold = a.ticketFor(id);
      assert.equal(textOf((await hold.grantReply({ load: true })).state), "1");
      assert.equal((await hold.grantReply()).state, undefined);
      const reply = await hold.release({ write: save("2") });
      assert.equal(reply.status, "released");
      assert.equal((await b.stored(id)).revision, reply.revision);
      assert.equal(await b.load(id), "2");
      const deleting = b.ticketFor(id);
      await deleting.granted();
      assert.deepEqual(await deleting.release({ write: { kind: "delete" } }), {
        status: "released",
        revision: null,
      });
      assert.equal(await b.load(id), null);
    },
  ),
  proof(
    "[S5] a repeated release is answered as the first time, and frees nobody else's lock",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      await one.granted();
      await two.queued();
      const first = await one.release({ write: save("1") });
      assert.equal(first.status, "released");
      await two.granted();
      assert.equal((await two.write(save("2"), b.receipt())).status, "saved");
      assert.deepEqual(await one.release({ write: save("1") }), first);
      assert.equal(await two.renew(), "renewed");
      assert.equal(await a.load(id), "2");
    },
  ),
  proof(
    "[S5] [L7] a ticket that was released or cancelled is settled: its late asks are refused",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two, third] = [a.ticketFor(id), b.ticketFor(id), b.ticketFor(id)];
      await one.granted();
      await two.queued();
      await two.cancel();
      await third.cancel(); // before its ask has arrived
      await one.released();
      for (const hold of [one, two, third]) assert.deepEqual(await hold.ask(), { status: "settled" });
      assert.equal(await a.backend.inspectLock(id), null);
    },
  ),
  proof(
    "[S5] a late copy of an ask is refused, even while its ticket waits by a later ask",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      await one.granted();
      await two.queued();
      const first = two.receipt;
      two.nextReceipt();
      // A refusal is recorded for its second attempt.
      for (let n = 0; n < 2; n += 1) assert.equal((await two.release({ write: save("1") })).status, "lost");
      assert.deepEqual(await two.ask({}, first), { status: "settled" });
      two.nextReceipt();
      await two.queued();
      assert.deepEqual(await two.ask({}, first), { status: "settled" });
      assert.equal((await two.ask()).status, "waiting");
    },
  ),
  proof(
    "[S4] a refused save releases nothing: the lock is still held, and the next attempt may succeed",
    async (fixture) => {
      const [a, , , id] = await threeClients(fixture);
      const hold = a.ticketFor(id);
      await hold.granted();
      const conflict = await hold.release({ write: save("1", { ifRevision: 7 }) });
      assert.deepEqual(conflict, { status: "conflict", revision: null });
      assert.equal(await hold.renew(), "renewed");
      hold.nextReceipt();
      await hold.released({ write: save("1", { ifRevision: "absent" }) });
    },
  ),
  proof(
    "[L2] keep gives new fences and a full lease while nobody waits; otherwise the lock is passed on",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      const { fence } = await one.grantReply({ leaseMs: 60_000 });
      const keep = { leaseMs: 60_000, fences: 3 };
      const kept = await one.release({ write: save("1"), keep });
      assert.equal(kept.status, "kept");
      assert.ok((kept.fence ?? 0) > fence);
      assert.equal(kept.fences, 3);
      assert.deepEqual(await one.release({ write: save("1"), keep }), kept);
      assert.equal((await a.stored(id)).revision, kept.revision);
      await two.queued();
      one.nextReceipt();
      assert.deepEqual(await one.release({ keep }), { status: "released", revision: null });
      await two.granted();
    },
  ),
  proof(
    "[L6] a release of a lock that is no longer held reports the loss each time, and frees no other lock",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      assert.deepEqual(await one.release(), { status: "lost" });
      await one.granted({ leaseMs: 100 });
      await becomesUnheld(b, id);
      await two.granted();
      for (let round = 0; round < 2; round += 1) assert.deepEqual(await one.release(), { status: "lost" });
      assert.equal((await a.backend.inspectLock(id))?.holder.token, two.ticket);
      assert.equal(await two.renew(), "renewed");
    },
  ),
  proof("[L6] a renewal keeps only its own lock, and never brings one back", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(fixture.id())];
    await one.granted({ leaseMs: 500 });
    await two.granted();
    const entry = ({ id: of, ticket }: ContractTicket) => ({ id: of, ticket, leaseMs: 60_000 });
    const entries = [entry(one), { ...entry(two), ticket: one.ticket }, entry(a.ticketFor(fixture.id()))];
    assert.deepEqual(await a.backend.renewLocks(entries), ["renewed", "lost", "lost"]);
    assert.ok(((await a.backend.inspectLock(id))?.expiresInMs ?? 0) > 30_000);
    await one.released();
    assert.equal(await one.renew(), "lost");
    assert.equal(await a.backend.inspectLock(id), null);
    assert.deepEqual(await a.backend.renewLocks([]), []);
  }),
  proof(
    "[L6] a forced release ends exactly that grant, hands over, and refuses the old holder",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      const { fence } = await one.grantReply({ fences: 3 });
      await two.queued();
      const force = (ifFence?: number) =>
        c.backend.releaseLock(id, one.ticket, { forced: { ifFence } }, c.receipt());
      assert.deepEqual(await force(fence - 1), { status: "lost" });
      assert.deepEqual(await force(fence + 3), { status: "lost" });
      assert.equal(await one.renew(), "renewed");
      assert.equal((await force(fence + 2)).status, "released");
      assert.equal(await one.renew(), "lost");
      assert.deepEqual(await one.release({ write: save("1") }), { status: "lost" });
      await two.granted();
      assert.deepEqual(await force(), { status: "lost" });
    },
  ),
];
