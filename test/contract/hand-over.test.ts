// How a lock passes from one ticket to the next, on every backend whose clock a test can set.
// Each reply of the contract is looked at, and time is set by hand. What the suites of holdfast/testing prove, they
// prove from the outside and in real time.

import { describe, expect, test } from "vitest";

import type { Backend } from "../../src/backends/contract.ts";
import type { ContractClient } from "../../src/testing/contract-client.ts";
import { save } from "../../src/testing/contract-client.ts";
import { clockedBackends, clockedWorld } from "./clocked-world.ts";

describe.each(clockedBackends)("hand-over of $name", (backend) => {
  const world = clockedWorld(backend);
  const { handOverMs } = backend.limits;

  test("[L7] a cancelled waiter is out of the queue", async () => {
    const { a, b, c } = world;
    const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
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
    const { a, b, c } = world;
    const [one, two, three] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
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
    const { a, b, c } = world;
    const [one, stopped, next] = [a.ticketFor("x"), b.ticketFor("x"), c.ticketFor("x")];
    await one.granted();
    await stopped.ask();
    await next.ask();
    await one.release();
    expect(await a.backend.inspectLock("x")).toMatchObject({
      holder: { token: stopped.ticket },
      expiresInMs: handOverMs,
      waiters: 1,
    });
    world.time += handOverMs;
    const last = a.ticketFor("x");
    expect(await last.ask()).toMatchObject({ holder: { token: next.ticket } });
    await next.granted();
    expect(await stopped.ask()).toMatchObject({ status: "waiting", ahead: 0 });
    await next.release();
    await stopped.granted();
    await stopped.release();
    await last.granted();
  });

  test("[L9] who was passed over holds nobody up: keep keeps, and a plain write goes through", async () => {
    const { a, b, c } = world;
    const [one, stopped] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted();
    await stopped.ask();
    await one.release();
    world.time += handOverMs;
    expect(await c.write("x", save("1"))).toMatchObject({ status: "saved" });
    const two = c.ticketFor("x");
    await two.granted();
    expect(await two.release({ keep: { leaseMs: 1_000, fences: 1 } })).toMatchObject({ status: "kept" });
  });

  test.each([
    [
      "a renewal",
      async (turn: ReturnType<ContractClient["ticketFor"]>) => expect(await turn.renew()).toBe("renewed"),
    ],
    [
      "a save",
      async (turn: ReturnType<ContractClient["ticketFor"]>) =>
        expect(await turn.write(save("1"), { ...turn.receipt, sequence: 77 })).toMatchObject({
          status: "saved",
        }),
    ],
    [
      "an ask",
      async (turn: ReturnType<ContractClient["ticketFor"]>) =>
        expect(await turn.granted()).toBeGreaterThan(0),
    ],
  ])("[L9] %s confirms a hand-over, and takes the ticket out of the queue", async (_, confirm) => {
    const { a, b, c } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted();
    await two.ask({ leaseMs: 700, fences: 2 });
    await one.release();
    expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: Math.min(700, handOverMs) });
    await confirm(two);
    world.time += 100_000;
    // Were it still queued, somebody else's ask would now find it there.
    expect(await c.ticketFor("x").ask()).toMatchObject({ status: "granted", waiting: 0 });
  });

  test("[L9] the lease of a hand-over is never longer than what the waiter asked for", async () => {
    const { a, b, c } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted();
    await two.ask({ leaseMs: 120 });
    await one.release();
    world.time += 120;
    await c.ticketFor("x").granted();
  });

  test("[L10] a crashed holder's lock is free after its lease, and the first waiter gets it by asking", async () => {
    const { a, b } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
    await one.granted({ leaseMs: 1_000 });
    const told = await two.ask();
    world.time += (told as { retryInMs: number }).retryInMs - 1;
    expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1 });
    world.time += 1;
    expect(await two.ask()).toMatchObject({ status: "granted", waiting: 0 });
    await two.release();
    expect(await a.backend.inspectLock("x")).toBeNull();
  });

  test("[L10] [L3] a clock that is set back does not lengthen a lease beyond its length", async () => {
    const { a, b } = world;
    const one = a.ticketFor("x");
    const fence = await one.granted({ leaseMs: 1_000 });
    world.time -= 3_600_000;
    const two = b.ticketFor("x");
    expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1_000 });
    world.time += 999;
    expect(await two.ask()).toMatchObject({ status: "waiting", retryInMs: 1 });
    world.time += 1;
    expect(await two.granted()).toBeGreaterThan(fence);
  });

  test("[L6] a forced release ends exactly that grant, hands over, and refuses the old holder", async () => {
    const { a, b, c } = world;
    const [one, two] = [a.ticketFor("x"), b.ticketFor("x")];
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
    const { a, b } = world;
    const ids = Array.from({ length: 5 }, (_, n) => `job:${n}`);
    for (const id of [...ids, "other"]) await a.ticketFor(id).granted();
    await a.ticketFor("job:gone").granted({ leaseMs: 100 });
    await b.ticketFor("job:0").ask();
    world.time += 100;
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
    const { a, b } = world;
    await b.backend.close();
    await b.backend.close();
    const error = await b.load("x").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(await a.load("x")).toBeNull();
  });
});
