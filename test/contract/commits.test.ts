// A commit of several states where time matters, on every backend whose clock a test can set: leases and hand-overs that
// end before it, and what is remembered of it.

import { describe, expect, test } from "vitest";

import { remove, save, type ContractClient, type ContractTicket } from "../../src/testing/contract-client.ts";
import { commit } from "../support/commit.ts";
import { clockedBackends, clockedWorld } from "./clocked-world.ts";

const anyNumber: unknown = expect.any(Number);
const leaseMs = 5_000;
const both = [{ write: save("1") }, { write: save("2") }];

async function held(client: ContractClient, forMs = leaseMs): Promise<[ContractTicket, ContractTicket]> {
  const [x, y] = [client.ticketFor("x"), client.ticketFor("y")];
  for (const ticket of [x, y]) await ticket.granted({ leaseMs: forMs });
  return [x, y];
}

describe.each(clockedBackends)("a commit on $name", (backend) => {
  const world = clockedWorld(backend);
  const { handOverMs } = backend.limits;

  const loaded = async (): Promise<unknown[]> => [await world.c.load("x"), await world.c.load("y")];

  test("[S9] [S4] a lease that is over, though nobody else has the lock: nothing is written or released", async () => {
    const { a, b } = world;
    const [x, y] = await held(a);
    world.time += leaseMs - 1;
    expect(await x.renew(leaseMs)).toBe("renewed");
    world.time += 1;
    expect(await commit({ client: a }, [x, y], both)).toEqual({ status: "lost", index: 1 });
    expect(await commit({ client: a }, [y, x], both)).toEqual({ status: "lost", index: 0 });
    expect(await loaded()).toEqual([null, null]);
    expect(await b.ticketFor("x").ask({ queue: false })).toMatchObject({ status: "busy" });
    await b.ticketFor("y").granted();
  });

  test("[S9] [S4] in its last millisecond a lease is enough, and a commit does not make it longer", async () => {
    const { a, b } = world;
    const [x, y] = await held(a);
    world.time += leaseMs - 1;
    const reply = await commit(
      { client: a },
      [x, y],
      [{ write: save("1"), keeps: true }, { write: save("2") }],
    );
    expect(reply).toEqual({ status: "committed", revisions: [anyNumber, anyNumber] });
    expect(await loaded()).toEqual(["1", "2"]);
    world.time += 1;
    await b.ticketFor("x").granted();
    expect(await commit({ client: a }, [x], both)).toEqual({ status: "lost", index: 0 });
  });

  test("[S9] [S4] a lease that is over and was granted to another: both keep what they have", async () => {
    const { a, b } = world;
    const [x, y] = await held(a);
    const other = b.ticketFor("y");
    await other.queued();
    world.time += leaseMs;
    await x.granted({ leaseMs });
    await other.granted();
    expect(await commit({ client: a }, [x, y], both)).toEqual({ status: "lost", index: 1 });
    for (const ticket of [x, other]) expect(await ticket.renew()).toBe("renewed");
    expect(await loaded()).toEqual([null, null]);
  });

  test("[S9] [L9] confirms the hand-over of a lock that it keeps: the ticket is in the queue no more", async () => {
    const { a, b, c } = world;
    const [first, handed, next, last] = [
      a.ticketFor("x"),
      b.ticketFor("x"),
      c.ticketFor("x"),
      a.ticketFor("x"),
    ];
    await first.granted();
    for (const ticket of [handed, next, last]) await ticket.queued();
    await first.released();
    const kept = { write: save("1"), keeps: true };
    expect(await commit({ client: b }, [handed], [kept])).toMatchObject({ status: "committed" });
    world.time += handOverMs;
    await next.granted();
    await last.ask();
    expect(await handed.ask()).toMatchObject({ status: "waiting", ahead: 1 });
  });

  test("[S9] [L9] a refused one confirms nothing: the ticket keeps its place", async () => {
    const { a, b, c } = world;
    const [first, handed, next, last] = [
      a.ticketFor("x"),
      b.ticketFor("x"),
      c.ticketFor("x"),
      a.ticketFor("x"),
    ];
    await first.granted();
    for (const ticket of [handed, next, last]) await ticket.queued();
    await first.released();
    expect(await commit({ client: b }, [handed], [{ ifRevision: 7 }])).toMatchObject({ status: "conflict" });
    world.time += handOverMs;
    await next.granted();
    await last.ask();
    expect(await handed.ask()).toMatchObject({ status: "waiting", ahead: 0 });
  });

  test("[S9] [L2] [L9] hands each lock to the first waiter that is alive", async () => {
    const { a, b, c } = world;
    const [x, y] = await held(a, 60_000);
    const [dead, next] = [b.ticketFor("x"), c.ticketFor("x")];
    await dead.queued();
    world.time += backend.limits.askLimitMs - 1;
    await next.queued();
    world.time += 2;
    expect(await commit({ client: a }, [x, y], both)).toMatchObject({ status: "committed" });
    expect(await a.backend.inspectLock("x")).toMatchObject({ holder: { token: next.ticket } });
    expect(await a.backend.inspectLock("y")).toBeNull();
  });

  test("[S9] [S5] [L7] settles the tickets that it releases, and no other", async () => {
    const { a } = world;
    const [x, y] = await held(a);
    const reply = await commit(
      { client: a },
      [x, y],
      [{ write: save("1") }, { write: remove(), keeps: true }],
    );
    const [revision] = "revisions" in reply ? reply.revisions : [];
    world.time += leaseMs + 1;
    expect(await x.ask()).toEqual({ status: "settled" });
    expect(await x.release()).toEqual({ status: "released", revision });
    expect(await x.cancel()).toMatchObject({ status: "released" });
    expect(await y.release()).toEqual({ status: "lost" });
    await y.granted();
  });

  test("[S9] [S5] a refusal of a retry is the answer to its first copy, which comes late", async () => {
    const { a } = world;
    const [x, y] = [a.ticketFor("x"), a.ticketFor("y")];
    await x.granted();
    const late = { client: a, receipt: a.receipt() };
    const refused = { status: "lost", index: 1 };
    for (let attempt = 1; attempt <= 2; attempt += 1)
      expect(await commit(late, [x, y], both)).toEqual(refused);
    await y.granted();
    expect(await commit(late, [x, y], both)).toEqual(refused);
    expect(await loaded()).toEqual([null, null]);
    expect(await commit({ client: a }, [x, y], both)).toMatchObject({ status: "committed" });
  });

  test("[S9] [S5] a retry whose receipt is lost is not carried out", async () => {
    const { a } = world;
    await a.saved("z", save("1")); // proves that there was something to remember
    const kept = both.map((change) => ({ ...change, keeps: true }));
    const [x, y] = await held(a);
    const by = { client: a, receipt: a.receipt() };
    await commit(by, [x, y], kept);
    world.forget();
    await a.write("x", save("2"));
    expect(await commit(by, [x, y], kept)).toEqual({ status: "forgotten" });
  });

  test("[S9] [S7] a state that has expired is absent", async () => {
    const { a } = world;
    const revision = await a.saved("x", save("0", { ttlMs: 1_000 }));
    const tickets = await held(a);
    world.time += 1_000;
    const lives = { whenNew: 3_000 };
    const stale = [{ write: save("1"), ifRevision: revision }, { write: save("2") }];
    expect(await commit({ client: a }, tickets, stale)).toEqual({
      status: "conflict",
      index: 0,
      revision: null,
    });
    const fresh = [
      { write: save("1", { ttlMs: lives, serializer: "other" }), ifRevision: "absent" } as const,
    ];
    expect(await commit({ client: a }, tickets, [...fresh, { write: save("2", { ttlMs: "keep" }) }])).toEqual(
      {
        status: "committed",
        revisions: [anyNumber, anyNumber],
      },
    );
    expect([await a.expiry("x"), await a.expiry("y")]).toEqual([3_000, null]);
  });
});
