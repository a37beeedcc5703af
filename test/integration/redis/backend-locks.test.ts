// RedisBackend through the contract: what it makes of the replies and wakes of a lock, on real servers.

import { describe, expect, test } from "vitest";

import type { RedisServer } from "../../support/redis-server.ts";
import { save, textOf } from "../../../src/testing/contract-client.ts";
import { failures, type TestClient, twoClients } from "./clients.ts";

const anyNumber: unknown = expect.any(Number);

let server: RedisServer;
let a: TestClient;
let b: TestClient;
twoClients({ prefixes: ["t:"] }, (of) => ({ server, a, b } = of));

describe("locks", () => {
  test("[L1] [L3] granted, the same again, held, waiting", async () => {
    const [mine, theirs] = [a.ticketFor("x"), b.ticketFor("x")];
    const granted = await mine.ask({ fences: 3, leaseMs: 5_000 });
    expect(granted).toEqual({
      status: "granted",
      fence: anyNumber,
      fences: 3,
      leaseMs: 5_000,
      waiting: 0,
    });
    expect(await mine.ask({ fences: 3, leaseMs: 5_000 })).toEqual(granted);
    const held = { holder: { token: mine.ticket, foreign: false }, retryInMs: anyNumber, ahead: 0 };
    expect(await theirs.ask({ queue: false })).toEqual({ status: "busy", ...held });
    expect(await theirs.ask()).toEqual({ status: "waiting", ...held });
    expect(await mine.ask({ fences: 3, leaseMs: 5_000 })).toEqual({ ...granted, waiting: 1 });
  });

  test("[S1] [S6] the state comes with the grant, whether it is there or not, or not to be read", async () => {
    expect(await a.ticketFor("x").ask({ load: true })).toMatchObject({ status: "granted", state: null });
    const revision = await a.saved("y", save("hello"));
    const turn = a.ticketFor("y");
    const state = { revision, serializer: "json", bytes: Buffer.from("hello") };
    expect(await turn.ask({ load: true })).toMatchObject({ state });
    expect(await turn.ask({ load: true })).toMatchObject({ state });
    expect(await turn.ask()).not.toHaveProperty("state");
    await server.command("SADD", "t:state:{z}", "x");
    const other = a.ticketFor("z");
    for (let tries = 0; tries < 2; tries += 1) {
      expect(await other.ask({ load: true })).toMatchObject({ state: { unreadable: "a Redis set" } });
    }
    expect(await b.ticketFor("y").ask({ load: true })).toMatchObject({
      status: "waiting",
      holder: { token: turn.ticket },
    });
  });

  test("[L8] a release wakes the first waiter, with the state that it saved", async () => {
    await Promise.all([a.listening(), b.listening()]);
    const [mine, theirs] = [a.ticketFor("my id"), b.ticketFor("my id")];
    await mine.granted();
    await theirs.ask({ load: true, fences: 2, leaseMs: 700 });
    expect(await a.wake("wanted")).toEqual({ kind: "wanted", id: "my id", ticket: mine.ticket });
    const released = await mine.release({ write: save("new"), keep: { leaseMs: 1_000, fences: 1 } });
    expect(released).toEqual({ status: "released", revision: anyNumber });
    const wake = await b.wake("granted");
    expect(wake).toMatchObject({ id: "my id", ticket: theirs.ticket, fences: 2, leaseMs: 700, waiting: 0 });
    expect(textOf(wake.state)).toBe("new");
    expect(await theirs.ask()).toMatchObject({ status: "granted", fence: wake.fence, fences: 2 });
  });

  test("[L8] a wake without a state leaves it out, and says so when it is absent", async () => {
    await b.listening();
    for (const [id, load] of [
      ["p", true],
      ["q", false],
    ] as const) {
      const mine = a.ticketFor(id);
      await mine.granted();
      await b.ticketFor(id).ask({ load });
      await mine.release();
    }
    expect(await b.wake("granted", 1)).toHaveProperty("state", null);
    expect(await b.wake("granted", 2)).not.toHaveProperty("state");
  });

  test("[S3] [S5] kept, conflict, lost, forgotten", async () => {
    const turn = a.ticketFor("x");
    await turn.granted();
    expect(await turn.release({ write: save("1", { ifRevision: 5 }) })).toEqual({
      status: "conflict",
      revision: null,
    });
    const kept = await turn.release({ write: save("1"), keep: { leaseMs: 1_000, fences: 4 } });
    expect(kept).toEqual({
      status: "kept",
      revision: anyNumber,
      fence: anyNumber,
      fences: 4,
    });
    expect(await turn.release({ write: save("1"), keep: { leaseMs: 1_000, fences: 4 } })).toEqual(kept);
    const receipt = { ...turn.receipt, n: 2 };
    expect(await turn.release({}, receipt)).toEqual({ status: "released", revision: null });
    expect(await turn.release({}, receipt)).toEqual({ status: "released", revision: null });
    expect(await turn.release()).toEqual({ status: "forgotten" });
    expect(await b.ticketFor("x").release()).toEqual({ status: "lost" });
    expect(await turn.ask()).toEqual({ status: "settled" });
    const cancelling = { ...receipt, n: 3 };
    expect(await turn.cancel(cancelling)).toEqual({ status: "cancelled" });
    await server.command("DEL", `t:done:${a.backend.clientId}`);
    expect(await turn.cancel(cancelling)).toEqual({ status: "forgotten" });
  });

  test("[L6] [L11] forced, also from a foreign client", async () => {
    await a.listening();
    const turn = a.ticketFor("x");
    const fence = await turn.granted({ fences: 2 });
    const force = (token: string, ifFence?: number): Promise<unknown> =>
      b.backend.releaseLock("x", token, { forced: { ifFence } }, b.receipt());
    expect(await force(turn.ticket, fence + 2)).toEqual({ status: "lost" });
    expect(await force(turn.ticket, fence + 1)).toEqual({ status: "released", revision: null });
    expect(await a.wake("forced")).toEqual({ kind: "forced", id: "x", ticket: turn.ticket });
    await server.command("SET", "t:lock:{x}", "some token");
    expect(await a.backend.inspectLock("x")).toEqual({
      ...{ id: "x", holder: { token: "some token", foreign: true }, fence: null, lastFence: null },
      ...{ expiresInMs: null, waiters: 0 },
    });
    expect(await turn.ask({ queue: false })).toMatchObject({ status: "busy", holder: { foreign: true } });
    expect(await a.ticketFor("x").ask()).toMatchObject({ status: "waiting", retryInMs: null });
    expect(await force("some token")).toEqual({ status: "released", revision: null });
  });

  test("[L5] renewals answer one by one", async () => {
    const [one, two] = [a.ticketFor("x"), a.ticketFor("y")];
    await one.granted({ leaseMs: 1_000 });
    await two.granted({ leaseMs: 1_000 });
    await two.release();
    await server.command("RPUSH", "t:lock:{z}", "x");
    const entries = [one, two, a.ticketFor("z")].map(({ id, ticket }) => ({ id, ticket, leaseMs: 20_000 }));
    expect(await a.backend.renewLocks(entries)).toEqual(["renewed", "lost", "lost"]);
    expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: anyNumber, waiters: 0 });
    expect((await a.backend.inspectLock("x"))?.expiresInMs).toBeGreaterThan(19_000);
    expect(await a.backend.renewLocks([])).toEqual([]);
  });

  test("[L7] a cancelled waiter leaves nothing", async () => {
    await a.ticketFor("x").granted();
    const turn = b.ticketFor("x");
    await turn.ask();
    expect(await turn.cancel()).toEqual({ status: "cancelled" });
    expect((await server.keys()).filter((key) => /queue|asks/.test(key))).toEqual([]);
  });

  test("listing: locks with holders and waiters", async () => {
    await server.command("SET", "t:lock:{l:foreign}", "token");
    await server.command("RPUSH", "t:lock:{l:list}", "x");
    const turn = a.ticketFor("l:1");
    const fence = await turn.granted({ fences: 2 });
    await b.ticketFor("l:1").ask();
    const page = await b.backend.listLocks(null, { idPrefix: "l:", limit: 100 });
    expect(page.cursor).toBeNull();
    expect([...page.entries].sort((one, two) => one.id.localeCompare(two.id))).toEqual([
      {
        id: "l:1",
        holder: { token: turn.ticket, foreign: false },
        fence,
        lastFence: fence + 1,
        expiresInMs: anyNumber,
        waiters: 1,
        heldForMs: anyNumber,
      },
      {
        id: "l:foreign",
        holder: { token: "token", foreign: true },
        fence: null,
        lastFence: null,
        expiresInMs: null,
        waiters: 0,
      },
    ]);
  });

  test("[S1] what is kept under the lock's name is no lock", async () => {
    await server.command("RPUSH", "t:lock:{x}", "1");
    for (const error of await failures(
      a.ticketFor("x").ask(),
      a.ticketFor("x").release(),
      a.backend.inspectLock("x"),
    )) {
      expect(error.code).toBe("CORRUPT_STATE");
      expect(error.outcome).toBe("none");
      expect(error.message).toContain('"x"');
    }
    expect(await server.command("TYPE", "t:lock:{x}")).toBe("list");
  });
});
