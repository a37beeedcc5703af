/** The contract of an ask with `from`: it takes the lock over from exactly that holder, or does nothing. */
import { strict as assert } from "node:assert";
import type { TakenFrom } from "../../../backends/contract.ts";
import { assertRises, eventually } from "../../assertions.ts";
import { save, textOf, type ContractTicket } from "../../contract-client.ts";
import { proof, type Case } from "../../suite.ts";
import { threeClients } from "../three-clients.ts";

function from(
  { ticket }: ContractTicket,
  fence: number,
): { readonly queue: false; readonly from: TakenFrom } {
  return { queue: false, from: { ticket, fence } };
}

export const adoptCases: readonly Case[] = [
  proof(
    "[L1] [L3] [L6] an ask with from takes the lock over with greater fences, and the old holder has lost it",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [old, next] = [a.ticketFor(id), b.ticketFor(id)];
      const { fence, fences } = await old.grantReply({ fences: 5 });
      const own = await next.grantReply({ ...from(old, fence + 4), leaseMs: 20_000, fences: 2 });
      assertRises([fence + fences - 1, own.fence], "fences");
      assert.deepEqual([own.fences, own.leaseMs, own.waiting], [2, 20_000, 0]);
      assert.equal((await b.backend.inspectLock(id))?.holder.token, next.ticket);
      assert.equal(await old.renew(), "lost");
      assert.equal((await old.write(save("1"), a.receipt())).status, "lost");
      assert.equal((await old.release({ write: save("2") })).status, "lost");
      assert.equal(await b.load(id), null);
      assert.equal((await next.write(save("3"), b.receipt())).status, "saved");
      await next.released();
      await fixture.becomesFree(id);
      if (!fixture.pushes) return;
      await eventually(() => {
        const forced = a.wakes.filter(({ kind }) => kind === "forced");
        assert.deepEqual(forced, [{ kind: "forced", id, ticket: old.ticket }]);
      });
    },
  ),
  proof(
    "[L1] an ask with from does nothing unless that ticket holds the lock with that fence",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [holder, next, other] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      const fence = await holder.granted({ fences: 2 });
      for (const wrong of [from(holder, fence - 1), from(holder, fence + 2), from(other, fence)])
        assert.deepEqual(await next.ask(wrong), { status: "lost" });
      assert.equal(await holder.renew(), "renewed");
      await holder.released();
      assert.deepEqual(await next.ask(from(holder, fence)), { status: "lost" });
      const [reader, adopter] = [a.ticketFor(id), b.ticketFor(id)];
      const shared = await reader.granted({ share: { kind: "shared" } });
      assert.deepEqual(await adopter.ask(from(reader, shared)), { status: "lost" });
      await reader.released();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[S5] [L1] a repeated ask with from gets the same grant; a second ticket gets none; after its release it is settled",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [old, next, second] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      const how = from(old, await old.granted());
      const first = await next.grantReply(how);
      assert.deepEqual(await next.grantReply(how), first);
      assert.deepEqual(await second.ask(how), { status: "lost" });
      await next.released();
      assert.deepEqual(await next.ask(how), { status: "settled" });
      await fixture.becomesFree(id);
    },
  ),
  proof("[L2] [S3] those that wait go on waiting, and the state comes with the grant", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    await a.saved(id, save("1"));
    const [old, next, waiter] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const fence = await old.granted();
    await waiter.queued();
    const own = await next.grantReply({ ...from(old, fence), load: true });
    assert.equal(own.waiting, 1);
    assert.equal(textOf(own.state), "1");
    await next.released();
    await waiter.granted();
    await waiter.released();
  }),
  proof(
    "[L9] a holder that was handed the lock and is taken over has no place in the queue",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [first, handed, waiter, next] = [
        a.ticketFor(id),
        b.ticketFor(id),
        a.ticketFor(id),
        c.ticketFor(id),
      ];
      await first.granted();
      await handed.queued();
      await waiter.queued();
      await first.released();
      const fence = (await c.backend.inspectLock(id))?.fence ?? 0;
      assert.equal((await next.grantReply(from(handed, fence))).waiting, 1);
      assert.equal(await handed.queued(), 1);
      await handed.cancel();
      await waiter.cancel();
      await next.released();
      await fixture.becomesFree(id);
    },
  ),
];
