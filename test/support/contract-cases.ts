// What every backend with a clock that tests can set must do, call by call. The suites of holdfast/testing prove the
// promises from the outside and in real time; here each reply of the contract is looked at, and time is set by hand.

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Backend } from "../../src/backends/contract.ts";
import type { Limits } from "../../src/backends/rows/step.ts";
import { ContractClient, bytesOf, remove, save, textOf } from "../../src/testing/contract-client.ts";

export interface World {
  /** A new client of the same states and locks. */
  connect(): Backend;
  end(): Promise<void>;
}

export interface Cases {
  readonly limits: Limits;
  /** Where everything goes by `now`. */
  create(now: () => number): World;
}

export function contractCases(name: string, cases: Cases): void {
  const { askLimitMs, handOverMs } = cases.limits;
  let time: number;
  let world: World;
  let a: ContractClient;
  let b: ContractClient;
  let c: ContractClient;

  beforeEach(() => {
    time = 1_700_000_000_000;
    world = cases.create(() => time);
    a = new ContractClient(world.connect());
    b = new ContractClient(world.connect());
    c = new ContractClient(world.connect());
  });
  afterEach(async () => {
    for (const { backend } of [a, b, c]) await backend.close();
    await world.end();
  });

  describe(`${name}: states`, () => {
    test("[S1] absent is null; what was saved is loaded, as a copy of one's own", async () => {
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
      for (const id of ["__proto__", "a'b\"c", "ä€😀", "%_*?", "x".repeat(512)]) {
        const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
        await a.saved(id, save("", { bytes }));
        expect(await b.backend.loadState(id, { expiry: false })).toMatchObject({ bytes });
      }
      await a.saved("empty", save("", { bytes: new Uint8Array(0) }));
      expect(await b.load("empty")).toBe("");
    });

    test("[S2] revisions rise across saves, delete, expiry and a clock that is set back", async () => {
      const revisions = [await a.saved("x", save("1")), await b.saved("x", save("2"))];
      await a.write("x", remove());
      revisions.push(await a.saved("x", save("3", { ttlMs: 50 })));
      time += 50;
      revisions.push(await a.saved("x", save("4", { ifRevision: "absent" })));
      time -= 3_600_000;
      revisions.push(await b.saved("x", save("5")));
      expect(revisions).toEqual([...new Set(revisions)].sort((one, two) => one - two));
    });

    test("[S2] a save or delete at another revision is a conflict, and nothing is written", async () => {
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
      const turn = a.turn("x");
      expect(await turn.write(save("1"), a.receipt())).toEqual({ status: "lost" });
      await turn.granted({ leaseMs: 100 });
      expect(await turn.write(save("2"), a.receipt())).toMatchObject({ status: "saved" });
      time += 100;
      expect(await turn.write(save("3"), a.receipt())).toEqual({ status: "lost" });
      await b.turn("x").granted();
      expect(await turn.write(remove(), a.receipt())).toEqual({ status: "lost" });
      expect(await turn.release({ write: save("4") })).toEqual({ status: "lost" });
      expect(await b.load("x")).toBe("2");
    });

    test("[S5] a repeated write is answered as the first time, and done once", async () => {
      const receipt = a.receipt();
      const first = await a.write("x", save("1"), receipt);
      await b.saved("x", save("2"));
      expect(await a.write("x", save("1"), receipt)).toEqual(first);
      expect(await a.load("x")).toBe("2");
      const deletion = { ...receipt, n: 2 };
      expect(await a.write("x", remove(), deletion)).toEqual({ status: "deleted" });
      await b.saved("x", save("3"));
      expect(await a.write("x", remove(), deletion)).toEqual({ status: "deleted" });
      expect(await a.load("x")).toBe("3");
    });

    test("[S5] a late copy is refused", async () => {
      const receipt = a.receipt();
      await a.write("x", save("1"), receipt);
      await a.write("x", save("2"), { ...receipt, n: 2 });
      expect(await a.write("x", save("1"), receipt)).toEqual({ status: "forgotten" });
      expect(await a.load("x")).toBe("2");
    });

    test("[S5] a retry whose proof is not remembered is refused", async () => {
      const receipt = a.receipt();
      const proof = { slot: 99, n: 4 };
      expect(await a.write("x", save("1"), { ...receipt, proof })).toEqual({ status: "forgotten" });
      await a.write("other", save("1"), { ...receipt, slot: 99, n: 3 });
      expect(await a.write("x", save("1"), { ...receipt, proof })).toEqual({ status: "forgotten" });
      expect(await a.load("x")).toBeNull();
      await a.write("other", save("1"), { ...receipt, slot: 99, n: 5 });
      expect(await a.write("x", save("1"), { ...receipt, proof })).toMatchObject({ status: "saved" });
    });

    test("[S5] an answer that did nothing is not recorded: the same receipt may succeed later", async () => {
      const receipt = a.receipt();
      const turn = b.turn("x");
      await turn.granted();
      expect(await a.write("x", save("1"), receipt)).toEqual({ status: "held" });
      await turn.release();
      expect(await a.write("x", save("1", { ifRevision: 1 }), receipt)).toMatchObject({ status: "conflict" });
      expect(await a.write("x", save("1"), receipt)).toMatchObject({ status: "saved" });
    });

    test("[S5] receipts are each client's own", async () => {
      const receipt = { slot: 0, n: 5, keepMs: 60_000 };
      expect(await a.write("x", save("a"), receipt)).toMatchObject({ status: "saved" });
      expect(await b.write("x", save("b"), receipt)).toMatchObject({ status: "saved" });
      expect(await a.load("x")).toBe("b");
    });

    test("[S6] a state of another serializer is not overwritten, but may be deleted", async () => {
      await a.saved("x", save("1", { serializer: "mine" }));
      const unreadable = { status: "unreadable", unreadable: expect.stringContaining("mine") as string };
      expect(await b.write("x", save("2"))).toEqual(unreadable);
      const turn = b.turn("x");
      await turn.granted();
      expect(await turn.release({ write: save("2") })).toEqual(unreadable);
      expect(await turn.release()).toMatchObject({ status: "released" });
      expect(await b.load("x")).toBe("1");
      expect(await b.write("x", remove())).toEqual({ status: "deleted" });
      expect(await b.write("x", save("2"))).toMatchObject({ status: "saved" });
    });

    test("[S7] a life is set with the value, kept, taken away, touched, and ends", async () => {
      await a.saved("x", save("1", { ttlMs: 100 }));
      expect(await a.expiry("x")).toBe(100);
      time += 40;
      await a.saved("x", save("2", { ttlMs: "keep" }));
      expect(await a.expiry("x")).toBe(60);
      await a.saved("x", save("3", { ttlMs: "none" }));
      expect(await a.expiry("x")).toBeNull();
      expect(await a.backend.touchState("x", 70, a.receipt())).toEqual({ status: "touched" });
      expect(await a.expiry("x")).toBe(70);
      time += 70;
      expect(await a.load("x")).toBeNull();
      expect(await a.backend.touchState("x", 70, a.receipt())).toEqual({ status: "absent" });
      await a.saved("x", save("4", { ttlMs: "keep" }));
      expect(await a.expiry("x")).toBeNull();
    });

    test("[S7] a life for new states is set once, and kept by what comes later", async () => {
      const ttlMs = { whenNew: 100 };
      await a.saved("x", save("1", { ttlMs }));
      time += 40;
      await a.saved("x", save("2", { ttlMs: { whenNew: 900 } }));
      expect(await a.expiry("x")).toBe(60);
      const turn = a.turn("x");
      await turn.granted();
      expect(await turn.release({ write: save("3", { ttlMs }) })).toMatchObject({ status: "released" });
      expect(await a.expiry("x")).toBe(60);
      await a.saved("x", save("4", { ttlMs: "none" }));
      await a.saved("x", save("5", { ttlMs }));
      expect(await a.expiry("x")).toBeNull();
      await a.saved("x", save("6", { ttlMs: 50 }));
      time += 50;
      await a.saved("x", save("7", { ttlMs })); // what has expired is new
      expect(await a.expiry("x")).toBe(100);
      expect(await a.write("x", remove())).toEqual({ status: "deleted" });
      const again = a.turn("x");
      await again.granted();
      expect(await again.release({ write: save("8", { ttlMs }) })).toMatchObject({ status: "released" });
      expect(await a.expiry("x")).toBe(100);
    });

    test("[S8] a write without a ticket is refused while the lock is held, our own included", async () => {
      const turn = a.turn("x");
      await turn.granted({ leaseMs: 100 });
      for (const client of [a, b]) {
        expect(await client.write("x", save("1"))).toEqual({ status: "held" });
        expect(await client.write("x", remove())).toEqual({ status: "held" });
      }
      expect(await b.write("y", save("1"))).toMatchObject({ status: "saved" });
      time += 100;
      expect(await b.write("x", save("1"))).toMatchObject({ status: "saved" });
    });

    test("[S8] a write without a ticket does not overtake a live waiter of a dead holder", async () => {
      await a.turn("x").granted({ leaseMs: 100 });
      await b.turn("x").ask();
      time += 100;
      expect(await c.write("x", save("1"))).toEqual({ status: "held" });
      time += askLimitMs - 100;
      expect(await c.write("x", save("1"))).toMatchObject({ status: "saved" });
    });

    test("listing gives every state once, page by page, below a prefix only", async () => {
      const ids = Array.from({ length: 7 }, (_, n) => `job:${n}`);
      for (const id of [...ids, "jo", "job", "joc", "z"]) await a.saved(id, save(id, { ttlMs: 100 }));
      await a.saved("job:old", save("1", { ttlMs: 10 }));
      time += 10;
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

  describe(`${name}: locks`, () => {
    test("[L1] one ticket holds, others are told who", async () => {
      const [one, two, three] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted({ leaseMs: 5_000 });
      time += 1_000;
      const holder = { token: one.ticket, foreign: false };
      expect(await two.ask()).toEqual({ status: "waiting", holder, retryInMs: 4_000, ahead: 0 });
      expect(await three.ask()).toEqual({ status: "waiting", holder, retryInMs: 4_000, ahead: 1 });
      expect(await a.turn("x").ask({ queue: false })).toMatchObject({ status: "held", holder, ahead: 2 });
      expect(await b.backend.inspectLock("x")).toMatchObject({ holder, expiresInMs: 4_000, waiters: 2 });
      expect(await a.turn("y").ask()).toMatchObject({ status: "granted" });
    });

    test("[L2] the lock goes round in the order of the first asks, and asking again changes no place", async () => {
      const turns = [a.turn("x"), b.turn("x"), c.turn("x"), a.turn("x")];
      await turns[0]!.granted();
      for (const turn of turns.slice(1)) await turn.ask();
      for (const turn of [turns[3], turns[2], turns[1]]) await turn!.ask();
      for (const [index, turn] of turns.slice(1).entries()) {
        await turns[index]!.release();
        for (const later of turns.slice(index + 2))
          expect(await later.ask()).toMatchObject({ status: "waiting" });
        await turn.granted();
      }
    });

    test("[L2] a queued ticket that asks without queueing stays in the queue", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted();
      await two.ask();
      expect(await two.ask({ queue: false })).toMatchObject({ status: "waiting", ahead: 0 });
      await one.release();
      await two.granted({ queue: false });
    });

    test("[L2] a waiter keeps its place while it asks, and loses it when it does not", async () => {
      const [one, asking, silent] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted({ leaseMs: 100_000 });
      await silent.ask();
      await asking.ask();
      time += askLimitMs - 1;
      expect(await asking.ask()).toMatchObject({ status: "waiting", ahead: 1 });
      time += 1;
      expect(await asking.ask()).toMatchObject({ status: "waiting", ahead: 0 });
      expect(await silent.ask()).toMatchObject({ status: "waiting", ahead: 1 });
    });

    test("[L2] nobody overtakes the first live waiter of a dead holder, not even one that asks first", async () => {
      const [one, first, second] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted({ leaseMs: 100 });
      await first.ask();
      time += 100;
      expect(await c.turn("x").ask({ queue: false })).toMatchObject({
        status: "held",
        holder: { token: first.ticket },
        retryInMs: handOverMs,
      });
      expect(await second.ask()).toMatchObject({
        status: "waiting",
        holder: { token: first.ticket },
        ahead: 0,
      });
      await first.granted();
    });

    test("[L3] fences rise across release, keep, expiry, hand-over and a clock that is set back", async () => {
      const fences: number[] = [];
      const one = a.turn("x");
      fences.push(await one.granted({ fences: 3 }));
      const kept = await one.release({ keep: { leaseMs: 1_000, fences: 2 } });
      fences.push(fences[0]! + 2, (kept as { fence: number }).fence, (kept as { fence: number }).fence + 1);
      time -= 3_600_000;
      const two = b.turn("x");
      await two.ask();
      await one.release({}, { ...one.receipt, n: 2 });
      fences.push(await two.granted({ leaseMs: 100 }));
      time += 100;
      fences.push(await c.turn("x").granted());
      expect(fences).toEqual([...new Set(fences)].sort((first, second) => first - second));
    });

    test("[L3] [S5] the ticket that holds gets the same answer again, with its full lease", async () => {
      const turn = a.turn("x");
      const first = await turn.ask({ leaseMs: 1_000, fences: 4 });
      time += 999;
      expect(await turn.ask({ leaseMs: 1_000, fences: 9 })).toEqual(first);
      time += 999;
      expect(await turn.renew()).toBe("renewed");
    });

    test("[S3] the state comes with the grant when it was asked for", async () => {
      await a.saved("x", save("1"));
      expect(await a.turn("y").ask({ load: true })).toMatchObject({ state: null });
      const turn = a.turn("x");
      const granted = await turn.ask({ load: true });
      expect(textOf((granted as { state: null }).state)).toBe("1");
      expect(await turn.ask()).not.toHaveProperty("state");
      expect(await turn.release({ write: save("2") })).toMatchObject({ status: "released" });
      expect(await b.load("x")).toBe("2");
    });

    test("[S5] a repeated release is answered as the first time, and frees nobody else's lock", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted();
      await two.ask();
      const first = await one.release({ write: save("1") });
      expect(first).toMatchObject({ status: "released", revision: expect.any(Number) as number });
      await two.granted();
      expect(await one.release({ write: save("1") })).toEqual(first);
      expect(await two.renew()).toBe("renewed");
    });

    test("[S5] a ticket that was released or cancelled is settled: late asks are refused", async () => {
      const [one, two] = [a.turn("x"), a.turn("x")];
      await one.granted();
      await two.ask();
      await two.cancel();
      await one.release();
      expect(await one.ask()).toEqual({ status: "settled" });
      expect(await two.ask()).toEqual({ status: "settled" });
      expect(await a.backend.inspectLock("x")).toBeNull();
    });

    test("[S5] a refused release is not recorded, and the lock is still held", async () => {
      const turn = a.turn("x");
      await turn.granted();
      expect(await turn.release({ write: save("1", { ifRevision: 5 }) })).toEqual({
        status: "conflict",
        revision: null,
      });
      expect(await turn.renew()).toBe("renewed");
      expect(await turn.release({ write: save("1") })).toMatchObject({ status: "released" });
    });

    test("[L6] a release of what is no longer held frees nobody's lock", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted({ leaseMs: 100 });
      time += 100;
      await two.granted();
      expect(await one.release()).toEqual({ status: "lost" });
      expect(await a.backend.inspectLock("x")).toMatchObject({ holder: { token: two.ticket } });
    });

    test("[L6] each grant is renewed by itself, by its holder only", async () => {
      const [one, two, three] = [a.turn("x"), a.turn("y"), b.turn("z")];
      await one.granted({ leaseMs: 1_000 });
      await two.granted({ leaseMs: 500 });
      await three.granted();
      time += 600;
      const entry = ({ id, ticket }: { id: string; ticket: string }) => ({ id, ticket, leaseMs: 1_000 });
      const entries = [entry(one), entry(two), { ...entry(three), ticket: one.ticket }];
      expect(await a.backend.renewLocks(entries)).toEqual(["renewed", "lost", "lost"]);
      time += 999;
      expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: 1 });
    });

    test("keep gives new fences and a full lease when nobody waits, else the lock is passed on", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      const fence = await one.granted({ leaseMs: 1_000 });
      time += 900;
      const keep = { leaseMs: 1_000, fences: 3 };
      const kept = await one.release({ write: save("1"), keep });
      expect(kept).toMatchObject({ status: "kept", fences: 3, revision: expect.any(Number) as number });
      expect((kept as { fence: number }).fence).toBeGreaterThan(fence);
      expect(await one.release({ write: save("1"), keep })).toEqual(kept);
      expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: 1_000 });
      await two.ask();
      const receipt = { ...one.receipt, n: 2 };
      expect(await one.release({ keep }, receipt)).toEqual({ status: "released", revision: null });
      await two.granted();
    });

    test("[L7] a cancelled waiter is out of the queue", async () => {
      const [one, two, three] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted();
      await two.ask();
      await three.ask();
      expect(await two.cancel()).toEqual({ status: "cancelled" });
      expect(await two.cancel()).toEqual({ status: "cancelled" });
      expect(await three.ask()).toMatchObject({ ahead: 0 });
      await one.release();
      await three.granted();
    });

    test("[L7] a grant that comes too late is passed on by its cancel, once", async () => {
      const [one, two, three] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted();
      await two.ask();
      await three.ask();
      await one.release();
      expect(await two.cancel()).toEqual({ status: "released" });
      await three.granted();
      expect(await two.cancel()).toEqual({ status: "released" });
      expect(await three.renew()).toBe("renewed");
    });

    test("[L9] a hand-over that is not confirmed goes to the next, and the silent one keeps its place", async () => {
      const [one, stopped, next] = [a.turn("x"), b.turn("x"), c.turn("x")];
      await one.granted();
      await stopped.ask();
      await next.ask();
      await one.release();
      expect(await a.backend.inspectLock("x")).toMatchObject({
        holder: { token: stopped.ticket },
        expiresInMs: handOverMs,
        waiters: 1,
      });
      time += handOverMs;
      const last = a.turn("x");
      expect(await last.ask()).toMatchObject({ holder: { token: next.ticket } });
      await next.granted();
      expect(await stopped.ask()).toMatchObject({ status: "waiting", ahead: 0 });
      await next.release();
      await stopped.granted();
      await stopped.release();
      await last.granted();
    });

    test("[L9] who was passed over holds nobody up: keep keeps, and a plain write goes through", async () => {
      const [one, stopped] = [a.turn("x"), b.turn("x")];
      await one.granted();
      await stopped.ask();
      await one.release();
      time += handOverMs;
      expect(await c.write("x", save("1"))).toMatchObject({ status: "saved" });
      const two = c.turn("x");
      await two.granted();
      expect(await two.release({ keep: { leaseMs: 1_000, fences: 1 } })).toMatchObject({ status: "kept" });
    });

    test.each([
      [
        "a renewal",
        async (turn: ReturnType<ContractClient["turn"]>) => expect(await turn.renew()).toBe("renewed"),
      ],
      [
        "a save",
        async (turn: ReturnType<ContractClient["turn"]>) =>
          expect(await turn.write(save("1"), { ...turn.receipt, slot: 77 })).toMatchObject({
            status: "saved",
          }),
      ],
      [
        "an ask",
        async (turn: ReturnType<ContractClient["turn"]>) => expect(await turn.granted()).toBeGreaterThan(0),
      ],
    ])("[L9] %s confirms a hand-over, and takes the ticket out of the queue", async (_, confirm) => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted();
      await two.ask({ leaseMs: 700, fences: 2 });
      await one.release();
      expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: Math.min(700, handOverMs) });
      await confirm(two);
      time += 100_000;
      // Were it still queued, somebody else's ask would now find it there.
      expect(await c.turn("x").ask()).toMatchObject({ status: "granted", waiting: 0 });
    });

    test("[L9] the lease of a hand-over is never longer than what the waiter asked for", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted();
      await two.ask({ leaseMs: 120 });
      await one.release();
      time += 120;
      await c.turn("x").granted();
    });

    test("[L10] a crashed holder's lock is free after its lease, and the first waiter gets it by asking", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      await one.granted({ leaseMs: 1_000 });
      const told = await two.ask();
      time += (told as { retryInMs: number }).retryInMs - 1;
      expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1 });
      time += 1;
      expect(await two.ask()).toMatchObject({ status: "granted", waiting: 0 });
      await two.release();
      expect(await a.backend.inspectLock("x")).toBeNull();
    });

    test("[L10] [L3] a clock that is set back does not lengthen a lease beyond its length", async () => {
      const one = a.turn("x");
      const fence = await one.granted({ leaseMs: 1_000 });
      time -= 3_600_000;
      const two = b.turn("x");
      expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1_000 });
      time += 999;
      expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1 });
      time += 1;
      expect(await two.granted()).toBeGreaterThan(fence);
    });

    test("[L6] a forced release ends exactly that grant, hands over, and refuses the old holder", async () => {
      const [one, two] = [a.turn("x"), b.turn("x")];
      const fence = await one.granted({ fences: 3 });
      await two.ask();
      const force = (ifFence?: number) =>
        c.backend.releaseLock("x", one.ticket, { forced: { ifFence } }, c.receipt());
      expect(await force(fence - 1)).toEqual({ status: "lost" });
      expect(await force(fence + 3)).toEqual({ status: "lost" });
      expect(await one.renew()).toBe("renewed");
      expect(await force(fence + 2)).toMatchObject({ status: "released" });
      expect(await one.renew()).toBe("lost");
      expect(await one.release({ write: save("1") })).toEqual({ status: "lost" });
      await two.granted();
      expect(await force()).toEqual({ status: "lost" });
    });

    test("listing gives every held lock once, page by page, below a prefix only", async () => {
      const ids = Array.from({ length: 5 }, (_, n) => `job:${n}`);
      for (const id of [...ids, "other"]) await a.turn(id).granted();
      await a.turn("job:gone").granted({ leaseMs: 100 });
      await b.turn("job:0").ask();
      time += 100;
      const listed = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<Backend["listLocks"]>> = await b.backend.listLocks(cursor, {
          idPrefix: "job:",
          limit: 2,
        });
        listed.push(...page.entries);
        cursor = page.cursor;
      } while (cursor !== null);
      expect(listed.map(({ id }) => id).sort()).toEqual(ids);
      expect(listed.map(({ waiters }) => waiters).sort()).toEqual([0, 0, 0, 0, 1]);
    });

    test("[P2] a closed backend refuses", async () => {
      await b.backend.close();
      await b.backend.close();
      const error = await b.load("x").catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
      expect(await a.load("x")).toBeNull();
    });
  });
}
