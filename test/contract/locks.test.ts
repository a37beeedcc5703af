// Locks on every backend whose clock a test can set: who holds, who waits, and what each call answers.
// Each reply of the contract is looked at, and time is set by hand. What the suites of holdfast/testing prove, they
// prove from the outside and in real time.

import { describe, expect, test } from "vitest";

import { save, textOf } from "../../src/testing/contract-client.ts";
import { clockedBackends, clockedWorld } from "./clocked-world.ts";

describe.each(clockedBackends)("locks of $name", (backend) => {
  const world = clockedWorld(backend);
  const { askLimitMs, handOverMs } = backend.limits;

  test("[L1] one ticket holds, others are told who", async () => {
    const { a, b, c } = world;
    const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted({ leaseMs: 5_000 });
    world.time += 1_000;
    const holder = { token: one.ticket, foreign: false };
    expect(await two.ask()).toEqual({ status: "waiting", holder, retryInMs: 4_000, ahead: 0 });
    expect(await three.ask()).toEqual({ status: "waiting", holder, retryInMs: 4_000, ahead: 1 });
    expect(await a.ticketFor("x").ask({ queue: false })).toMatchObject({ status: "busy", holder, ahead: 2 });
    expect(await b.backend.inspectLock("x")).toMatchObject({ holder, expiresInMs: 4_000, waiters: 2 });
    expect(await a.ticketFor("y").ask()).toMatchObject({ status: "granted" });
  });

  test("[L2] the lock goes round in the order of the first asks, and asking again changes no place", async () => {
    const { a, b, c } = world;
    const turns = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x"), a.ticketFor("x")];
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
    const { a, b } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted();
    await two.ask();
    expect(await two.ask({ queue: false })).toMatchObject({ status: "waiting", ahead: 0 });
    await one.release();
    await two.granted({ queue: false });
  });

  test("[L2] a waiter keeps its place while it asks, and loses it when it does not", async () => {
    const { a, b, c } = world;
    const [one, asking, silent] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted({ leaseMs: 100_000 });
    await silent.ask();
    await asking.ask();
    world.time += askLimitMs - 1;
    expect(await asking.ask()).toMatchObject({ status: "waiting", ahead: 1 });
    world.time += 1;
    expect(await asking.ask()).toMatchObject({ status: "waiting", ahead: 0 });
    expect(await silent.ask()).toMatchObject({ status: "waiting", ahead: 1 });
  });

  test("[L2] nobody overtakes the first live waiter of a dead holder, not even one that asks first", async () => {
    const { a, b, c } = world;
    const [one, first, second] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted({ leaseMs: 100 });
    await first.ask();
    world.time += 100;
    expect(await c.ticketFor("x").ask({ queue: false })).toMatchObject({
      status: "busy",
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
    const { a, b, c } = world;
    const fences: number[] = [];
    const one = a.ticketFor("x");
    fences.push(await one.granted({ fences: 3 }));
    const kept = await one.release({ keep: { leaseMs: 1_000, fences: 2 } });
    fences.push(fences[0]! + 2, (kept as { fence: number }).fence, (kept as { fence: number }).fence + 1);
    world.time -= 3_600_000;
    const two = b.ticketFor("x");
    await two.ask();
    await one.release({}, { ...one.receipt, n: 2 });
    fences.push(await two.granted({ leaseMs: 100 }));
    world.time += 100;
    fences.push(await c.ticketFor("x").granted());
    expect(fences).toEqual([...new Set(fences)].sort((first, second) => first - second));
  });

  test("[L3] [S5] the ticket that holds gets the same answer again, with its full lease", async () => {
    const { a } = world;
    const turn = a.ticketFor("x");
    const first = await turn.ask({ leaseMs: 1_000, fences: 4 });
    world.time += 999;
    expect(await turn.ask({ leaseMs: 1_000, fences: 9 })).toEqual(first);
    world.time += 999;
    expect(await turn.renew()).toBe("renewed");
  });

  test("[S3] the state comes with the grant when it was asked for", async () => {
    const { a, b } = world;
    await a.saved("x", save("1"));
    expect(await a.ticketFor("y").ask({ load: true })).toMatchObject({ state: null });
    const turn = a.ticketFor("x");
    const granted = await turn.ask({ load: true });
    expect(textOf((granted as { state: null }).state)).toBe("1");
    expect(await turn.ask()).not.toHaveProperty("state");
    expect(await turn.release({ write: save("2") })).toMatchObject({ status: "released" });
    expect(await b.load("x")).toBe("2");
  });

  test("[S5] a repeated release is answered as the first time, and frees nobody else's lock", async () => {
    const { a, b } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted();
    await two.ask();
    const first = await one.release({ write: save("1") });
    expect(first).toMatchObject({ status: "released", revision: expect.any(Number) as number });
    await two.granted();
    expect(await one.release({ write: save("1") })).toEqual(first);
    expect(await two.renew()).toBe("renewed");
  });

  test("[S5] a ticket that was released or cancelled is settled: late asks are refused", async () => {
    const { a } = world;
    const [one, two] = [a.ticketFor("x"), a.ticketFor("x")];
    await one.granted();
    await two.ask();
    await two.cancel();
    await one.release();
    expect(await one.ask()).toEqual({ status: "settled" });
    expect(await two.ask()).toEqual({ status: "settled" });
    expect(await a.backend.inspectLock("x")).toBeNull();
  });

  test("[S5] a refused release is not recorded, and the lock is still held", async () => {
    const { a } = world;
    const turn = a.ticketFor("x");
    await turn.granted();
    expect(await turn.release({ write: save("1", { ifRevision: 5 }) })).toEqual({
      status: "conflict",
      revision: null,
    });
    expect(await turn.renew()).toBe("renewed");
    expect(await turn.release({ write: save("1") })).toMatchObject({ status: "released" });
  });

  test("[L6] a release of what is no longer held frees nobody's lock", async () => {
    const { a, b } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted({ leaseMs: 100 });
    world.time += 100;
    await two.granted();
    expect(await one.release()).toEqual({ status: "lost" });
    expect(await a.backend.inspectLock("x")).toMatchObject({ holder: { token: two.ticket } });
  });

  test("[L6] each grant is renewed by itself, by its holder only", async () => {
    const { a, b } = world;
    const [one, two, three] = [a.ticketFor("x"), a.ticketFor("y"), b.ticketFor("z")];
    await one.granted({ leaseMs: 1_000 });
    await two.granted({ leaseMs: 500 });
    await three.granted();
    world.time += 600;
    const entry = ({ id, ticket }: { id: string; ticket: string }) => ({ id, ticket, leaseMs: 1_000 });
    const entries = [entry(one), entry(two), { ...entry(three), ticket: one.ticket }];
    expect(await a.backend.renewLocks(entries)).toEqual(["renewed", "lost", "lost"]);
    world.time += 999;
    expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: 1 });
  });

  test("keep gives new fences and a full lease when nobody waits, else the lock is passed on", async () => {
    const { a, b } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    const fence = await one.granted({ leaseMs: 1_000 });
    world.time += 900;
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
});
