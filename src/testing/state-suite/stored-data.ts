/** The contract of stored data: unreadable data, expiry, and listings. */
import { strict as assert } from "node:assert";
import type { SaveWrite } from "../../backends/contract.ts";
import { eventually, pause } from "../assertions.ts";
import { remove, save } from "../contract-client.ts";
import { needing, proof, type Case } from "../suite.ts";

export const dataCases: readonly Case[] = [
  proof("[S6] a state of another serializer is not overwritten, but may be deleted", async (fixture) => {
    const [a, b] = await fixture.clients(2);
    const id = fixture.id();
    await a.saved(id, save("1", { serializer: "mine" }));
    assert.equal((await b.stored(id)).serializer, "mine");
    const reply = await b.write(id, save("2"));
    assert.equal(reply.status, "unreadable");
    assert.match(reply.unreadable, /mine/);
    const hold = b.ticketFor(id);
    await hold.granted();
    assert.equal((await hold.release({ write: save("2") })).status, "unreadable");
    assert.equal(await hold.renew(), "renewed"); // a refused write releases nothing
    await hold.released();
    assert.equal(await b.load(id), "1");
    assert.deepEqual(await b.write(id, remove()), { status: "deleted", existed: true });
    assert.equal((await b.write(id, save("2"))).status, "saved");
  }),
  needing(
    ["putGarbage"],
    "[S6] data that is not a state is reported as unreadable, not overwritten, and left as it is",
    async (fixture) => {
      const [a, id] = [await fixture.client(), fixture.id()];
      await fixture.hook("putGarbage")(id);
      for (let round = 0; round < 2; round += 1) {
        const loaded = await a.backend.loadState(id, { expiry: true });
        assert.ok(loaded !== null && "unreadable" in loaded, "must be unreadable");
        assert.equal((await a.write(id, save("1"))).status, "unreadable");
        assert.equal((await a.write(id, save("1", { ifRevision: "absent" }))).status, "unreadable");
        const hold = a.ticketFor(id);
        assert.ok((await hold.grantReply({ load: true })).state);
        assert.equal((await hold.release({ write: save("1") })).status, "unreadable");
        hold.nextReceipt();
        await hold.released();
      }
    },
  ),
  proof("[S7] a life is set with the value, kept, taken away, touched, and ends", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const left = async (): Promise<number | null | undefined> => (await a.stored(id)).expiresInMs;
    const within = async (min: number, max: number): Promise<void> => {
      const ms = await left();
      assert.ok(typeof ms === "number" && ms > min && ms <= max, `${String(ms)} in (${min}, ${max}]`);
    };
    await a.saved(id, save("1"));
    assert.equal(await left(), null);
    await a.saved(id, save("1", { ttlMs: 500_000 }));
    await within(400_000, 500_000);
    await a.saved(id, save("2", { ttlMs: "keep" }));
    await within(400_000, 500_000);
    await a.saved(id, save("3", { ttlMs: "none" }));
    assert.equal(await left(), null);
    assert.deepEqual(await a.backend.touchState(id, { ttlMs: 700_000 }, a.receipt()), { status: "touched" });
    await within(600_000, 700_000);
    const hold = a.ticketFor(id);
    await hold.granted();
    assert.equal((await hold.release({ write: save("4", { ttlMs: 50 }) })).status, "released");
    await eventually(async () => assert.equal(await a.load(id), null));
    assert.deepEqual(await a.backend.touchState(id, { ttlMs: 70_000 }, a.receipt()), { status: "absent" });
    await a.saved(id, save("5", { ttlMs: "keep" }));
    assert.equal(await left(), null); // an expiry that has passed is not kept
  }),
  ...(["small", "large"] as const).map((size) =>
    proof(
      `[S7] a life for new states is set once, and kept by what comes later: a ${size} value`,
      async (fixture) => {
        const [a, id] = [await fixture.client(), fixture.id()];
        const text = "x".repeat(size === "small" ? 1 : 20_000);
        const left = async (): Promise<number> => (await a.stored(id)).expiresInMs ?? Infinity;
        const whenNew = (ms: number): SaveWrite => save(text, { ttlMs: { whenNew: ms } });
        const commit = async (write: SaveWrite): Promise<void> => {
          const hold = a.ticketFor(id);
          await hold.granted();
          assert.equal((await hold.release({ write })).status, "released");
        };
        await a.saved(id, whenNew(500_000));
        assert.ok((await left()) > 400_000 && (await left()) <= 500_000);
        await a.saved(id, whenNew(900_000));
        assert.ok((await left()) <= 500_000);
        await commit(whenNew(900_000));
        assert.ok((await left()) <= 500_000);
        await a.saved(id, save("2", { ttlMs: "none" }));
        await commit(whenNew(500_000));
        assert.equal(await left(), Infinity);
        await a.saved(id, save("3", { ttlMs: 1 }));
        await eventually(async () => assert.equal(await a.load(id), null));
        await commit(whenNew(500_000)); // an expired state counts as new
        assert.ok((await left()) > 400_000 && (await left()) <= 500_000);
      },
    ),
  ),
  proof("[S7] touching changes neither value nor revision", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    const revision = await a.saved(id, save("1"));
    await a.backend.touchState(id, { ttlMs: 100_000 }, a.receipt());
    assert.equal((await a.stored(id)).revision, revision);
    assert.equal(await a.load(id), "1");
  }),
  proof("[S5] a late copy of a touch does not expire a state that was saved since", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    await a.saved(id, save("1"));
    const receipt = a.receipt();
    assert.deepEqual(await a.backend.touchState(id, { ttlMs: 50_000 }, receipt), { status: "touched" });
    await a.saved(id, save("2", { ttlMs: "none" }));
    assert.deepEqual(await a.backend.touchState(id, { ttlMs: 50_000 }, receipt), { status: "touched" }); // only its reply
    assert.equal(
      ((await a.backend.loadState(id, { expiry: true })) as { expiresInMs?: unknown }).expiresInMs,
      null,
    );
  }),
  proof("[S7] a touch takes effect at once, even if it shortens the time to live", async (fixture) => {
    const [a, id] = [await fixture.client(), fixture.id()];
    await a.saved(id, save("1", { ttlMs: 500_000 }));
    await a.backend.touchState(id, { ttlMs: 20 }, a.receipt());
    await pause(20);
    await eventually(async () => assert.equal(await a.load(id), null));
  }),
];
