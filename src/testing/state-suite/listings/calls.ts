/** The contract of listings: pages, values, the order of ids, and counts. */
import { strict as assert } from "node:assert";
import type { ListRequest, StateEntry } from "../../../backends/contract.ts";
import { InvalidArgumentError } from "../../../errors.ts";
import { compareIds } from "../../../ids/id-order.ts";
import { pause } from "../../assertions.ts";
import { remove, save, type ListeningClient } from "../../contract-client.ts";
import type { Fixture } from "../../fixture.ts";
import { proof, type Case } from "../../suite.ts";

/** UTF-16 code units have another order: the last three begin with `\ud83d`, `\uff5e` and `\ue000` there. */
const odd = ["a", "a b", "a:", "aa", "ä", "z", "\u{1f600}", "\uff5e", "\ue000"];

export const listingCases: readonly Case[] = [
  proof("[S1] listing gives every state once, page by page, below a prefix only", async (fixture) => {
    const a = await fixture.client();
    const under = fixture.id();
    const ids = Array.from({ length: 7 }, (_, n) => `${under}:job:${String(n)}`);
    for (const id of [...ids, `${under}:jo`, `${under}:jobs`, `${under}:z`]) await a.saved(id, save(id));
    await a.saved(`${under}:job:old`, save("1", { ttlMs: 1 }));
    await pause(20);
    const listed = await allOf(a, { idPrefix: `${under}:job:`, limit: 3 });
    assert.deepEqual(listed.map(({ id }) => id).sort(), ids);
    const [first] = listed;
    assert.ok(first !== undefined);
    const { revision } = await a.stored(first.id);
    const [bytes, serializer] = [first.id.length, "json"];
    assert.deepEqual({ ...first }, { id: first.id, revision, bytes, serializer, expiresInMs: null });
  }),
  proof("[S1] a listing with values gives the bytes of every state", async (fixture) => {
    const a = await fixture.client();
    const under = fixture.id();
    const large = "x".repeat(3 * 1024 * 1024);
    const texts = ["", "1", large, large, "2"];
    for (const [at, text] of texts.entries()) await a.saved(`${under}:${String(at)}`, save(text));
    await a.saved(`${under}:5`, save("3", { ttlMs: 500_000 }));
    const listed = await allOf(a, { idPrefix: `${under}:`, limit: 100, values: true });
    const found = new Map(listed.map((entry) => [entry.id, entry]));
    assert.equal(found.size, texts.length + 1);
    for (const [at, text] of [...texts, "3"].entries()) {
      const { content, bytes, revision } = entryAt(found, `${under}:${String(at)}`);
      assert.ok(content !== undefined && Buffer.from(content).toString() === text, `value ${String(at)}`);
      assert.equal(bytes, Buffer.byteLength(text));
      assert.equal(revision, (await a.stored(`${under}:${String(at)}`)).revision);
    }
    const { expiresInMs } = entryAt(found, `${under}:5`);
    assert.ok(expiresInMs !== null && expiresInMs > 400_000 && expiresInMs <= 500_000);
  }),
  proof(
    "[S1] an ordered listing is in the order of bytes, from any id, in both directions",
    async (fixture) => {
      const a = await fixture.client();
      const under = fixture.id();
      for (const text of odd) await a.saved(`${under}:${text}`, save(text));
      await a.saved(`${under}:gone`, save("1"));
      await a.write(`${under}:gone`, remove());
      await a.saved(`${under};`, save("not below the prefix"));
      const ascending = odd.map((text) => `${under}:${text}`).sort(compareIds);
      assert.equal(ascending.at(-1), `${under}:\u{1f600}`);
      if (!(await keepsOrder(a, fixture))) return;
      for (const values of [false, true]) {
        for (const limit of [1, 4, 100]) {
          const request = { idPrefix: `${under}:`, limit, values };
          assert.deepEqual(await idsOf(a, { ...request, order: "asc" }), ascending);
          assert.deepEqual(await idsOf(a, { ...request, order: "desc" }), ascending.toReversed());
        }
      }
      for (const from of [...ascending, `${under}:aaa`, "!", "~", `${under}:`, `${under}~`]) {
        const after = ascending.filter((id) => compareIds(id, from) > 0);
        const before = ascending.toReversed().filter((id) => compareIds(id, from) < 0);
        const request = { idPrefix: `${under}:`, limit: 2 };
        assert.deepEqual(await idsOf(a, { ...request, order: "asc" }, from), after, `after ${from}`);
        assert.deepEqual(await idsOf(a, { ...request, order: "desc" }, from), before, `before ${from}`);
      }
    },
  ),
  proof(
    "[S1] an ordered listing with states of every end: deleted, expired, saved again",
    async (fixture) => {
      const a = await fixture.client();
      const under = fixture.id();
      if (!(await keepsOrder(a, fixture))) return;
      const id = (n: number): string => `${under}:${String(n).padStart(2, "0")}`;
      const request = { idPrefix: `${under}:`, limit: 3, order: "asc" } as const;
      for (let n = 0; n < 12; n += 1) await a.saved(id(n), save("1", n % 3 === 0 ? { ttlMs: 1 } : {}));
      await a.write(id(1), remove());
      await a.write(id(4), remove());
      await pause(20);
      assert.deepEqual(await idsOf(a, request), [2, 5, 7, 8, 10, 11].map(id));
      await a.saved(id(0), save("2")); // after its entry was met
      await a.saved(id(4), save("2"));
      const hold = a.ticketFor(id(1));
      await hold.granted();
      await hold.release({ write: save("2") });
      assert.deepEqual(await idsOf(a, request), [0, 1, 2, 4, 5, 7, 8, 10, 11].map(id));
    },
  ),
  proof("[S1] states are counted below a prefix, or only a listing can tell", async (fixture) => {
    const a = await fixture.client();
    const under = fixture.id();
    assert.ok([0, undefined].includes((await a.backend.countStates(`${under}:`))?.count));
    for (const text of odd) await a.saved(`${under}:${text}`, save(text));
    await a.saved(`${under};`, save("1"));
    const counted = await a.backend.countStates(`${under}:`);
    if (counted === null) return;
    assert.equal(counted.count, odd.length);
    const all = await a.backend.countStates("");
    assert.ok(all !== null && all.count > odd.length);
    await a.saved("\u0001once:x", save("1")); // no user's
    assert.equal((await a.backend.countStates(""))?.count, all.count);
    await a.write("\u0001once:x", remove());
  }),
];

async function allOf(
  client: ListeningClient,
  request: ListRequest,
  from: string | null = null,
): Promise<StateEntry[]> {
  const listed: StateEntry[] = [];
  let cursor = from;
  do {
    const page: Awaited<ReturnType<ListeningClient["backend"]["listStates"]>> =
      await client.backend.listStates(cursor, request);
    listed.push(...page.entries);
    cursor = page.cursor;
  } while (cursor !== null);
  return listed;
}

async function idsOf(client: ListeningClient, request: ListRequest, from?: string): Promise<string[]> {
  return (await allOf(client, request, from)).map(({ id }) => id);
}

/** One that does not must say so. */
async function keepsOrder({ backend }: ListeningClient, fixture: Fixture): Promise<boolean> {
  const request = { idPrefix: fixture.id(), limit: 1, order: "asc" } as const;
  const refusal = await backend.listStates(null, request).then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(refusal === undefined || refusal instanceof InvalidArgumentError);
  return refusal === undefined;
}

function entryAt(found: ReadonlyMap<string, StateEntry>, id: string): StateEntry {
  const entry = found.get(id);
  assert.ok(entry !== undefined, `${id} is missing`);
  return entry;
}
