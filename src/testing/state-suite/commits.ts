/** The contract of a commit of several states [S9]: all or nothing, in one step. */
import { strict as assert } from "node:assert";
import type { CommitEntry, CommitReply } from "../../backends/contract.ts";
import { remove, save, textOf, type ContractClient, type ContractTicket } from "../contract-client.ts";
import type { Fixture } from "../fixture.ts";
import { listening, woken } from "../lock-suite/waking.ts";
import { needing, proof, type Case } from "../suite.ts";

/** Ids with the same tag, so of the same shard. */
function idsOf(fixture: Fixture, count: number): string[] {
  const tag = fixture.id();
  return Array.from({ length: count }, (_, index) => `{${tag}}${String(index)}`);
}

async function heldBy(client: ContractClient, ids: readonly string[]): Promise<ContractTicket[]> {
  const tickets = ids.map((id) => client.ticketFor(id));
  for (const ticket of tickets) await ticket.granted();
  return tickets;
}

type Change = Partial<Pick<CommitEntry, "write" | "ifRevision">> & { readonly keeps?: boolean };

function entryOf({ id, ticket, receipt }: ContractTicket, { keeps = false, ...change }: Change): CommitEntry {
  return { id, ticket, release: keeps ? undefined : receipt, ...change };
}

const entriesOf = (tickets: readonly ContractTicket[], changes: readonly Change[]): CommitEntry[] =>
  tickets.map((ticket, index) => entryOf(ticket, changes[index] ?? {}));

/** A commit under these tickets. */
function commit(
  client: ContractClient,
  tickets: readonly ContractTicket[],
  changes: readonly Change[],
): Promise<CommitReply> {
  return client.backend.commitStates(entriesOf(tickets, changes), client.receipt());
}

export const commitCases: readonly Case[] = [
  proof("[S9] saves, deletes and leaves states as they are, and releases their locks", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 3);
    const [one = "", two = "", three = ""] = ids;
    const before = await a.saved(one, save("1"));
    await a.saved(two, save("2"));
    const kept = await a.saved(three, save("3"));
    const tickets = await heldBy(a, ids);
    const reply = await commit(a, tickets, [{ write: save("one") }, { write: remove() }, {}]);
    assert.equal(reply.status, "committed");
    const [revision] = reply.revisions;
    assert.deepEqual(reply.revisions, [revision, null, null]);
    assert.ok(revision !== null && revision !== undefined && revision > before);
    assert.equal((await b.stored(one)).revision, revision);
    assert.deepEqual([await b.load(one), await b.load(two), await b.load(three)], ["one", null, "3"]);
    assert.equal((await b.stored(three)).revision, kept);
    for (const id of ids) await b.ticketFor(id).granted();
    for (const ticket of tickets) assert.equal((await ticket.ask()).status, "settled");
    for (const ticket of tickets) assert.deepEqual(await ticket.renew(), "lost");
  }),
  proof("[S9] [L6] a lock that is not released is held on, and can commit again", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 2);
    const [one = "", two = ""] = ids;
    const tickets = await heldBy(a, ids);
    await commit(a, tickets, [{ write: save("1"), keeps: true }, { write: save("1") }]);
    assert.equal((await b.ticketFor(one).ask({ queue: false })).status, "busy");
    await b.ticketFor(two).granted();
    const [first] = tickets as [ContractTicket];
    const reply = await commit(a, [first], [{ write: save("2") }]);
    assert.equal(reply.status, "committed");
    assert.deepEqual([await b.load(one), await b.load(two)], ["2", "1"]);
    await b.ticketFor(one).granted();
  }),
  proof("[S9] [S4] a ticket that does not hold its lock: nothing is written or released", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 3);
    const [first, second, third] = await heldBy(a, ids);
    assert.ok(first && second && third);
    await second.released();
    await b.ticketFor(second.id).granted();
    const changes = [{ write: save("1") }, { write: save("2") }, { write: save("3") }];
    assert.deepEqual(await commit(a, [first, second, third], changes), { status: "lost", index: 1 });
    for (const id of ids) assert.equal(await b.load(id), null);
    for (const held of [first, third]) assert.equal(await held.renew(), "renewed");
    const waits = a.ticketFor(second.id);
    await waits.queued();
    assert.deepEqual(await commit(a, [first, waits], changes), { status: "lost", index: 1 });
    const unknown = a.ticketFor(idsOf(fixture, 1)[0] ?? "");
    assert.deepEqual(await commit(a, [unknown], changes), { status: "lost", index: 0 });
  }),
  proof("[S9] [L12] a share is not enough", async (fixture) => {
    const [a, ids] = [await fixture.client(), idsOf(fixture, 2)];
    const [shared, whole] = ids.map((id) => a.ticketFor(id)) as [ContractTicket, ContractTicket];
    await shared.granted({ share: { kind: "shared" } });
    await whole.granted();
    const changes = [{ write: save("1") }, { write: save("2") }];
    assert.deepEqual(await commit(a, [whole, shared], changes), { status: "lost", index: 1 });
    assert.deepEqual(await commit(a, [shared], [{}]), { status: "lost", index: 0 });
    assert.equal(await a.load(whole.id), null);
    assert.equal(await shared.renew(), "renewed");
  }),
  proof("[S9] [S2] a state at another revision: nothing is written or released", async (fixture) => {
    const [a, ids] = [await fixture.client(), idsOf(fixture, 2)];
    const [one = "", two = ""] = ids;
    const revision = await a.saved(one, save("1"));
    const tickets = await heldBy(a, ids);
    const other = [{ write: save("x") }, { ifRevision: revision }] as const;
    assert.deepEqual(await commit(a, tickets, other), { status: "conflict", index: 1, revision: null });
    const absent = [{ write: save("x"), ifRevision: "absent" }, {}] as const;
    assert.deepEqual(await commit(a, tickets, absent), { status: "conflict", index: 0, revision });
    assert.deepEqual([await a.load(one), await a.load(two)], ["1", null]);
    for (const ticket of tickets) assert.equal(await ticket.renew(), "renewed");
    const right = [{ write: save("x"), ifRevision: revision }, { ifRevision: "absent" }] as const;
    assert.equal((await commit(a, tickets, right)).status, "committed");
    assert.deepEqual([await a.load(one), await a.load(two)], ["x", null]);
  }),
  proof("[S9] [S6] a state of another serializer: nothing is written or released", async (fixture) => {
    const [a, ids] = [await fixture.client(), idsOf(fixture, 2)];
    const [one = "", two = ""] = ids;
    await a.saved(two, save("2", { serializer: "other" }));
    const tickets = await heldBy(a, ids);
    const reply = await commit(a, tickets, [{ write: save("1") }, { write: save("2") }]);
    assert.ok(reply.status === "unreadable" && reply.index === 1, JSON.stringify(reply));
    assert.match(reply.unreadable, /other/);
    assert.equal(await a.load(one), null);
    assert.equal((await commit(a, tickets, [{ write: save("1") }, { write: remove() }])).status, "committed");
    assert.deepEqual([await a.load(one), await a.load(two)], ["1", null]);
  }),
  proof("[S9] [S7] each state has the time to live of its own save", async (fixture) => {
    const [a, ids] = [await fixture.client(), idsOf(fixture, 3)];
    const [one = "", two = "", three = ""] = ids;
    await a.saved(two, save("2", { ttlMs: 60_000 }));
    const tickets = await heldBy(a, ids);
    await commit(a, tickets, [
      { write: save("1", { ttlMs: 30_000 }) },
      { write: save("2", { ttlMs: "keep" }) },
      { write: save("3", { ttlMs: { whenNew: 90_000 } }) },
    ]);
    const lives = [await a.expiry(one), await a.expiry(two), await a.expiry(three)];
    for (const [index, most] of [30_000, 60_000, 90_000].entries()) {
      const life = lives[index] ?? NaN;
      assert.ok(life <= most && life > most - 20_000, `${String(life)} ms instead of ${String(most)}`);
    }
  }),
  proof("[S9] [S5] a repeated commit gets the first reply, and is done once", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 2);
    const tickets = await heldBy(a, ids);
    const receipt = a.receipt();
    const changes = [{ write: save("1") }, { write: remove() }];
    const first = await a.backend.commitStates(entriesOf(tickets, changes), receipt);
    assert.equal(first.status, "committed");
    await b.saved(ids[0] ?? "", save("2"));
    assert.deepEqual(await a.backend.commitStates(entriesOf(tickets, changes), receipt), first);
    assert.equal(await b.load(ids[0] ?? ""), "2");
    await a.saved(ids[0] ?? "", save("3"));
    assert.equal(
      (await a.backend.commitStates(entriesOf(await heldBy(a, ids), []), { ...receipt, n: 2 })).status,
      "committed",
    );
    assert.deepEqual(await a.backend.commitStates(entriesOf(tickets, changes), receipt), {
      status: "forgotten",
    });
  }),
  proof("[S9] [S5] a refused retry is refused for good; the locks can be released", async (fixture) => {
    const [a, ids] = [await fixture.client(), idsOf(fixture, 2)];
    const tickets = await heldBy(a, ids);
    const receipt = a.receipt();
    const changes = [{ write: save("1"), ifRevision: 7 }, { write: save("2") }];
    const refused = { status: "conflict", index: 0, revision: null };
    for (let attempt = 0; attempt < 3; attempt++)
      assert.deepEqual(await a.backend.commitStates(entriesOf(tickets, changes), receipt), refused);
    for (const ticket of tickets) await ticket.released();
  }),
  proof("[S9] [L2] the first waiter of each lock gets it, with what was written", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 3);
    const [, two = ""] = ids;
    const tickets = await heldBy(a, ids);
    const waiters = ids.map((id) => b.ticketFor(id)) as [ContractTicket, ContractTicket, ContractTicket];
    await waiters[0].queued({ load: true });
    await waiters[1].queued();
    const changes = [{ write: save("1") }, { write: save("2"), keeps: true }, { write: save("3") }];
    const reply = await commit(a, tickets, changes);
    assert.equal(reply.status, "committed");
    const granted = await waiters[0].grantReply({ load: true });
    assert.ok(granted.state && "bytes" in granted.state);
    assert.deepEqual([granted.state.revision, textOf(granted.state)], [reply.revisions[0], "1"]);
    assert.equal((await waiters[1].ask()).status, "waiting");
    await waiters[2].granted();
    assert.equal(await b.load(two), "2");
  }),
  needing(
    ["pushes"],
    "[S9] [L8] each of them is woken, with the state if it asked for it",
    async (fixture) => {
      const [a, b] = await listening(fixture);
      const ids = idsOf(fixture, 2);
      const tickets = await heldBy(a, ids);
      const [one, two] = ids.map((id) => b.ticketFor(id)) as [ContractTicket, ContractTicket];
      await one.queued({ load: true });
      await two.queued();
      await commit(a, tickets, [{ write: save("1") }, {}]);
      assert.equal(textOf((await woken(b, "granted", one.ticket)).state), "1");
      await woken(b, "granted", two.ticket);
    },
  ),
  proof("[S9] [L9] a commit confirms a hand-over", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const [id = ""] = idsOf(fixture, 1);
    const [first, next, last] = [a.ticketFor(id), b.ticketFor(id), a.ticketFor(id)];
    await first.granted();
    await next.queued();
    await last.queued();
    await first.released();
    assert.equal((await commit(b, [next], [{ write: save("1"), keeps: true }])).status, "committed");
    await next.released();
    assert.equal(await last.ask().then(({ status }) => status), "granted");
    assert.equal(await next.ask().then(({ status }) => status), "settled");
  }),
  proof("[S9] large and small values together, and 32 of them", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 32);
    const tickets = await heldBy(a, ids);
    const texts = ids.map((_, index) => String(index).repeat(index % 3 === 0 ? 5_000 : 1));
    const reply = await commit(
      a,
      tickets,
      texts.map((text) => ({ write: save(text) })),
    );
    assert.ok(reply.status === "committed" && new Set(reply.revisions).size === 32);
    for (const [index, id] of ids.entries()) assert.equal(await b.load(id), texts[index]);
    const again = await heldBy(b, ids);
    const refused = await commit(
      b,
      again,
      texts.map((text, index) => ({ write: save(`${text}!`), ifRevision: index === 31 ? 1 : undefined })),
    );
    assert.ok(refused.status === "conflict" && refused.index === 31);
    for (const [index, id] of ids.entries()) assert.equal(await b.load(id), texts[index]);
  }),
];
