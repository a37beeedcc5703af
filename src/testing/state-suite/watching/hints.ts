/** The wake "changed": every change of a watched state sends it to all clients that watch [E2]. */
import { strict as assert } from "node:assert";
import { eventually } from "../../assertions.ts";
import { remove, save, type ListeningClient } from "../../contract-client.ts";
import { needing, type Case } from "../../suite.ts";

/** Resolves once the client gets hints about this id. */
async function watches({ backend }: ListeningClient, id: string): Promise<void> {
  await eventually(async () => {
    assert.ok(backend.watch && backend.unwatch, "a backend that pushes wakes has watch() and unwatch()");
    await backend.watch(id);
  });
}

const isAbout =
  (id: string) =>
  (wake: { readonly kind: string; readonly id?: string }): boolean =>
    wake.kind === "changed" && wake.id === id;

/** Makes the change, and fails unless all of these clients get a hint about the id. */
async function hinted(
  all: readonly ListeningClient[],
  id: string,
  change: () => Promise<unknown>,
): Promise<void> {
  for (const { wakes } of all) wakes.length = 0;
  await change();
  for (const { wakes } of all)
    await eventually(() => assert.ok(wakes.some(isAbout(id)), `no hint about ${id}`));
}

export const hintCases: readonly Case[] = [
  needing(
    ["pushes"],
    "[E2] a change reaches all clients that watch its id, and only those",
    async (fixture) => {
      const [a, b, c] = await fixture.clients(3);
      const [id, other] = [`${fixture.id()} state:{with spaces}:é`, fixture.id()];
      await Promise.all([b, c].map((client) => watches(client, id)));
      await watches(b, id); // again
      await hinted([b, c], id, () => a.saved(id, save("1")));
      await watches(c, other);
      await a.saved(other, save("1"));
      await hinted([b, c], id, () => b.saved(id, save("2"))); // by one of them
      assert.deepEqual([b, c].map(({ wakes }) => wakes.filter(isAbout(other)).length)[0], 0);
      assert.deepEqual(a.wakes.filter(isAbout(id)), []);
      await b.backend.unwatch?.(id);
      await hinted([c], id, () => a.saved(id, save("3")));
    },
  ),
  needing(["pushes"], "[E2] every kind of change is one that watchers are told of", async (fixture) => {
    const [[a, b], id] = [await fixture.clients(2), fixture.id()];
    await watches(b, id);
    const told = (change: () => Promise<unknown>): Promise<void> => hinted([b], id, change);
    const touch = (): Promise<unknown> => a.backend.touchState(id, { ttlMs: 600_000 }, a.receipt());
    await told(() => a.saved(id, save("1")));
    await told(async () => assert.deepEqual(await touch(), { status: "touched" }));
    const first = a.ticketFor(id);
    await first.granted();
    await told(async () => assert.equal((await first.write(save("2"), a.receipt())).status, "saved"));
    await told(() => first.released({ write: save("3") }));
    const second = a.ticketFor(id);
    await second.granted();
    await told(async () => {
      const reply = await second.release({ write: save("4"), keep: { leaseMs: 30_000, fences: 1 } });
      assert.equal(reply.status, "kept");
    });
    second.nextReceipt();
    const waiting = b.ticketFor(id);
    await waiting.queued();
    await told(() => second.released({ write: save("5") })); // the lock is handed on
    await waiting.granted();
    await waiting.released();
    const third = a.ticketFor(id);
    await third.granted();
    await told(async () => {
      const write = save("6");
      const entry = { id, ticket: third.ticket, write, ifRevision: undefined, release: third.receipt };
      assert.equal((await a.backend.commitStates([entry], a.receipt())).status, "committed");
    });
    await told(async () => assert.equal((await a.write(id, remove())).status, "deleted"));
  }),
];
