/** The contract of locks: holders, waiters, and the reply to each call. */
import { strict as assert } from "node:assert";
import type { LockEntry } from "../../backends/contract.ts";
import { assertRises, eventually } from "../assertions.ts";
import { save, type ListeningClient } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";
import { threeClients } from "./three-clients.ts";

/** Waits until the holder's lease has ended. */
function becomesUnheld(client: ListeningClient, id: string): Promise<void> {
  return eventually(async () => assert.equal(await client.backend.inspectLock(id), null));
}

export const contractCases: readonly Case[] = [
  proof(
    "[L1] one ticket holds the lock; the others learn who it is, for how long, and how many are ahead of them",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [one, two, last] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
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
      const tried = await a.ticketFor(id).ask({ queue: false });
      assert.equal(tried.status, "busy");
      assert.equal(tried.holder.token, one.ticket);
      const entry = await b.backend.inspectLock(id);
      assert.deepEqual(
        { ...entry, expiresInMs: 0, heldForMs: 0 },
        {
          id,
          holder: { token: one.ticket, foreign: false },
          fence: granted.fence,
          lastFence: granted.fence,
          expiresInMs: 0,
          heldForMs: 0,
          waiters: 2,
        },
      );
      assert.equal((await a.ticketFor(fixture.id()).ask()).status, "granted");
    },
  ),
  proof("[L1] of many tickets that ask at once, exactly one is granted", async (fixture) => {
    const clients = await fixture.clients(4);
    for (let round = 0; round < 10; round += 1) {
      const id = fixture.id();
      const holds = clients.flatMap((client) => [
        client.ticketFor(id),
        client.ticketFor(id),
        client.ticketFor(id),
      ]);
      const replies = await Promise.all(holds.map((hold) => hold.ask({ queue: round % 2 === 0 })));
      assert.equal(replies.filter(({ status }) => status === "granted").length, 1);
    }
  }),
  proof(
    "[L2] the lock goes round in the order of the first asks; asking again moves nobody",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const waiters = [b.ticketFor(id), c.ticketFor(id), a.ticketFor(id), b.ticketFor(id)];
      let holder = a.ticketFor(id);
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
    const [a, b, , id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    await one.granted();
    await two.queued();
    assert.equal((await two.ask({ queue: false })).status, "waiting");
    await one.released();
    await two.granted({ queue: false });
  }),
  proof(
    "[L2] after a holder has died, no client overtakes a live waiter, not even the first to ask",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [dead, first, late] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      await dead.granted({ leaseMs: 100 });
      await first.queued();
      await becomesUnheld(c, id);
      assert.notEqual((await c.ticketFor(id).ask({ queue: false })).status, "granted");
      assert.equal((await late.ask()).status, "waiting");
      await first.granted();
      await first.released();
      await late.granted();
    },
  ),
  proof(
    "[L3] fences rise across release, keep, expiry and hand-over; those reserved for a turn are its own",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
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
      const [one, two, last] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
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
    const [a, b, , id] = await threeClients(fixture);
    const first = await a.ticketFor(id).grantReply({ fences: 64 });
    await fixture.hook("deleteLock")(id);
    const second = await b.ticketFor(id).grantReply();
    assert.ok(second.fence > first.fence + 63);
  }),
  proof("[S5] the ticket that holds gets the same answer again, with its full lease", async (fixture) => {
    const [a, , , id] = await threeClients(fixture);
    const hold = a.ticketFor(id);
    const first = await hold.grantReply({ leaseMs: 2_000, fences: 4 });
    assert.deepEqual(await hold.grantReply({ leaseMs: 2_000, fences: 9 }), first);
    assert.ok(((await a.backend.inspectLock(id))?.expiresInMs ?? 0) > 1_000);
  }),
  proof("[L1] listing gives every held lock once, page by page, below a prefix only", async (fixture) => {
    const [a, b, , under] = await threeClients(fixture);
    const ids = Array.from({ length: 5 }, (_, n) => `${under}:job:${String(n)}`);
    for (const id of [...ids, `${under}:other`]) await a.ticketFor(id).granted();
    await b.ticketFor(`${under}:job:0`).queued();
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
    "[P2] a closed backend refuses with UNREACHABLE, may be closed again, and does not affect others",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      await a.saved(id, save("1"));
      await b.backend.close();
      await b.backend.close();
      await assert.rejects(b.load(id), { code: "UNREACHABLE", outcome: "none" });
      await assert.rejects(b.ticketFor(id).ask(), { code: "UNREACHABLE" });
      assert.equal(await a.load(id), "1");
    },
  ),
];
