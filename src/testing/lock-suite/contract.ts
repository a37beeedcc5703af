/** The contract of locks: who holds, who waits, what each call answers. */
import { strict as assert } from "node:assert";
import type { LockEntry } from "../../backends/contract.ts";
import { assertRises, eventually } from "../assertions.ts";
import { save, textOf, type ListeningClient, type ContractTurn } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";
import type { Fixture } from "../fixture.ts";

/** Three clients and an id. */
async function three(fixture: Fixture): Promise<[ListeningClient, ListeningClient, ListeningClient, string]> {
  const [a, b, c] = await fixture.clients(3);
  return [a, b, c, fixture.id()];
}

/** Until the lease of whoever holds the lock has ended. */
function becomesUnheld(client: ListeningClient, id: string): Promise<void> {
  return eventually(async () => assert.equal(await client.backend.inspectLock(id), null));
}

export const contractCases: readonly Case[] = [
  proof(
    "[L1] one ticket holds, the others are told who, for how long, and how many stand before them",
    async (fixture) => {
      const [a, b, c, id] = await three(fixture);
      const [one, two, last] = [a.turn(id), b.turn(id), c.turn(id)];
      const granted = await one.grantReply({ leaseMs: 60_000 });
      assert.deepEqual(
        { ...granted, fence: 0 },
        { ...granted, fence: 0, fences: 1, leaseMs: 60_000, waiting: 0 },
      );
      for (const [ahead, hold] of [two, last].entries()) {
        const reply = await hold.ask();
        assert.equal(reply.status, "waiting");
        assert.deepEqual(reply.holder, { token: one.ticket, foreign: false });
        assert.equal(reply.ahead, ahead);
        assert.ok(reply.retryInMs !== null && reply.retryInMs > 30_000 && reply.retryInMs <= 60_000);
      }
      const tried = await a.turn(id).ask({ queue: false });
      assert.equal(tried.status, "held");
      assert.equal(tried.holder.token, one.ticket);
      const entry = await b.backend.inspectLock(id);
      assert.deepEqual(
        { ...entry, expiresInMs: 0 },
        {
          id,
          holder: { token: one.ticket, foreign: false },
          fence: granted.fence,
          lastFence: granted.fence,
          expiresInMs: 0,
          waiters: 2,
        },
      );
      assert.equal((await a.turn(fixture.id()).ask()).status, "granted");
    },
  ),
  proof("[L1] of many tickets that ask at once, exactly one is granted", async (fixture) => {
    const clients = await fixture.clients(4);
    for (let round = 0; round < 10; round += 1) {
      const id = fixture.id();
      const holds = clients.flatMap((client) => [client.turn(id), client.turn(id), client.turn(id)]);
      const replies = await Promise.all(holds.map((hold) => hold.ask({ queue: round % 2 === 0 })));
      assert.equal(replies.filter(({ status }) => status === "granted").length, 1);
    }
  }),
  proof(
    "[L2] the lock goes round in the order of the first asks; asking again moves nobody",
    async (fixture) => {
      const [a, b, c, id] = await three(fixture);
      const waiters = [b.turn(id), c.turn(id), a.turn(id), b.turn(id)];
      let holder = a.turn(id);
      await holder.granted();
      for (const [ahead, hold] of waiters.entries()) assert.equal(await hold.queued(), ahead);
      for (const hold of waiters.toReversed()) await hold.queued();
      for (const [place, next] of waiters.entries()) {
        await holder.released();
        for (const later of waiters.slice(place + 1)) await later.queued();
        await next.granted();
        holder = next;
      }
    },
  ),
  proof("[L2] a ticket in the queue that asks without queueing keeps its place", async (fixture) => {
    const [a, b, , id] = await three(fixture);
    const [one, two] = [a.turn(id), b.turn(id)];
    await one.granted();
    await two.queued();
    assert.equal((await two.ask({ queue: false })).status, "waiting");
    await one.released();
    await two.granted({ queue: false });
  }),
  proof(
    "[L2] nobody overtakes a live waiter whose holder has died, not even who asks first",
    async (fixture) => {
      const [a, b, c, id] = await three(fixture);
      const [dead, first, late] = [a.turn(id), b.turn(id), c.turn(id)];
      await dead.granted({ leaseMs: 100 });
      await first.queued();
      await becomesUnheld(c, id);
      assert.notEqual((await c.turn(id).ask({ queue: false })).status, "granted");
      assert.equal((await late.ask()).status, "waiting");
      await first.granted();
      await first.released();
      await late.granted();
    },
  ),
  proof(
    "[L3] fences rise across release, keep, expiry and hand-over; those reserved for a turn are its own",
    async (fixture) => {
      const [a, b, c, id] = await three(fixture);
      const fences: number[] = [];
      const reserved = ({
        fence,
        fences: count,
      }: {
        fence?: number | undefined;
        fences?: number | undefined;
      }): void => {
        assert.ok(fence !== undefined && count !== undefined);
        for (let n = 0; n < count; n += 1) fences.push(fence + n);
      };
      const [one, two, last] = [a.turn(id), b.turn(id), c.turn(id)];
      reserved(await one.grantReply({ fences: 3 }));
      const kept = await one.release({ keep: { leaseMs: 5_000, fences: 2 } });
      assert.equal(kept.status, "kept");
      reserved(kept);
      one.nextReceipt();
      await two.queued({ fences: 4, leaseMs: 100 });
      await one.released();
      reserved(await two.grantReply({ fences: 4, leaseMs: 100 }));
      await becomesUnheld(a, id);
      reserved(await last.grantReply({ fences: 64 }));
      assert.equal(fences.length, 3 + 2 + 4 + 64);
      assertRises(fences, "fences");
    },
  ),
  needing(["deleteLock"], "[L3] fences rise across a lock that is deleted", async (fixture) => {
    const [a, b, , id] = await three(fixture);
    const first = await a.turn(id).grantReply({ fences: 64 });
    await fixture.hook("deleteLock")(id);
    const second = await b.turn(id).grantReply();
    assert.ok(second.fence > first.fence + 63);
  }),
  proof("[S5] the ticket that holds gets the same answer again, with its full lease", async (fixture) => {
    const [a, , , id] = await three(fixture);
    const hold = a.turn(id);
    const first = await hold.grantReply({ leaseMs: 2_000, fences: 4 });
    assert.deepEqual(await hold.grantReply({ leaseMs: 2_000, fences: 9 }), first);
    assert.ok(((await a.backend.inspectLock(id))?.expiresInMs ?? 0) > 1_000);
  }),
  proof(
    "[S3] the state comes with the grant if it was asked for, and is saved with the release",
    async (fixture) => {
      const [a, b, , id] = await three(fixture);
      assert.equal((await a.turn(fixture.id()).grantReply({ load: true })).state, null);
      await a.saved(id, save("1"));
      const hold = a.turn(id);
      assert.equal(textOf((await hold.grantReply({ load: true })).state), "1");
      assert.equal((await hold.grantReply()).state, undefined);
      const reply = await hold.release({ write: save("2") });
      assert.equal(reply.status, "released");
      assert.equal((await b.stored(id)).revision, reply.revision);
      assert.equal(await b.load(id), "2");
      const deleting = b.turn(id);
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
      const [a, b, , id] = await three(fixture);
      const [one, two] = [a.turn(id), b.turn(id)];
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
      const [a, b, , id] = await three(fixture);
      const [one, two, third] = [a.turn(id), b.turn(id), b.turn(id)];
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
    "[S4] a refused save gives nothing up: the lock is still held, and the next try may succeed",
    async (fixture) => {
      const [a, , , id] = await three(fixture);
      const hold = a.turn(id);
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
      const [a, b, , id] = await three(fixture);
      const [one, two] = [a.turn(id), b.turn(id)];
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
    "[L6] a release of what is no longer held answers lost, again and again, and frees nobody's lock",
    async (fixture) => {
      const [a, b, , id] = await three(fixture);
      const [one, two] = [a.turn(id), b.turn(id)];
      assert.deepEqual(await one.release(), { status: "lost" });
      await one.granted({ leaseMs: 100 });
      await becomesUnheld(b, id);
      await two.granted();
      for (let round = 0; round < 2; round += 1) assert.deepEqual(await one.release(), { status: "lost" });
      assert.equal((await a.backend.inspectLock(id))?.holder.token, two.ticket);
      assert.equal(await two.renew(), "renewed");
    },
  ),
  proof("[L6] a renewal keeps its own lock only, and never brings one back", async (fixture) => {
    const [a, b, , id] = await three(fixture);
    const [one, two] = [a.turn(id), b.turn(fixture.id())];
    await one.granted({ leaseMs: 500 });
    await two.granted();
    const entry = ({ id: of, ticket }: ContractTurn) => ({ id: of, ticket, leaseMs: 60_000 });
    const entries = [entry(one), { ...entry(two), ticket: one.ticket }, entry(a.turn(fixture.id()))];
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
      const [a, b, c, id] = await three(fixture);
      const [one, two] = [a.turn(id), b.turn(id)];
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
  proof("[L1] listing gives every held lock once, page by page, below a prefix only", async (fixture) => {
    const [a, b, , under] = await three(fixture);
    const ids = Array.from({ length: 5 }, (_, n) => `${under}:job:${String(n)}`);
    for (const id of [...ids, `${under}:other`]) await a.turn(id).granted();
    await b.turn(`${under}:job:0`).queued();
    const listed: LockEntry[] = [];
    let cursor: string | null = null;
    do {
      const request = { idPrefix: `${under}:job:`, limit: 2 };
      const page: Awaited<ReturnType<ListeningClient["backend"]["listLocks"]>> = await b.backend.listLocks(
        cursor,
        request,
      );
      listed.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== null);
    assert.deepEqual(listed.map(({ id }) => id).sort(), ids);
    assert.deepEqual(listed.map(({ waiters }) => waiters).sort(), [0, 0, 0, 0, 1]);
  }),
  proof(
    "[P2] a closed backend refuses with UNREACHABLE, may be closed again, and disturbs nobody else",
    async (fixture) => {
      const [a, b, , id] = await three(fixture);
      await a.saved(id, save("1"));
      await b.backend.close();
      await b.backend.close();
      await assert.rejects(b.load(id), { code: "UNREACHABLE", outcome: "none" });
      await assert.rejects(b.turn(id).ask(), { code: "UNREACHABLE" });
      assert.equal(await a.load(id), "1");
    },
  ),
];
