/** The contract of deadlocks: which notes of what waits for what close a cycle, and which do not [L15]. */
import { strict as assert } from "node:assert";
import { eventually } from "../../assertions.ts";
import type { ContractTicket, ListeningClient } from "../../contract-client.ts";
import type { Fixture } from "../../fixture.ts";
import { needing, proof, type Case } from "../../suite.ts";
import { blocked, idsTogether, noteOf, Notes } from "./helpers.ts";

const shared = { share: { kind: "shared" } } as const;

/** Two clients, each of which holds a lock and asks for the other's. */
interface Crossing {
  readonly clients: readonly [ListeningClient, ListeningClient];
  readonly holds: readonly [ContractTicket, ContractTicket];
  readonly asks: readonly [ContractTicket, ContractTicket];
  readonly notes: readonly [Notes, Notes];
}

async function crossing(fixture: Fixture): Promise<Crossing> {
  const [one, two] = await fixture.clients(2);
  const [a, b] = idsTogether(fixture);
  const holds = [one.ticketFor(a), two.ticketFor(b)] as const;
  const asks = [one.ticketFor(b), two.ticketFor(a)] as const;
  for (const hold of holds) await hold.granted();
  for (const ask of asks) await ask.queued();
  return { clients: [one, two], holds, asks, notes: [new Notes(one), new Notes(two)] };
}

export const deadlockContractCases: readonly Case[] = [
  proof(
    "[L15] two holders that wait for each other: the note that closes the cycle is told it",
    async (fixture) => {
      const { holds, asks, notes } = await crossing(fixture);
      assert.equal(await notes[0].waits(holds[0], asks[0]), null);
      assert.deepEqual(await notes[1].waits(holds[1], asks[1]), [
        blocked(holds[1], asks[1]),
        blocked(holds[0], asks[0]),
      ]);
    },
  ),
  proof(
    "[L15] an ask that closes a cycle is not noted, so no other ask closes the same one",
    async (fixture) => {
      const { holds, asks, notes } = await crossing(fixture);
      await notes[0].waits(holds[0], asks[0]);
      assert.notEqual(await notes[1].waits(holds[1], asks[1]), null);
      assert.equal(await notes[0].waits(holds[0], asks[0]), null);
      assert.notEqual(await notes[1].waits(holds[1], asks[1]), null, "as long as it is there");
    },
  ),
  proof("[L15] a longer cycle, in the order of its locks; a chain is none", async (fixture) => {
    const [one, two, three] = await fixture.clients(3);
    const [a, b, c] = idsTogether(fixture);
    const holds = [one.ticketFor(a), two.ticketFor(b), three.ticketFor(c)] as const;
    for (const hold of holds) await hold.granted();
    const asks = [one.ticketFor(b), two.ticketFor(c), three.ticketFor(a)] as const;
    for (const ask of asks) await ask.queued();
    assert.equal(await new Notes(two).waits(holds[1], asks[1]), null);
    assert.equal(await new Notes(one).waits(holds[0], asks[0]), null);
    assert.deepEqual(await new Notes(three).waits(holds[2], asks[2]), [
      blocked(holds[2], asks[2]),
      blocked(holds[0], asks[0]),
      blocked(holds[1], asks[1]),
    ]);
  }),
  proof(
    "[L15] all notes of a call are made one after another; one of them can close a cycle",
    async (fixture) => {
      const { clients, holds, asks, notes } = await crossing(fixture);
      const other = clients[1].ticketFor(`${holds[0].id}:other`);
      await other.granted();
      await notes[0].waits(holds[0], asks[0]);
      assert.deepEqual(await notes[1].all([noteOf(other, asks[1]), noteOf(holds[1], asks[1])]), [
        null,
        [blocked(holds[1], asks[1]), blocked(holds[0], asks[0])],
      ]);
      assert.deepEqual(await notes[1].all([]), []);
    },
  ),
  proof("[L15] of several asks, only the one that closes a cycle is left out", async (fixture) => {
    const { clients, holds, asks, notes } = await crossing(fixture);
    const third = clients[1].ticketFor(`${holds[0].id}:third`);
    await third.granted();
    const elsewhere = clients[1].ticketFor(third.id);
    await elsewhere.queued();
    await notes[0].waits(holds[0], asks[0]);
    const cycle = [blocked(holds[1], asks[1]), blocked(holds[0], asks[0])];
    assert.deepEqual(await notes[1].waits(holds[1], elsewhere, asks[1]), cycle);
    // The other one counts: who has the third lock must not wait for the first.
    const back = clients[1].ticketFor(holds[1].id);
    await back.queued();
    assert.deepEqual(await notes[1].waits(third, back), [blocked(third, back), blocked(holds[1], elsewhere)]);
  }),
  proof("[L15] no cycle: nothing is noted of the other holder, or no longer", async (fixture) => {
    const { holds, asks, notes } = await crossing(fixture);
    assert.equal(await notes[1].waits(holds[1], asks[1]), null);
    await notes[1].waits(holds[1]);
    assert.equal(await notes[0].waits(holds[0], asks[0]), null);
    await notes[0].waits(holds[0]);
    assert.equal(await notes[1].waits(holds[1], asks[1]), null);
  }),
  proof("[L15] [L7] no cycle: the other ask was given up", async (fixture) => {
    const { holds, asks, notes } = await crossing(fixture);
    await notes[0].waits(holds[0], asks[0]);
    await asks[0].cancel();
    assert.equal(await notes[1].waits(holds[1], asks[1]), null);
  }),
  proof("[L15] no cycle: the other holder has released its lock, and holds it no more", async (fixture) => {
    const { clients, holds, asks, notes } = await crossing(fixture);
    await notes[0].waits(holds[0], asks[0]);
    await holds[0].released();
    assert.equal(await notes[1].waits(holds[1], asks[1]), null); // which has got it
    await asks[1].released();
    const next = clients[0].ticketFor(holds[0].id);
    await next.granted();
    const again = clients[1].ticketFor(holds[0].id);
    await again.queued();
    assert.equal(await notes[1].waits(holds[1], again), null);
  }),
  proof("[L15] [L10] no cycle: the lease of the other holder has ended", async (fixture) => {
    const { clients, holds, asks, notes } = await crossing(fixture);
    await notes[0].waits(holds[0], asks[0]);
    assert.equal(await holds[0].renew(100), "renewed");
    await eventually(async () => assert.notEqual((await asks[1].ask()).status, "waiting"));
    const late = clients[1].ticketFor(holds[0].id);
    await late.queued();
    assert.equal(await notes[1].waits(holds[1], late), null);
  }),
  proof(
    "[L15] [L9] no cycle: the other ask was handed its lock, and is passed over until it asks again",
    async (fixture) => {
      const [one, two, three] = await fixture.clients(3);
      const [a, b] = idsTogether(fixture);
      const [hold, before, slow] = [one.ticketFor(a), two.ticketFor(b), one.ticketFor(b)];
      await hold.granted();
      await before.granted();
      await slow.queued({ leaseMs: 150 });
      const next = three.ticketFor(b);
      await next.queued();
      await before.released();
      await eventually(() => next.granted());
      const wants = three.ticketFor(a);
      await wants.queued();
      assert.equal(await new Notes(one).waits(hold, slow), null);
      const notes = new Notes(three);
      assert.equal(await notes.waits(next, wants), null);
      await slow.queued();
      assert.deepEqual(await notes.waits(next, wants), [blocked(next, wants), blocked(hold, slow)]);
    },
  ),
  proof("[L15] no cycle: the asks are for locks that are free, or were never made", async (fixture) => {
    const [one, two] = await fixture.clients(2);
    const [a, b] = idsTogether(fixture);
    const [first, second] = [one.ticketFor(a), two.ticketFor(b)];
    await first.granted();
    await second.granted();
    const notes = new Notes(one);
    assert.equal(await notes.waits(first, one.ticketFor(b)), null);
    assert.equal(await new Notes(two).waits(second, two.ticketFor(a)), null);
  }),
  proof(
    "[L15] a late copy of a note changes nothing; a retry finds what the first attempt found",
    async (fixture) => {
      const { holds, asks, notes } = await crossing(fixture);
      const [noted, ended] = [noteOf(holds[0], asks[0]), noteOf(holds[0])];
      assert.deepEqual(await notes[0].all([noted], 3), [null]);
      assert.deepEqual(await notes[0].all([ended], 2), [null]);
      const closing = noteOf(holds[1], asks[1]);
      const [cycle] = await notes[1].all([closing], 5);
      assert.equal(cycle?.length, 2);
      assert.deepEqual(await notes[1].all([closing], 5), [cycle]);
      assert.deepEqual(await notes[0].all([ended], 4), [null]);
      assert.deepEqual(await notes[0].all([noted], 3), [null]);
      assert.deepEqual(await notes[1].all([closing], 6), [null]);
    },
  ),
  proof("[L15] [L12] a writer waits for each reader: one of them is enough for a cycle", async (fixture) => {
    const [one, two, three] = await fixture.clients(3);
    const [a, b] = idsTogether(fixture);
    const [reader, other, hold] = [one.ticketFor(a), three.ticketFor(a), two.ticketFor(b)];
    await other.granted(shared);
    await reader.granted(shared);
    await hold.granted();
    const [wants, writes] = [one.ticketFor(b), two.ticketFor(a)];
    await wants.queued();
    await writes.queued();
    assert.equal(await new Notes(one).waits(reader, wants), null);
    assert.deepEqual(await new Notes(two).waits(hold, writes), [
      blocked(hold, writes),
      blocked(reader, wants),
    ]);
  }),
  proof(
    "[L15] [L12] a reader waits for a writer that holds the lock, and not for other readers",
    async (fixture) => {
      const [one, two, three] = await fixture.clients(3);
      const [a, b, c] = idsTogether(fixture);
      const [writer, hold] = [one.ticketFor(a), two.ticketFor(b)];
      await writer.granted();
      await hold.granted();
      const [wants, reads] = [one.ticketFor(b), two.ticketFor(a)];
      await wants.queued();
      await reads.queued(shared);
      const notes = new Notes(one);
      await notes.waits(writer, wants);
      const notesOfTwo = new Notes(two);
      assert.notEqual(await notesOfTwo.waits(hold, reads), null);
      // Behind a writer that waits, a reader does not get in; but that writer may give up.
      const [reader, behind] = [one.ticketFor(c), two.ticketFor(c)];
      await reader.granted(shared);
      await three.ticketFor(c).queued();
      await behind.queued(shared);
      await notes.waits(reader, wants);
      assert.equal(await notesOfTwo.waits(hold, behind), null);
    },
  ),
  proof("[L15] [L13] permits are in no cycle", async (fixture) => {
    const [one, two] = await fixture.clients(2);
    const [a, b] = idsTogether(fixture);
    const all = { share: { kind: "permits", weight: 1, limit: 1 } } as const;
    const [permit, hold] = [one.ticketFor(a), two.ticketFor(b)];
    await permit.granted(all);
    await hold.granted();
    const [wants, asks] = [one.ticketFor(b), two.ticketFor(a)];
    await wants.queued();
    await asks.queued(all);
    await new Notes(one).waits(permit, wants);
    assert.equal(await new Notes(two).waits(hold, asks), null);
  }),
  proof("[L15] what is noted changes nothing for the locks", async (fixture) => {
    const { clients, holds, asks, notes } = await crossing(fixture);
    await notes[0].waits(holds[0], asks[0]);
    await notes[1].waits(holds[1], asks[1]);
    assert.equal((await clients[0].backend.inspectLock(holds[0].id))?.waiters, 1);
    await asks[1].cancel();
    await holds[1].released();
    await asks[0].granted();
    await asks[0].released();
    await holds[0].released();
    for (const { id } of holds) await fixture.becomesFree(id);
  }),
  needing(["putForeignLock"], "[L15] [L11] a foreign holder is in no cycle", async (fixture) => {
    const [one] = await fixture.clients(2);
    const [a, b] = idsTogether(fixture);
    const hold = one.ticketFor(a);
    await hold.granted();
    await fixture.hook("putForeignLock")(b, hold.ticket, 60_000); // a token that reads like a ticket
    const ask = one.ticketFor(b);
    await ask.queued();
    assert.equal(await new Notes(one).waits(hold, ask), null);
  }),
];
