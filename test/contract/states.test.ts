// States on every backend whose clock a test can set: what each call answers.
// Each reply of the contract is looked at, and time is set by hand. What the suites of holdfast/testing prove, they
// prove from the outside and in real time.

import { describe, expect, test } from "vitest";

import type { Backend } from "../../src/backends/contract.ts";
import { bytesOf, remove, save } from "../../src/testing/contract-client.ts";
import { clockedBackends, clockedWorld } from "./clocked-world.ts";

describe.each(clockedBackends)("states of $name", (backend) => {
  const world = clockedWorld(backend);
  const { askLimitMs } = backend.limits;

  test("[S1] absent is null; what was saved is loaded, as a copy of one's own", async () => {
    const { a, b } = world;
    expect(await a.backend.loadState("x", { expiry: true })).toBeNull();
    const bytes = bytesOf("one");
    const revision = await a.saved("x", save("", { bytes }));
    bytes.fill(0);
    const loaded = await b.backend.loadState("x", { expiry: false });
    expect(loaded).toEqual({ revision, serializer: "json", bytes: bytesOf("one") });
    (loaded as { bytes: Uint8Array }).bytes.fill(0);
    expect(await b.load("x")).toBe("one");
  });

  test("[S1] ids and bytes are kept exactly", async () => {
    const { a, b } = world;
    for (const id of ["__proto__", "a'b\"c", "ä€😀", "%_*?", "x".repeat(512)]) {
      const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await a.saved(id, save("", { bytes }));
      expect(await b.backend.loadState(id, { expiry: false })).toMatchObject({ bytes });
    }
    await a.saved("empty", save("", { bytes: new Uint8Array(0) }));
    expect(await b.load("empty")).toBe("");
  });

  test("[S2] revisions rise across saves, delete, expiry and a clock that is set back", async () => {
    const { a, b } = world;
    const revisions = [await a.saved("x", save("1")), await b.saved("x", save("2"))];
    await a.write("x", remove());
    revisions.push(await a.saved("x", save("3", { ttlMs: 50 })));
    world.time += 50;
    revisions.push(await a.saved("x", save("4", { ifRevision: "absent" })));
    world.time -= 3_600_000;
    revisions.push(await b.saved("x", save("5")));
    expect(revisions).toEqual([...new Set(revisions)].sort((one, two) => one - two));
  });

  test("[S2] a save or delete at another revision is a conflict, and nothing is written", async () => {
    const { a, b } = world;
    expect(await a.write("x", save("1", { ifRevision: 7 }))).toEqual({
      status: "conflict",
      revision: null,
    });
    expect(await a.write("x", remove({ ifRevision: 7 }))).toEqual({ status: "conflict", revision: null });
    const revision = await a.saved("x", save("1", { ifRevision: "absent" }));
    expect(await b.write("x", save("2", { ifRevision: "absent" }))).toEqual({
      status: "conflict",
      revision,
    });
    expect(await b.write("x", save("2", { ifRevision: revision - 1 }))).toMatchObject({
      status: "conflict",
    });
    expect(await b.write("x", remove({ ifRevision: "absent" }))).toMatchObject({ status: "conflict" });
    expect(await b.load("x")).toBe("1");
    expect(await b.write("x", save("2", { ifRevision: revision }))).toMatchObject({ status: "saved" });
    expect(await b.write("x", remove({ ifRevision: revision }))).toMatchObject({ status: "conflict" });
  });

  test("[S4] a write under a ticket that does not hold the lock is refused", async () => {
    const { a, b } = world;
    const turn = a.ticketFor("x");
    expect(await turn.write(save("1"), a.receipt())).toEqual({ status: "lost" });
    await turn.granted({ leaseMs: 100 });
    expect(await turn.write(save("2"), a.receipt())).toMatchObject({ status: "saved" });
    world.time += 100;
    expect(await turn.write(save("3"), a.receipt())).toEqual({ status: "lost" });
    await b.ticketFor("x").granted();
    expect(await turn.write(remove(), a.receipt())).toEqual({ status: "lost" });
    expect(await turn.release({ write: save("4") })).toEqual({ status: "lost" });
    expect(await b.load("x")).toBe("2");
  });

  test("[S5] a repeated write is answered as the first time, and done once", async () => {
    const { a, b } = world;
    const receipt = a.receipt();
    const first = await a.write("x", save("1"), receipt);
    await b.saved("x", save("2"));
    expect(await a.write("x", save("1"), receipt)).toEqual(first);
    expect(await a.load("x")).toBe("2");
    const deletion = { ...receipt, n: 2 };
    expect(await a.write("x", remove(), deletion)).toEqual({ status: "deleted", existed: true });
    await b.saved("x", save("3"));
    expect(await a.write("x", remove(), deletion)).toEqual({ status: "deleted", existed: true });
    expect(await a.load("x")).toBe("3");
  });

  test("[S5] a late copy is refused", async () => {
    const { a } = world;
    const receipt = a.receipt();
    await a.write("x", save("1"), receipt);
    await a.write("x", save("2"), { ...receipt, n: 2 });
    expect(await a.write("x", save("1"), receipt)).toEqual({ status: "forgotten" });
    expect(await a.load("x")).toBe("2");
  });

  test("[S5] a retry is refused where the receipt before it is forgotten; without one it is carried out", async () => {
    const { a, b } = world;
    const receipt = a.receipt();
    await a.write("x", save("1"), receipt);
    world.forget();
    expect(await a.write("x", save("2"), receipt)).toMatchObject({ status: "saved" }); // there was none before it
    const second = a.receipt();
    await a.write("x", save("3"), second);
    world.forget();
    expect(await a.write("x", save("4"), second)).toEqual({ status: "forgotten" });
    await a.saved("other", save("1"));
    expect(await a.write("x", save("4"), second)).toEqual({ status: "forgotten" });
    expect(await b.load("x")).toBe("3");
  });

  test("[S5] an answer that did nothing is not recorded: the same receipt may succeed later", async () => {
    const { a, b } = world;
    const receipt = a.receipt();
    const turn = b.ticketFor("x");
    await turn.granted();
    expect(await a.write("x", save("1"), receipt)).toEqual({ status: "busy" });
    await turn.release();
    expect(await a.write("x", save("1"), receipt)).toMatchObject({ status: "saved" });
  });

  test("[S5] receipts are each client's own", async () => {
    const { a, b } = world;
    const receipt = { sequence: 0, n: 5, keepMs: 60_000 };
    expect(await a.write("x", save("a"), receipt)).toMatchObject({ status: "saved" });
    expect(await b.write("x", save("b"), receipt)).toMatchObject({ status: "saved" });
    expect(await a.load("x")).toBe("b");
  });

  test("[S6] a state of another serializer is not overwritten, but may be deleted", async () => {
    const { a, b } = world;
    await a.saved("x", save("1", { serializer: "mine" }));
    const unreadable = { status: "unreadable", unreadable: expect.stringContaining("mine") as string };
    expect(await b.write("x", save("2"))).toEqual(unreadable);
    const turn = b.ticketFor("x");
    await turn.granted();
    expect(await turn.release({ write: save("2") })).toEqual(unreadable);
    expect(await turn.release()).toMatchObject({ status: "released" });
    expect(await b.load("x")).toBe("1");
    expect(await b.write("x", remove())).toEqual({ status: "deleted", existed: true });
    expect(await b.write("x", save("2"))).toMatchObject({ status: "saved" });
  });

  test("[S7] a life is set with the value, kept, taken away, touched, and ends", async () => {
    const { a } = world;
    await a.saved("x", save("1", { ttlMs: 100 }));
    expect(await a.expiry("x")).toBe(100);
    world.time += 40;
    await a.saved("x", save("2", { ttlMs: "keep" }));
    expect(await a.expiry("x")).toBe(60);
    await a.saved("x", save("3", { ttlMs: "none" }));
    expect(await a.expiry("x")).toBeNull();
    expect(await a.backend.touchState("x", { ttlMs: 70 }, a.receipt())).toEqual({ status: "touched" });
    expect(await a.expiry("x")).toBe(70);
    world.time += 70;
    expect(await a.load("x")).toBeNull();
    expect(await a.backend.touchState("x", { ttlMs: 70 }, a.receipt())).toEqual({ status: "absent" });
    await a.saved("x", save("4", { ttlMs: "keep" }));
    expect(await a.expiry("x")).toBeNull();
  });

  test("[S7] a life for new states is set once, and kept by what comes later", async () => {
    const { a } = world;
    const ttlMs = { whenNew: 100 };
    await a.saved("x", save("1", { ttlMs }));
    world.time += 40;
    await a.saved("x", save("2", { ttlMs: { whenNew: 900 } }));
    expect(await a.expiry("x")).toBe(60);
    const turn = a.ticketFor("x");
    await turn.granted();
    expect(await turn.release({ write: save("3", { ttlMs }) })).toMatchObject({ status: "released" });
    expect(await a.expiry("x")).toBe(60);
    await a.saved("x", save("4", { ttlMs: "none" }));
    await a.saved("x", save("5", { ttlMs }));
    expect(await a.expiry("x")).toBeNull();
    await a.saved("x", save("6", { ttlMs: 50 }));
    world.time += 50;
    await a.saved("x", save("7", { ttlMs })); // what has expired is new
    expect(await a.expiry("x")).toBe(100);
    expect(await a.write("x", remove())).toEqual({ status: "deleted", existed: true });
    const again = a.ticketFor("x");
    await again.granted();
    expect(await again.release({ write: save("8", { ttlMs }) })).toMatchObject({ status: "released" });
    expect(await a.expiry("x")).toBe(100);
  });

  test("[S8] a write without a ticket is refused while the lock is held, our own included", async () => {
    const { a, b } = world;
    const turn = a.ticketFor("x");
    await turn.granted({ leaseMs: 100 });
    for (const client of [a, b]) {
      expect(await client.write("x", save("1"))).toEqual({ status: "busy" });
      expect(await client.write("x", remove())).toEqual({ status: "busy" });
    }
    expect(await b.write("y", save("1"))).toMatchObject({ status: "saved" });
    world.time += 100;
    expect(await b.write("x", save("1"))).toMatchObject({ status: "saved" });
  });

  test("[S8] a write without a ticket does not overtake a live waiter of a dead holder", async () => {
    const { a, b, c } = world;
    await a.ticketFor("x").granted({ leaseMs: 100 });
    await b.ticketFor("x").ask();
    world.time += 100;
    expect(await c.write("x", save("1"))).toEqual({ status: "busy" });
    world.time += askLimitMs - 100;
    expect(await c.write("x", save("1"))).toMatchObject({ status: "saved" });
  });

  test("listing gives every state once, page by page, below a prefix only", async () => {
    const { a, b } = world;
    const ids = Array.from({ length: 7 }, (_, n) => `job:${n}`);
    for (const id of [...ids, "jo", "job", "joc", "z"]) await a.saved(id, save(id, { ttlMs: 100 }));
    await a.saved("job:old", save("1", { ttlMs: 10 }));
    world.time += 10;
    const listed = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<Backend["listStates"]>> = await b.backend.listStates(cursor, {
        idPrefix: "job:",
        limit: 3,
      });
      expect(page.entries.length).toBeLessThanOrEqual(3);
      listed.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== null);
    expect(listed.map(({ id }) => id).sort()).toEqual(ids);
    expect(listed[0]).toMatchObject({ bytes: 5, serializer: "json", expiresInMs: 90 });
    expect((await b.backend.listStates(null, { idPrefix: "", limit: 100 })).entries).toHaveLength(11);
  });
});
