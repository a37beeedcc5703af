/** The contract of semaphores: how many permits fit, in which order, and what becomes of the limit [L13]. */
import { strict as assert } from "node:assert";
import type { AcquireRequest, SemaphoreChange } from "../../../backends/contract.ts";
import { eventually } from "../../assertions.ts";
import type { ContractClient } from "../../contract-client.ts";
import { needing, proof, type Case } from "../../suite.ts";
import { threeClients } from "../three-clients.ts";
import { listening, woken } from "../waking.ts";

/** An ask for so many permits, by a caller that takes the limit to be this; `null`: it takes it as it is. */
function permits(weight: number, limit: number | null = null): Pick<AcquireRequest, "share"> {
  return { share: { kind: "permits", weight, limit } };
}

const resizeTo = (limit: number, created: number | null = null): SemaphoreChange => ({
  ...{ kind: "resize", limit, created },
});

async function resized(client: ContractClient, id: string, limit: number): Promise<void> {
  const reply = await client.backend.changeSemaphore(id, resizeTo(limit), client.receipt());
  assert.deepEqual(reply, { status: "resized" });
}

/** The weights of those that hold permits, in the order of their grants. */
async function weights(client: ContractClient, id: string): Promise<number[] | undefined> {
  return (await client.backend.inspectSemaphore(id))?.holders.map(({ weight }) => weight);
}

export const permitCases: readonly Case[] = [
  proof("[L13] [L3] as many permits are given as there are, each grant with a fence", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, three] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const fences = [await one.granted(permits(2, 5)), await two.granted(permits(3, 5))] as const;
    assert.ok(fences[1] > fences[0]);
    const reply = await three.ask(permits(1, 5));
    assert.equal(reply.status, "waiting");
    assert.deepEqual([reply.holders, reply.ahead], [2, 0]);
    await one.released();
    assert.ok((await three.granted(permits(1, 5))) > fences[1]);
    const again = a.ticketFor(id);
    await again.granted(permits(1)); // 3 + 1 + 1
    assert.equal((await b.ticketFor(id).ask({ ...permits(1), queue: false })).status, "busy");
    assert.deepEqual(await weights(a, id), [3, 1, 1]);
  }),
  proof("[L13] [L2] permits are given in the order of the asks, whatever their weight", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [holder, big, small] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const last = a.ticketFor(id);
    await holder.granted(permits(2, 3));
    await big.queued(permits(3));
    assert.equal(await small.queued(permits(1)), 1); // one is left, but the big one is first
    assert.equal((await b.ticketFor(id).ask({ ...permits(1), queue: false })).status, "busy");
    assert.equal(await last.queued(permits(2)), 2);
    await holder.released();
    assert.deepEqual(await weights(a, id), [3]);
    await big.released();
    assert.deepEqual(await weights(a, id), [1, 2]);
    await small.granted(permits(1));
    await last.granted(permits(2));
  }),
  proof("[L13] [L7] a big ask that gives up lets the smaller ones behind it in", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [holder, big, small] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await holder.granted(permits(1, 3));
    await big.queued(permits(3));
    await small.queued(permits(2));
    assert.deepEqual(await big.cancel(), { status: "cancelled" });
    assert.deepEqual(await weights(a, id), [1, 2]);
    assert.deepEqual(await small.cancel(), { status: "released" });
    assert.deepEqual(await weights(a, id), [1]);
  }),
  proof("[L13] [L10] a dead holder's permits are free after its own lease", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [dead, alive, waiter] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await dead.granted({ ...permits(2, 3), leaseMs: 150 });
    await alive.granted(permits(1));
    await eventually(() => waiter.granted(permits(2)));
    assert.equal(await dead.renew(), "lost");
    assert.deepEqual(await dead.release(), { status: "lost" });
    assert.deepEqual(await weights(a, id), [1, 2]);
    assert.equal(await alive.renew(), "renewed");
  }),
  proof("[S5] [L6] a release and a repeated ask count once, and free no other's permits", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    const fence = await one.granted(permits(2, 4));
    assert.equal(await one.granted(permits(2, 4)), fence);
    await two.granted(permits(2, 4));
    const first = await one.release({ keep: { leaseMs: 30_000, fences: 1 } }); // permits are never kept
    assert.deepEqual(first, { status: "released", revision: null });
    assert.deepEqual(await one.release(), first);
    assert.deepEqual(await one.ask(permits(2, 4)), { status: "settled" });
    assert.deepEqual(await weights(a, id), [2]);
    const force = () => c.backend.releaseLock(id, two.ticket, { forced: {} }, c.receipt());
    assert.equal((await force()).status, "released");
    assert.equal(await two.renew(), "lost");
    assert.deepEqual(await force(), { status: "lost" });
  }),
  proof(
    "[L13] another limit than the stored one is a mismatch, and so is a weight above it",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const ask = (weight: number, limit: number | null) => b.ticketFor(id).ask(permits(weight, limit));
      const none = { status: "mismatch", limit: null, created: null };
      assert.deepEqual(await ask(1, null), none);
      assert.deepEqual(await ask(4, 3), none); // and none is made
      assert.equal(await a.backend.inspectSemaphore(id), null);
      await a.ticketFor(id).granted(permits(1, 3));
      assert.deepEqual(await ask(1, 4), { status: "mismatch", limit: 3, created: 3 });
      assert.deepEqual(await ask(4, null), { status: "mismatch", limit: 3, created: 3 });
      await resized(a, id, 5);
      assert.deepEqual(await ask(1, 4), { status: "mismatch", limit: 5, created: 3 });
      for (const limit of [3, 5, null]) assert.equal((await ask(1, limit)).status, "granted");
      assert.deepEqual(await ask(6, 5), { status: "mismatch", limit: 5, created: 3 });
      assert.equal((await a.backend.inspectSemaphore(id))?.waiters, 0);
    },
  ),
  proof("[L13] a greater limit lets those in that fit now", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [holder, one, two] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await holder.granted(permits(2, 2));
    await one.queued(permits(2));
    await two.queued(permits(1));
    await resized(c, id, 4);
    assert.deepEqual(await weights(a, id), [2, 2]);
    await resized(c, id, 5);
    assert.deepEqual(await weights(a, id), [2, 2, 1]);
    await two.granted(permits(1, 2));
  }),
  proof("[L13] with a smaller limit holders finish, and asks that are too heavy end", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    const [heavy, light] = [b.ticketFor(id), c.ticketFor(id)];
    await one.granted(permits(2, 4));
    await two.granted(permits(2));
    await heavy.queued(permits(3));
    await light.queued(permits(1));
    await resized(c, id, 2);
    assert.deepEqual(await weights(a, id), [2, 2]);
    assert.deepEqual(await heavy.ask(permits(3)), { status: "mismatch", limit: 2, created: 4 });
    assert.equal(await light.queued(permits(1)), 0);
    assert.equal(await one.renew(), "renewed");
    await one.released();
    assert.equal(await light.queued(permits(1)), 0); // two are in use, and two is the limit
    await two.released();
    await light.granted(permits(1));
    assert.deepEqual(await weights(a, id), [1]);
  }),
  proof(
    "[L13] a ticket that waits goes on waiting when the limit is another than it names",
    async (fixture) => {
      const [a, b, c, id] = await threeClients(fixture);
      const [holder, waiter] = [a.ticketFor(id), b.ticketFor(id)];
      await holder.granted(permits(3, 3));
      await resized(c, id, 4);
      await waiter.queued(permits(2, 4));
      await resized(c, id, 3);
      await waiter.queued(permits(2, 4));
      assert.equal((await c.ticketFor(id).ask(permits(2, 4))).status, "mismatch");
      await holder.released();
      await waiter.granted(permits(2, 4));
    },
  ),
  proof("[L13] a resize may make the semaphore; without a number for that there is none", async (fixture) => {
    const [a, , , id] = await threeClients(fixture);
    const change = (what: SemaphoreChange) => a.backend.changeSemaphore(id, what, a.receipt());
    assert.deepEqual(await change(resizeTo(5)), { status: "absent" });
    assert.equal(await a.backend.inspectSemaphore(id), null);
    assert.deepEqual(await change(resizeTo(5, 3)), { status: "resized" });
    assert.deepEqual(await a.backend.inspectSemaphore(id), {
      ...{ id, limit: 5, created: 3, holders: [], waiters: 0 },
    });
    await a.ticketFor(id).granted(permits(5, 3));
  }),
  proof("[L13] a semaphore is deleted while nobody holds or waits for permits", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    const remove = () => b.backend.changeSemaphore(id, { kind: "delete" }, b.receipt());
    assert.deepEqual(await remove(), { status: "absent" });
    const hold = a.ticketFor(id);
    await hold.granted(permits(1, 3));
    assert.deepEqual(await remove(), { status: "busy" });
    await hold.released();
    assert.equal((await b.backend.inspectSemaphore(id))?.limit, 3); // it is kept for the next one
    assert.deepEqual(await remove(), { status: "removed" });
    assert.equal(await b.backend.inspectSemaphore(id), null);
    await a.ticketFor(id).granted(permits(1, 7));
  }),
  proof("[S5] a resize and a delete take effect once", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    await a.ticketFor(id).granted(permits(1, 3));
    const receipt = a.receipt();
    const resize = () => a.backend.changeSemaphore(id, resizeTo(5), receipt);
    assert.deepEqual(await resize(), { status: "resized" });
    await resized(b, id, 8);
    assert.deepEqual(await resize(), { status: "resized" }); // the first reply again
    assert.equal((await b.backend.inspectSemaphore(id))?.limit, 8);
    const next = { ...receipt, n: receipt.n + 1 };
    assert.deepEqual(await a.backend.changeSemaphore(id, resizeTo(6), next), { status: "resized" });
    assert.deepEqual(await resize(), { status: "forgotten" }); // a late copy
    assert.equal((await b.backend.inspectSemaphore(id))?.limit, 6);
  }),
  proof("[L13] a semaphore and its holders are seen, in a listing too", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    const fences = [
      await one.granted({ ...permits(2, 4), fences: 3 }),
      await two.granted({ ...permits(1, 4), leaseMs: 10_000 }),
    ] as const;
    await c.ticketFor(id).queued(permits(4));
    const entry = await c.backend.inspectSemaphore(id);
    assert.deepEqual([entry?.limit, entry?.created, entry?.waiters], [4, 4, 1]);
    const held = [
      [one.ticket, fences[0], fences[0] + 2, 2],
      [two.ticket, fences[1], fences[1], 1],
    ];
    const plain = entry?.holders.map(({ token, fence, lastFence, weight }) => [
      token,
      fence,
      lastFence,
      weight,
    ]);
    assert.deepEqual(plain, held);
    const listed = await c.listed(id);
    assert.equal(listed?.holder.token, two.ticket); // whose lease ends first
    assert.deepEqual(
      listed.shares?.map(({ weight }) => weight),
      [2, 1],
    );
  }),
  needing(
    ["pushes"],
    "[L8] [L13] all that fit are woken; a holder hears nothing of waiters",
    async (fixture) => {
      const [a, b, c, id] = await listening(fixture);
      const [holder, one, two] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
      await holder.granted(permits(3, 3));
      await one.queued(permits(1));
      await two.queued({ ...permits(2), fences: 4 });
      await b.ticketFor(id).queued(permits(1));
      await holder.released();
      const wakes = [await woken(b, "granted", one.ticket), await woken(c, "granted", two.ticket)] as const;
      assert.deepEqual([wakes[0].waiting, wakes[1].waiting], [1, 1]);
      assert.deepEqual([wakes[0].fences, wakes[1].fences], [1, 4]);
      assert.ok(!a.wakes.some(({ kind }) => kind === "wanted"), "permits are not wanted back");
    },
  ),
  needing(
    ["pushes"],
    "[L13] a ticket whose ask has become too heavy is woken to ask again",
    async (fixture) => {
      const [a, b, , id] = await listening(fixture);
      const [holder, heavy] = [a.ticketFor(id), b.ticketFor(id)];
      await holder.granted(permits(2, 4));
      await heavy.queued(permits(4));
      await resized(a, id, 3);
      await woken(b, "ask", heavy.ticket);
      assert.deepEqual(await heavy.ask(permits(4)), { status: "mismatch", limit: 3, created: 4 });
    },
  ),
];
