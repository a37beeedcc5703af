/** The contract of many states in one call: each is loaded and written as it would be alone, under one receipt. */
import { strict as assert } from "node:assert";
import { maxStatesPerCall } from "../../../backends/contract-commit.ts";
import type { EntriesDone, WriteEntry } from "../../../backends/contract.ts";
import { remove, save, textOf, type ContractClient } from "../../contract-client.ts";
import type { Fixture } from "../../fixture.ts";
import { needing, proof, type Case } from "../../suite.ts";

/** Ids with the same tag, so of the same shard. */
export function idsOf(fixture: Fixture, count: number): string[] {
  const tag = fixture.id();
  return Array.from({ length: count }, (_, index) => `{${tag}}${String(index)}`);
}

async function load(client: ContractClient, ids: readonly string[]): Promise<unknown[]> {
  return (await client.backend.loadStates(ids)).map(textOf);
}

/** A call of which at least one write is carried out. */
async function written(
  client: ContractClient,
  ids: readonly string[],
  writes: readonly WriteEntry["write"][],
): Promise<EntriesDone> {
  const entries = ids.map((id, index) => ({ id, write: writes[index] ?? remove() }));
  const reply = await client.backend.writeStates(entries, client.receipt());
  assert.equal(reply.status, "written", JSON.stringify(reply));
  return reply;
}

const loads: readonly Case[] = [
  proof("[S1] many states are loaded in the order of their ids, absent ones too", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const [one = "", two = "", three = "", four = ""] = idsOf(fixture, 4);
    const revision = await a.saved(one, save("1"));
    await a.saved(three, save("3", { ttlMs: 60_000, serializer: "other" }));
    await a.saved(four, save("x".repeat(5_000)));
    assert.deepEqual(await load(b, [four, three, two, one, three]), ["x".repeat(5_000), "3", null, "1", "3"]);
    const [first, second] = await b.backend.loadStates([one, three]);
    assert.ok(first && "bytes" in first && second && "bytes" in second);
    assert.deepEqual([first.revision, first.serializer, second.serializer], [revision, "json", "other"]);
    await a.write(one, remove());
    assert.deepEqual(await load(b, [one, two]), [null, null]);
  }),
  needing(["putGarbage"], "[S1] [S6] what is no state is not absent, beside others", async (fixture) => {
    const client = await fixture.client();
    const [one = "", bad = "", absent = ""] = idsOf(fixture, 3);
    await client.saved(one, save("1"));
    await fixture.hook("putGarbage")(bad);
    const [first, second, third] = await client.backend.loadStates([one, bad, absent]);
    assert.equal(textOf(first), "1");
    assert.ok(second && "unreadable" in second, JSON.stringify(second));
    assert.deepEqual(second, await client.backend.loadState(bad, { expiry: false }));
    assert.equal(third, null);
  }),
];

const writes: readonly Case[] = [
  proof(
    "[S2] many writes: each state is saved or deleted, and all saves have one revision, above all earlier ones",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const ids = idsOf(fixture, 4);
      const [one = "", two = "", three = "", four = ""] = ids;
      const before = [await a.saved(one, save("1")), await a.saved(two, save("2"))];
      const reply = await written(a, ids, [save("one"), remove(), remove(), save("four")]);
      const { revision } = reply;
      assert.deepEqual(reply.results, ["saved", "deleted", "absent", "saved"]);
      assert.ok(revision !== null && revision > Math.max(...before));
      assert.deepEqual(await load(b, ids), ["one", null, null, "four"]);
      assert.equal((await b.stored(one)).revision, revision);
      assert.equal((await b.stored(four)).revision, revision);
      assert.ok((await b.saved(three, save("3"))) > revision);
      assert.deepEqual((await written(b, [two, one], [remove(), remove()])).results, ["absent", "deleted"]);
    },
  ),
  proof("[S2] [S6] [S7] saves of one call have formats, lives and sizes of their own", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 5);
    const forms = ["json", "json", "other", "json", "other"];
    const lives = ["none", 60_000, "none", { whenNew: 60_000 }, 60_000] as const;
    const texts = ["1", "two", "", "four".repeat(2_000), "five"];
    const writes = texts.map((text, n) =>
      save(text, { serializer: forms[n] ?? "", ttlMs: lives[n] ?? "none" }),
    );
    const { revision } = await written(a, ids, writes);
    const stored = await Promise.all(ids.map((id) => b.backend.loadState(id, { expiry: true })));
    const seen = stored.map((one) => {
      assert.ok(one && "bytes" in one, JSON.stringify(one));
      return [textOf(one), one.serializer, typeof one.expiresInMs === "number", one.revision];
    });
    assert.deepEqual(
      seen,
      texts.map((text, n) => [text, forms[n], lives[n] !== "none", revision]),
    );
  }),
  proof("[S8] what is locked or waited for is busy, and the others are written", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 4);
    const [held, shared, ended, free] = ids.map((id) => b.ticketFor(id));
    assert.ok(held && shared && ended && free);
    await held.granted();
    await shared.granted({ share: { kind: "shared" } });
    await ended.granted();
    await ended.released();
    const texts = ids.map((id) => save(id));
    const reply = await written(a, ids, texts);
    assert.deepEqual(reply.results, ["busy", "busy", "saved", "saved"]);
    assert.deepEqual(await load(a, ids), [null, null, ended.id, free.id]);
    const [heldId = "", sharedId = ""] = ids;
    const entries = [heldId, sharedId].map((id) => ({ id, write: remove() }));
    const refused = { status: "refused", revision: null, results: ["busy", "busy"] };
    assert.deepEqual(await a.backend.writeStates(entries, a.receipt()), refused);
    const waits = a.ticketFor(heldId);
    await waits.queued();
    await held.released(); // handed over, and not confirmed
    assert.deepEqual((await written(b, [heldId, free.id], texts)).results, ["busy", "saved"]);
    await shared.released();
    await waits.granted();
    await waits.released();
    assert.deepEqual((await written(a, ids, texts)).results, Array(4).fill("saved"));
  }),
  needing(["deleteLock"], "[S8] what is free but waited for is busy", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const [id = "", other = ""] = idsOf(fixture, 2);
    const [held, waits] = [b.ticketFor(id), b.ticketFor(id)];
    await held.granted();
    await waits.queued();
    await fixture.hook("deleteLock")(id);
    const reply = await written(a, [id, other], [save("1"), save("2")]);
    assert.deepEqual(reply.results, ["busy", "saved"]);
    await waits.granted();
    await waits.released();
    assert.deepEqual((await written(a, [id], [save("1")])).results, ["saved"]);
  }),
  proof("[S2] [S6] one that is refused is refused alone", async (fixture) => {
    const client = await fixture.client();
    const ids = idsOf(fixture, 5);
    const [one = "", two = "", three = ""] = ids;
    const revision = await client.saved(one, save("1"));
    await client.saved(two, save("2"));
    await client.saved(three, save("3", { serializer: "other" }));
    const reply = await written(client, ids, [
      save("x", { ifRevision: "absent" }),
      save("y", { ifRevision: revision }),
      save("z"),
      save("4", { ifRevision: "absent" }),
      remove({ ifRevision: 7 }),
    ]);
    const [first, second, third, ...rest] = reply.results;
    assert.deepEqual(first, { status: "conflict", revision });
    assert.ok(typeof second === "object" && second.status === "conflict" && second.revision !== null);
    assert.ok(
      typeof third === "object" && third.status === "unreadable" && third.unreadable.includes("other"),
    );
    assert.deepEqual(rest, ["saved", { status: "conflict", revision: null }]);
    assert.deepEqual(await load(client, ids), ["1", "2", "3", "4", null]);
    assert.equal((await client.stored(ids[3] ?? "")).revision, reply.revision);
    const again = await written(client, [one, three], [save("x", { ifRevision: revision }), remove()]);
    assert.deepEqual(again.results, ["saved", "deleted"]);
  }),
  needing(["putGarbage"], "[S6] what is no state is left as it is, beside others", async (fixture) => {
    const client = await fixture.client();
    const ids = idsOf(fixture, 3);
    const [one = "", bad = "", worse = ""] = ids;
    for (const id of [bad, worse]) await fixture.hook("putGarbage")(id);
    const reply = await written(client, ids, [save("1"), save("2"), remove()]);
    for (const result of reply.results.slice(1))
      assert.ok(typeof result === "object" && result.status === "unreadable", JSON.stringify(result));
    assert.equal(await client.load(one), "1");
    for (const state of await client.backend.loadStates([bad, worse]))
      assert.ok(state && "unreadable" in state);
  }),
  proof("[S7] each state has the time to live of its own save", async (fixture) => {
    const client = await fixture.client();
    const ids = idsOf(fixture, 4);
    const [, two = "", three = ""] = ids;
    for (const id of [two, three]) await client.saved(id, save("old", { ttlMs: 60_000 }));
    const lives = [30_000, "keep", "none", { whenNew: 90_000 }] as const;
    await written(
      client,
      ids,
      lives.map((ttlMs) => save("new", { ttlMs })),
    );
    const left = await Promise.all(ids.map((id) => client.expiry(id)));
    assert.equal(left[2], null);
    for (const [index, most] of [30_000, 60_000, undefined, 90_000].entries()) {
      const life = left[index] ?? NaN;
      if (most !== undefined)
        assert.ok(life <= most && life > most - 20_000, `${String(life)} of ${String(most)}`);
    }
  }),
  proof("[S2] as many as a call may have, large and small ones", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, maxStatesPerCall);
    const texts = ids.map((_, index) => String(index).repeat(index % 100 === 0 ? 5_000 : 1));
    const reply = await written(
      a,
      ids,
      texts.map((text) => save(text)),
    );
    assert.ok(reply.results.every((result) => result === "saved"));
    assert.deepEqual(await load(b, ids), texts);
    assert.equal((await b.stored(ids.at(-1) ?? "")).revision, reply.revision);
    const large = await written(a, ids.slice(0, 1), [save("x".repeat(100_000))]);
    assert.equal((await b.stored(ids[0] ?? "")).revision, large.revision);
  }),
];

const receipts: readonly Case[] = [
  proof("[S5] repeated, they get the first answers, and are done once", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const ids = idsOf(fixture, 4);
    const [one = "", two = "", three = "", held = ""] = ids;
    const lock = b.ticketFor(held);
    await lock.granted();
    await b.saved(two, save("2"));
    const receipt = a.receipt();
    const changes = [save("1", { ifRevision: "absent" }), remove(), save("3", { ifRevision: 7 }), save("4")];
    const entries = ids.map((id, index) => ({ id, write: changes[index] ?? remove() }));
    const first = await a.backend.writeStates(entries, receipt);
    assert.equal(first.status, "written");
    const conflict = { status: "conflict", revision: null };
    assert.deepEqual(first.results, ["saved", "deleted", conflict, "busy"]);
    await lock.released();
    for (const id of [one, two, three]) await b.saved(id, save("theirs"));
    assert.deepEqual(await a.backend.writeStates(entries, receipt), first);
    assert.deepEqual(await load(b, ids), ["theirs", "theirs", "theirs", null]);
    await a.write(one, save("later"), { ...receipt, n: receipt.n + 1 });
    assert.deepEqual(await a.backend.writeStates(entries, receipt), { status: "forgotten" });
  }),
  proof(
    "[S5] refused as a whole, they may succeed later; at a retry they are refused for good",
    async (fixture) => {
      const [a, b] = await fixture.clients(2);
      const [one = "", two = ""] = idsOf(fixture, 2);
      const holds = [one, two].map((id) => b.ticketFor(id));
      for (const hold of holds) await hold.granted();
      const entries = [one, two].map((id) => ({ id, write: save("1") }));
      const [receipt, other] = [a.receipt(), a.receipt()];
      const refused = { status: "refused", revision: null, results: ["busy", "busy"] };
      assert.deepEqual(await a.backend.writeStates(entries, receipt), refused);
      assert.deepEqual(await a.backend.writeStates(entries, receipt), refused); // the retry
      assert.deepEqual(await a.backend.writeStates(entries, other), refused);
      for (const hold of holds) await hold.released();
      assert.deepEqual(await a.backend.writeStates(entries, receipt), refused);
      assert.deepEqual(await load(a, [one, two]), [null, null]);
      assert.equal((await a.backend.writeStates(entries, other)).status, "written");
    },
  ),
  needing(
    ["flush"],
    "[S5] a retry after a flush does nothing, and is answered as forgotten",
    async (fixture) => {
      const client = await fixture.client();
      const ids = idsOf(fixture, 2);
      await client.saved(ids[0] ?? "", save("0")); // what can be proven
      const receipt = client.receipt();
      const entries = ids.map((id) => ({ id, write: save("1") }));
      await client.backend.writeStates(entries, receipt);
      await fixture.hook("flush")();
      assert.deepEqual(await client.backend.writeStates(entries, receipt), { status: "forgotten" });
      assert.deepEqual(await load(client, ids), [null, null]);
    },
  ),
];

export const manyContractCases: readonly Case[] = [...loads, ...writes, ...receipts];
