/** The contract of `replaces`: which stored formats a save may replace is decided in the step of the save [S6]. */
import { strict as assert } from "node:assert";
import type { Page, SaveWrite, StateEntry } from "../../../backends/contract.ts";
import { formatIn } from "../../../backends/contract-formats.ts";
import { remove, save, type ContractClient } from "../../contract-client.ts";
import { proof, type Case } from "../../suite.ts";

/** Fails unless the save is refused because of the format that is stored. */
async function refused(client: ContractClient, id: string, write: SaveWrite): Promise<void> {
  const before = await client.stored(id);
  const reply = await client.write(id, write);
  assert.ok(reply.status === "unreadable", JSON.stringify(reply));
  assert.equal(formatIn(reply.unreadable), before.serializer);
  const hold = client.ticketFor(id);
  await hold.granted();
  assert.equal((await hold.release({ write })).status, "unreadable");
  await hold.released();
  assert.deepEqual(await client.stored(id), before);
}

const sizes = { small: 1, large: 20_000 } as const;

export const replacesCases: readonly Case[] = [
  ...(["small", "large"] as const).map((size) =>
    proof(
      `[S6] a save replaces the formats that it names, and no other: a ${size} value`,
      async (fixture) => {
        const [a, id] = [await fixture.client(), fixture.id()];
        const text = "x".repeat(sizes[size]);
        const second = save(text, { serializer: "json@2", replaces: ["json", "other"] });
        await a.saved(id, save("1"));
        await a.saved(id, second);
        assert.equal((await a.stored(id)).serializer, "json@2");
        assert.equal(await a.load(id), text);
        await a.saved(id, second); // its own format as well
        for (const write of [
          save(text),
          save(text, { serializer: "json@3", replaces: ["json"] }),
          save(text, { serializer: "json@", replaces: ["son@2", "json@22", "@2", "json"] }),
        ])
          await refused(a, id, write);
        assert.deepEqual(await a.write(id, remove()), { status: "deleted", existed: true });
        await a.saved(id, second); // what is absent has no format
        const hold = a.ticketFor(id);
        await hold.granted();
        const third = save("3", { serializer: "json@3", replaces: ["json@2"] });
        assert.equal((await hold.release({ write: third })).status, "released");
        assert.equal((await a.stored(id)).serializer, "json@3");
        assert.equal(await a.load(id), "3");
      },
    ),
  ),
  proof("[S6] [S5] a retry gets the reply of the save that replaced another format", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    await a.saved(id, save("1"));
    const receipt = a.receipt();
    const write = save("2", { serializer: "json@2", replaces: ["json"] });
    const reply = await a.write(id, write, receipt);
    assert.equal(reply.status, "saved");
    assert.deepEqual(await a.write(id, write, receipt), reply);
  }),
  proof("[S9] [S6] each save of a commit replaces the formats that it names itself", async (fixture) => {
    const [a, tag] = [await fixture.client(), fixture.id()];
    const [one, two] = [`{${tag}}1`, `{${tag}}2`];
    for (const id of [one, two]) await a.saved(id, save("1"));
    const [first, second] = [a.ticketFor(one), a.ticketFor(two)];
    await first.granted();
    await second.granted();
    const commit = (...writes: readonly SaveWrite[]) =>
      a.backend.commitStates(
        [first, second].map(({ id, ticket, receipt }, at) => ({
          ...{ id, ticket, release: receipt },
          write: writes[at],
        })),
        a.receipt(),
      );
    const newer = save("2", { serializer: "json@2", replaces: ["json"] });
    const reply = await commit(newer, save("2", { serializer: "json@2" }));
    assert.ok(reply.status === "unreadable" && reply.index === 1, JSON.stringify(reply));
    assert.equal(formatIn(reply.unreadable), "json");
    assert.deepEqual([await a.load(one), await a.load(two)], ["1", "1"]);
    assert.equal((await commit(newer, newer)).status, "committed");
    for (const id of [one, two]) assert.equal((await a.stored(id)).serializer, "json@2");
  }),
  proof("[S6] a listing names formats as they are stored", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    await a.saved(id, save("1", { serializer: `${"s".repeat(32)}@999999` }));
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<StateEntry> = await a.backend.listStates(cursor, { idPrefix: id, limit: 10 });
      found.push(...page.entries.map(({ serializer }) => serializer));
      ({ cursor } = page);
    } while (cursor !== null);
    assert.deepEqual(found, [`${"s".repeat(32)}@999999`]);
  }),
];
