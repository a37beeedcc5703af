/** The contract of the queue: hand-overs, dead waiters, wakes, and foreign clients. */
import { strict as assert } from "node:assert";
import { eventually } from "../assertions.ts";
import { save, textOf } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";
import { threeClients } from "./three-clients.ts";
import { listening, woken } from "./waking.ts";

export const queueCases: readonly Case[] = [
  proof("[L7] a cancelled waiter is out of the queue, and may be cancelled again", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, last] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await one.granted();
    await two.queued();
    assert.equal(await last.queued(), 1);
    assert.deepEqual(await two.cancel(), { status: "cancelled" });
    assert.deepEqual(await two.cancel(), { status: "cancelled" });
    assert.equal(await last.queued(), 0);
    await one.released();
    await last.granted();
  }),
  proof("[L7] a grant that comes too late is passed on by its cancel, once", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, last] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await one.granted();
    await two.queued();
    await last.queued();
    await one.released();
    assert.deepEqual(await two.cancel(), { status: "released" });
    await last.granted();
    assert.deepEqual(await two.cancel(), { status: "released" });
    assert.equal(await last.renew(), "renewed");
    await last.released();
    await fixture.becomesFree(id);
  }),
  proof(
    "[L10] a dead holder's lock is free after its lease, and the first waiter gets it by asking",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [dead, waiter] = [a.ticketFor(id), b.ticketFor(id)];
      const first = await dead.grantReply({ leaseMs: 150 });
      const next = await eventually(async () => waiter.grantReply({ leaseMs: 60_000 }));
      assert.ok(next.fence > first.fence);
      assert.equal(await dead.renew(), "lost");
      assert.deepEqual(await dead.release(), { status: "lost" });
    },
  ),
  proof(
    "[L9] a waiter that is handed the lock but does not respond is passed over, and keeps its place",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [one, stopped, next] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      await one.granted();
      await stopped.queued({ leaseMs: 150 });
      await next.queued();
      await one.released();
      assert.equal((await a.backend.inspectLock(id))?.holder.token, stopped.ticket);
      await eventually(async () => assert.equal(await a.backend.inspectLock(id), null));
      await next.granted(); // at its very next ask
      assert.equal(await stopped.queued({ leaseMs: 150 }), 0); // it continues, as the first waiter
      await next.released();
      await stopped.granted();
      await stopped.released();
      await fixture.becomesFree(id);
    },
  ),
  proof(
    "[L9] several dead waiters in a row cost at most a hand-over lease each, and no other waiter moves",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const one = a.ticketFor(id);
      await one.granted();
      for (let n = 0; n < 4; n += 1) await b.ticketFor(id).queued({ leaseMs: 100 });
      const [next, last] = [c.ticketFor(id), a.ticketFor(id)];
      await next.queued();
      await last.queued();
      await one.released();
      await eventually(async () => {
        await last.queued(); // alive, and behind the next
        await next.granted();
      });
      await next.released();
      await eventually(async () => last.granted());
    },
  ),
  ...(["renew", "write", "release"] as const).map((word): Case => ({
    name: `[L9] the first command of a waiter that was handed the lock confirms it: a ${word}`,
    async run(fixture) {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      await one.granted();
      await two.queued();
      await one.released();
      if (word === "renew") assert.equal(await two.renew(), "renewed");
      if (word === "write") assert.equal((await two.write(save("1"), b.receipt())).status, "saved");
      assert.equal((await a.backend.inspectLock(id))?.waiters, 0);
      await two.released();
      await fixture.becomesFree(id);
    },
  })),
  needing(
    ["pushes"],
    "[L8] a release wakes the first waiter, with its fences, and with the state if it asked for it",
    async (fixture) => {
      const [a, b, c, id] = await listening(fixture);
      const [one, two, last] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      await one.granted();
      await two.queued({ load: true, fences: 5 });
      await last.queued();
      await one.released({ write: save("1") });
      const wake = await woken(b, "granted", two.ticket);
      const entry = await a.backend.inspectLock(id);
      assert.equal(entry?.holder.token, two.ticket);
      assert.deepEqual([wake.fence, wake.fence + wake.fences - 1], [entry.fence, entry.lastFence]);
      assert.equal(wake.fences, 5);
      assert.equal(wake.waiting, 1);
      assert.ok(wake.leaseMs > 0);
      if (wake.state !== undefined) assert.equal(textOf(wake.state), "1");
      assert.ok(!c.wakes.some(({ kind }) => kind === "granted"), "exactly one waiter is woken");
    },
  ),
  needing(["pushes"], "[L2] a holder is notified when another client begins to wait", async (fixture) => {
    const [a, b, , id] = await listening(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    await one.granted();
    await two.queued();
    await woken(a, "wanted", one.ticket);
  }),
  needing(["pushes"], "[L6] a holder is notified when it is released by force", async (fixture) => {
    const [a, b, , id] = await listening(fixture);
    const one = a.ticketFor(id);
    await one.granted();
    await b.backend.releaseLock(id, one.ticket, { forced: {} }, b.receipt());
    await woken(a, "forced", one.ticket);
  }),
  needing(
    ["putForeignLock", "removeForeignLock"],
    "[L11] a foreign client's lock excludes others: they wait, learn its token, and cannot write",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      assert.equal(await fixture.hook("putForeignLock")(id, "their token", 60_000), true);
      const hold = a.ticketFor(id);
      const reply = await hold.ask();
      assert.equal(reply.status, "waiting");
      assert.deepEqual(reply.holder, { token: "their token", foreign: true });
      assert.deepEqual(await b.write(id, save("1")), { status: "busy" });
      assert.deepEqual(await hold.write(save("1"), a.receipt()), { status: "lost" });
      const entry = await b.backend.inspectLock(id);
      assert.deepEqual([entry?.fence, entry?.holder.foreign, entry?.waiters], [null, true, 1]);
      assert.equal(await fixture.hook("removeForeignLock")(id, "not it"), false);
      assert.equal(await fixture.hook("removeForeignLock")(id, "their token"), true);
      await hold.granted();
    },
  ),
  needing(
    ["putForeignLock", "removeForeignLock"],
    "[L11] a lock excludes a foreign client, even after a hand-over; the client may take it when it is free",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      const put = (): Promise<boolean> => fixture.hook("putForeignLock")(id, "their token", 60_000);
      await one.granted();
      assert.equal(await put(), false);
      assert.equal(await fixture.hook("removeForeignLock")(id, "their token"), false);
      await two.queued();
      await one.released();
      assert.equal(await put(), false);
      await two.granted();
      await two.released();
      assert.equal(await put(), true);
      assert.equal((await a.backend.inspectLock(id))?.holder.token, "their token");
    },
  ),
  needing(
    ["putForeignLock"],
    "[L11] a foreign lock without a lease is never considered free, and can be released by force",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      assert.equal(await fixture.hook("putForeignLock")(id, "for ever", null), true);
      const hold = a.ticketFor(id);
      const reply = await hold.ask();
      assert.equal(reply.status, "waiting");
      assert.equal(reply.retryInMs, null);
      assert.equal((await b.backend.inspectLock(id))?.expiresInMs, null);
      const forced = await b.backend.releaseLock(id, "for ever", { forced: {} }, b.receipt());
      assert.equal(forced.status, "released");
      await hold.granted();
    },
  ),
];
