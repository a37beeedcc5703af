/** The contract of shared locks: who holds one together, in which order, and how each of them leaves [L12]. */
import { strict as assert } from "node:assert";
import { eventually } from "../../assertions.ts";
import { save, type ContractClient, type ContractTicket } from "../../contract-client.ts";
import { needing, proof, type Case } from "../../suite.ts";
import { threeClients } from "../three-clients.ts";
import { listening, woken } from "../waking.ts";

const shared = { share: { kind: "shared" } } as const;
const tokens = (holders: readonly { readonly token: string }[] | undefined): string[] =>
  (holders ?? []).map(({ token }) => token);
const of = (...tickets: readonly ContractTicket[]): string[] => tickets.map(({ ticket }) => ticket);

async function readersOf({ backend }: ContractClient, id: string): Promise<string[]> {
  return tokens((await backend.inspectLock(id))?.shares);
}

/** Waits until these hold the lock together. */
function becomesHeldBy(
  client: ContractClient,
  id: string,
  readers: readonly ContractTicket[],
): Promise<void> {
  return eventually(async () => assert.deepEqual(await readersOf(client, id), of(...readers)));
}

export const sharedCases: readonly Case[] = [
  proof("[L12] [L3] readers hold a lock together; a writer waits for all", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const first = await one.grantReply({ ...shared, fences: 3 });
    const second = await two.grantReply(shared);
    assert.ok(second.fence >= first.fence + 3);
    assert.deepEqual([first.waiting, second.waiting], [0, 0]);
    assert.equal(await writer.queued(), 0);
    await one.released();
    assert.equal((await writer.ask()).status, "waiting");
    await two.released();
    assert.ok((await writer.granted()) > second.fence);
    assert.equal((await one.ask(shared)).status, "settled");
  }),
  proof("[L12] no reader overtakes a writer that waits", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [reader, writer, trying] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const [early, late] = [c.ticketFor(id), a.ticketFor(id)];
    await reader.granted(shared);
    await writer.queued();
    assert.equal((await trying.ask({ ...shared, queue: false })).status, "busy");
    assert.equal(await early.queued(shared), 1);
    assert.equal(await late.queued(shared), 2);
    assert.equal((await reader.grantReply(shared)).waiting, 3); // it has the lock, and hears that others wait
    await reader.released();
    await writer.granted();
    await writer.released();
    const entry = await a.backend.inspectLock(id);
    assert.deepEqual(tokens(entry?.shares), of(early, late));
    await late.granted(shared);
    await early.granted(shared);
  }),
  proof("[L12] [L2] readers and writers are served in runs, in the order of their asks", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [holder, one, two] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const [writer, last] = [a.ticketFor(id), b.ticketFor(id)];
    await holder.granted();
    for (const reader of [one, two]) await reader.queued(shared);
    await writer.queued();
    await last.queued(shared);
    await holder.released();
    assert.deepEqual(await readersOf(a, id), of(one, two));
    assert.equal((await one.grantReply(shared)).waiting, 2);
    await one.released();
    assert.equal(await two.renew(), "renewed");
    assert.equal((await last.ask(shared)).status, "waiting");
    await two.released();
    assert.equal((await a.backend.inspectLock(id))?.holder.token, writer.ticket);
    await writer.released();
    await last.granted(shared);
    await last.released();
    await fixture.becomesFree(id);
  }),
  proof("[L12] a dead reader leaves by its own lease, and the others stay", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [dead, alive, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await dead.granted({ ...shared, leaseMs: 150 });
    await alive.granted(shared);
    const reply = await writer.ask();
    assert.equal(reply.status, "waiting");
    if (reply.holders === 2) assert.ok((reply.retryInMs ?? Infinity) <= 150);
    await becomesHeldBy(a, id, [alive]);
    assert.equal(await dead.renew(), "lost");
    assert.deepEqual(await dead.release(), { status: "lost" });
    assert.equal((await writer.ask()).status, "waiting");
    assert.equal(await alive.renew(), "renewed");
    await alive.released();
    await writer.granted();
  }),
  proof("[L12] [L10] when the leases of all readers have ended, a writer is next", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const fences = [
      await one.granted({ ...shared, leaseMs: 200 }),
      await two.granted({ ...shared, leaseMs: 100 }),
    ];
    const fence = await eventually(() => writer.granted());
    assert.ok(fence > Math.max(...fences));
    for (const reader of [one, two]) assert.equal(await reader.renew(), "lost");
  }),
  proof("[L12] a renewal keeps a reader, whatever the leases of the others", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [long, short, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await short.granted({ ...shared, leaseMs: 2_000 });
    await long.granted({ ...shared, leaseMs: 60_000 });
    assert.equal(await short.renew(60_000), "renewed");
    assert.equal(await long.renew(2_100), "renewed");
    await becomesHeldBy(a, id, [short]);
    assert.equal(await long.renew(), "lost");
    assert.equal(await short.renew(), "renewed");
    assert.equal((await writer.ask({ queue: false })).status, "busy");
  }),
  proof("[L12] [L7] a writer that gives up lets the readers behind it in", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [reader, writer, next] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await reader.granted(shared);
    await writer.queued();
    await next.queued(shared);
    assert.deepEqual(await writer.cancel(), { status: "cancelled" });
    assert.deepEqual(await readersOf(a, id), of(reader, next));
    assert.deepEqual(await next.cancel(), { status: "released" });
    assert.deepEqual(await readersOf(a, id), of(reader));
    assert.deepEqual(await next.cancel(), { status: "released" });
    assert.equal(await reader.renew(), "renewed");
  }),
  proof("[S8] [S4] nothing is written while readers hold the lock, not by them either", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    await a.saved(id, save("1"));
    const [reader, other] = [a.ticketFor(id), a.ticketFor(id)];
    const { state } = await reader.grantReply({ ...shared, load: true });
    assert.ok(state !== null && state !== undefined && "revision" in state);
    await other.granted(shared);
    assert.deepEqual(await b.write(id, save("2")), { status: "busy" });
    assert.deepEqual(await reader.write(save("2"), a.receipt()), { status: "lost" });
    assert.deepEqual(await reader.release({ write: save("2") }), { status: "lost" });
    assert.equal(await b.load(id), "1");
    assert.equal(await reader.renew(), "renewed"); // a refused write releases nothing
    reader.nextReceipt();
    await reader.released();
    assert.deepEqual(await b.write(id, save("2")), { status: "busy" });
    await other.released();
    assert.equal((await b.write(id, save("2"))).status, "saved");
  }),
  proof("[S5] [L6] a release ends one reader, once, and frees no other's share", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    const [one, two, never] = [a.ticketFor(id), b.ticketFor(id), b.ticketFor(id)];
    await one.granted(shared);
    await two.granted(shared);
    assert.deepEqual(await never.release(), { status: "lost" });
    const first = await one.release({ keep: { leaseMs: 30_000, fences: 1 } }); // a share is never kept
    assert.deepEqual(first, { status: "released", revision: null });
    assert.deepEqual(await one.release(), first);
    assert.deepEqual(await readersOf(a, id), of(two));
    assert.equal(await one.renew(), "lost");
    assert.equal(await two.renew(), "renewed");
  }),
  proof("[S5] a reader's repeated ask gets its grant again, and is counted once", async (fixture) => {
    const [a, b, , id] = await threeClients(fixture);
    const [one, writer] = [a.ticketFor(id), b.ticketFor(id)];
    const fence = await one.granted({ ...shared, leaseMs: 300 });
    for (let n = 0; n < 2; n += 1) assert.equal(await one.granted(shared), fence);
    const reply = await writer.ask();
    assert.equal(reply.status, "waiting");
    assert.equal(reply.holders, 1);
    assert.ok((reply.retryInMs ?? 0) > 1_000, "its full lease again");
    await one.released();
    await writer.granted();
  }),
  proof("[L12] all readers are named, with their fences and leases", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
    const fences = [
      await one.granted({ ...shared, fences: 3 }),
      await two.granted({ ...shared, leaseMs: 10_000 }),
    ] as const;
    await c.ticketFor(id).queued();
    const entry = await c.backend.inspectLock(id);
    assert.deepEqual(
      entry?.shares?.map(({ token, fence, lastFence, weight }) => [token, fence, lastFence, weight]),
      [
        [one.ticket, fences[0], fences[0] + 2, 1],
        [two.ticket, fences[1], fences[1], 1],
      ],
    );
    assert.deepEqual(entry.holder, { token: two.ticket, foreign: false }); // whose lease ends first
    assert.deepEqual([entry.fence, entry.lastFence, entry.waiters], [fences[1], fences[1], 1]);
    for (const { expiresInMs } of entry.shares ?? []) assert.ok(expiresInMs > 1_000 && expiresInMs <= 30_000);
    assert.deepEqual(tokens((await c.listed(id))?.shares), of(one, two));
  }),
  proof("[L6] a forced release ends one reader, by its fence", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const fence = await one.granted(shared);
    const other = await two.granted(shared);
    await writer.queued();
    const force = (ticket: string, ifFence?: number) =>
      c.backend.releaseLock(id, ticket, { forced: { ifFence } }, c.receipt());
    assert.deepEqual(await force(one.ticket, other), { status: "lost" });
    assert.equal((await force(one.ticket, fence)).status, "released");
    assert.equal(await one.renew(), "lost");
    assert.equal(await two.renew(), "renewed");
    assert.equal((await force(two.ticket)).status, "released");
    await writer.granted();
  }),
  proof("[L9] a reader that was handed the lock but does not respond is passed over", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [holder, stopped, alive] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const writer = a.ticketFor(id);
    await holder.granted();
    await stopped.queued({ ...shared, leaseMs: 150 });
    await alive.queued(shared);
    await writer.queued();
    await holder.released();
    assert.deepEqual(await readersOf(a, id), of(stopped, alive));
    await alive.granted(shared);
    await becomesHeldBy(a, id, [alive]);
    assert.equal((await writer.ask()).status, "waiting");
    await alive.released();
    await writer.granted();
    assert.equal(await stopped.queued({ ...shared, leaseMs: 150 }), 0); // it continues, as the first waiter
  }),
  needing(["pushes"], "[L8] [L12] a run of readers is woken together", async (fixture) => {
    const [a, b, c, id] = await listening(fixture);
    const [holder, one, two] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    const writer = a.ticketFor(id);
    await holder.granted();
    await one.queued(shared);
    await two.queued({ ...shared, fences: 2 });
    await writer.queued();
    await holder.released();
    const wakes = [await woken(b, "granted", one.ticket), await woken(c, "granted", two.ticket)] as const;
    assert.deepEqual([wakes[0].waiting, wakes[1].waiting], [1, 1]);
    assert.deepEqual([wakes[0].fences, wakes[1].fences], [1, 2]);
    const entry = await a.backend.inspectLock(id);
    assert.deepEqual(
      entry?.shares?.map(({ fence }) => fence),
      [wakes[0].fence, wakes[1].fence],
    );
    assert.ok(!a.wakes.some(({ kind }) => kind === "granted"), "the writer still waits");
  }),
  needing(["pushes"], "[L12] every reader hears that a writer waits", async (fixture) => {
    const [a, b, c, id] = await listening(fixture);
    const [one, two, writer] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await one.granted(shared);
    await two.granted(shared);
    assert.ok(![...a.wakes, ...b.wakes].some(({ kind }) => kind === "wanted"));
    await writer.queued();
    await woken(a, "wanted", one.ticket);
    await woken(b, "wanted", two.ticket);
  }),
  needing(["deleteLock"], "[L6] who removes the lock ends all its shares", async (fixture) => {
    const [a, b, c, id] = await threeClients(fixture);
    const [one, two, three] = [a.ticketFor(id), b.ticketFor(id), c.ticketFor(id)];
    await one.granted(shared);
    await two.granted(shared);
    await fixture.hook("deleteLock")(id);
    assert.equal(await a.backend.inspectLock(id), null);
    assert.equal(await one.renew(), "lost");
    await three.granted(shared);
    assert.deepEqual(await readersOf(a, id), of(three));
    assert.equal(await two.renew(), "lost");
    assert.deepEqual(await two.release(), { status: "lost" });
    await three.released();
    await fixture.becomesFree(id);
  }),
  needing(
    ["putForeignLock", "removeForeignLock"],
    "[L11] [L12] readers exclude a foreign client, and a foreign client excludes readers",
    async (fixture) => {
      const [a, b, , id] = await threeClients(fixture);
      const [one, two] = [a.ticketFor(id), b.ticketFor(id)];
      const put = (): Promise<boolean> => fixture.hook("putForeignLock")(id, "their token", 60_000);
      await one.granted(shared);
      await two.granted(shared);
      assert.equal(await put(), false);
      await one.released();
      assert.equal(await put(), false);
      await two.released();
      assert.equal(await put(), true);
      const late = a.ticketFor(id);
      const reply = await late.ask(shared);
      assert.equal(reply.status, "waiting");
      assert.deepEqual(reply.holder, { token: "their token", foreign: true });
      assert.equal(await fixture.hook("removeForeignLock")(id, "their token"), true);
      await late.granted(shared);
    },
  ),
];
