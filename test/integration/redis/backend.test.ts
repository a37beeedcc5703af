// RedisBackend through the contract: what it makes of replies, wakes and errors, on real servers.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { startProxy } from "../../support/proxy.ts";
import { remove, save, bytesOf, textOf } from "../../../src/testing/contract-client.ts";
import { closeClients, failures, TestClient } from "./clients.ts";

const anyNumber: unknown = expect.any(Number);

const oddPrefix = "od*d?[x]\\:"; // every character that means something in a pattern

let server: RedisServer;
let a: TestClient;
let b: TestClient;
beforeAll(async () => {
  server = await startRedis({ prefixes: ["t:", oddPrefix] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.command("FLUSHALL");
  a = new TestClient(server.url);
  b = new TestClient(server.url);
});
afterEach(closeClients);

describe("states", () => {
  test("[S1] [S6] absent, stored, and what is not ours", async () => {
    expect(await a.backend.loadState("x", { expiry: true })).toBeNull();
    const revision = await a.saved("x", save("hello", { ttlMs: 5_000 }));
    const stored = { revision, serializer: "json", bytes: Buffer.from("hello") };
    expect(await a.backend.loadState("x", { expiry: false })).toEqual(stored);
    expect(await b.backend.loadState("x", { expiry: true })).toEqual({
      ...stored,
      expiresInMs: anyNumber,
    });
    await server.command("SET", "t:state:{x}", "something");
    const unreadable = { unreadable: "data that Holdfast did not write" };
    for (const expiry of [true, false]) {
      expect(await a.backend.loadState("x", { expiry })).toEqual(unreadable);
    }
    await server.command("DEL", "t:state:{x}");
    await server.command("RPUSH", "t:state:{x}", "1");
    for (const expiry of [true, false]) {
      expect(await a.backend.loadState("x", { expiry })).toEqual({ unreadable: "a Redis list" });
    }
    expect(await a.write("x", save("1"))).toEqual({ status: "unreadable", unreadable: "a Redis list" });
    expect(await a.backend.touchState("x", 5, a.receipt())).toEqual({
      status: "unreadable",
      unreadable: "a Redis list",
    });
  });

  test("[S1] ids and bytes are kept exactly", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const id of ["__proto__", "a}b{c", "ä€😀", "*?[x]\\", "a b", "x".repeat(512)]) {
      await a.saved(id, save("", { bytes }));
      expect(await b.backend.loadState(id, { expiry: false })).toMatchObject({ bytes: Buffer.from(bytes) });
    }
    const large = new Uint8Array(8 * 1024 * 1024).fill(7);
    await a.saved("large", save("", { bytes: large.subarray(3) }));
    expect(await b.backend.loadState("large", { expiry: false })).toMatchObject({
      bytes: Buffer.from(large.subarray(3)),
    });
  });

  test("[S2] [S7] writes, conflicts, deletes and lives", async () => {
    const revision = await a.saved("x", save("1", { ifRevision: "absent" }));
    expect(await b.write("x", save("2", { ifRevision: "absent" }))).toEqual({ status: "conflict", revision });
    expect(await b.write("x", save("2", { ifRevision: revision }))).toMatchObject({ status: "saved" });
    expect(await b.expiry("x")).toBeNull();
    expect(await a.backend.touchState("x", 60_000, a.receipt())).toEqual({ status: "touched" });
    expect(await a.expiry("x")).toBeGreaterThan(59_000);
    expect(await a.write("x", save("3", { ttlMs: "keep" }))).toMatchObject({ status: "saved" });
    expect(await a.expiry("x")).toBeGreaterThan(59_000);
    expect(await a.write("x", save("3", { ttlMs: 0.4 }))).toMatchObject({ status: "saved" });
    expect(await a.write("x", remove())).toEqual({ status: "deleted" });
    expect(await a.backend.touchState("x", 5, a.receipt())).toEqual({ status: "absent" });
    expect(await a.write("x", remove({ ifRevision: 7 }))).toEqual({ status: "conflict", revision: null });
  });

  test("[S2] [L3] what a client has seen is a floor, though the server lost everything", async () => {
    const past2090 = 3_800_000_000_000_000;
    await server.command("SET", "t:stamp", String(past2090));
    const revision = await a.saved("x", save("1"));
    expect(revision).toBe(past2090 + 1);
    await server.command("FLUSHALL");
    const fence = await a.turn("x").granted({ fences: 5 });
    expect(fence).toBe(revision + 1);
    await server.command("FLUSHALL");
    expect(await a.saved("y", save("1"))).toBe(fence + 5);
    await a.turn("x").granted();
    await b.listening();
    const waiter = b.turn("x");
    await waiter.ask();
    expect(await b.load("y")).toBe("1");
    await server.command("DEL", "t:stamp");
    expect(await b.saved("z", save("1"))).toBeGreaterThan(fence + 5); // it loaded y
  });

  test("[S2] [L3] what a wake told is a floor, too", async () => {
    await b.listening();
    const turn = a.turn("x");
    await turn.granted();
    await b.turn("x").ask({ fences: 3 });
    const inAnHour = 1_000 * (Date.now() + 3_600_000);
    await server.command("SET", "t:stamp", String(inAnHour));
    await turn.release();
    expect((await b.wake("granted")).fence).toBe(inAnHour + 1);
    await server.command("FLUSHALL");
    expect(await b.saved("y", save("1"))).toBe(inAnHour + 4);
  });

  test("[S2] [L1] [L3] a wake with stamps more than a day ahead of all replies is a reason to ask, and no floor", async () => {
    await b.listening();
    const [turn, waiting] = [a.turn("x"), b.turn("x")];
    await turn.granted();
    await waiting.ask();
    const inTwoDays = 1_000 * (Date.now() + 2 * 86_400_000);
    const message = `granted ${waiting.ticket} ${String(inTwoDays)} 1 10000 0 - x\n`;
    const before = b.wakes.filter(({ kind }) => kind === "again").length;
    await server.command("PUBLISH", `t:wake:${b.backend.clientId}`, message);
    await b.wake("again", before + 1);
    expect(await b.saved("y", save("1"))).toBeLessThan(inTwoDays);
  });

  test("listing: every state once, whatever the prefix and the ids look like", async () => {
    const odd = new TestClient(server.url, { prefix: oddPrefix });
    const numbers = Array.from({ length: 300 }, (_, n) => `a*b:${String(n)}`);
    await Promise.all(numbers.flatMap((id) => [odd.saved(id, save("12345")), a.saved(id, save(""))]));
    await odd.saved("aXb:1", save(""));
    await odd.saved("a*b", save("", { ttlMs: 60_000 }));
    await server.command("SET", "od*d?[x]\\:state:{a*b:foreign}", "foreign");
    await server.command("RPUSH", "od*d?[x]\\:state:{a*b:list}", "foreign");
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await odd.backend.listStates(cursor, { idPrefix: "a*b:", limit: 50 });
      for (const entry of page.entries)
        expect(entry).toMatchObject({ bytes: 5, serializer: "json", expiresInMs: null });
      seen.push(...page.entries.map((entry) => entry.id));
      cursor = page.cursor;
    } while (cursor !== null);
    expect(new Set(seen)).toEqual(new Set(numbers));
  });
});

describe("locks", () => {
  test("[L1] [L3] granted, the same again, held, waiting", async () => {
    const [mine, theirs] = [a.turn("x"), b.turn("x")];
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
    expect(await theirs.ask({ queue: false })).toEqual({ status: "held", ...held });
    expect(await theirs.ask()).toEqual({ status: "waiting", ...held });
    expect(await mine.ask({ fences: 3, leaseMs: 5_000 })).toEqual({ ...granted, waiting: 1 });
  });

  test("[S1] [S6] the state comes with the grant, whether it is there or not, or not to be read", async () => {
    expect(await a.turn("x").ask({ load: true })).toMatchObject({ status: "granted", state: null });
    const revision = await a.saved("y", save("hello"));
    const turn = a.turn("y");
    const state = { revision, serializer: "json", bytes: Buffer.from("hello") };
    expect(await turn.ask({ load: true })).toMatchObject({ state });
    expect(await turn.ask({ load: true })).toMatchObject({ state });
    expect(await turn.ask()).not.toHaveProperty("state");
    await server.command("SADD", "t:state:{z}", "x");
    const other = a.turn("z");
    for (let tries = 0; tries < 2; tries += 1) {
      expect(await other.ask({ load: true })).toMatchObject({ state: { unreadable: "a Redis set" } });
    }
    expect(await b.turn("y").ask({ load: true })).toMatchObject({
      status: "waiting",
      holder: { token: turn.ticket },
    });
  });

  test("[L8] a release wakes the first waiter, with the state that it saved", async () => {
    await Promise.all([a.listening(), b.listening()]);
    const [mine, theirs] = [a.turn("my id"), b.turn("my id")];
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
      const mine = a.turn(id);
      await mine.granted();
      await b.turn(id).ask({ load });
      await mine.release();
    }
    expect(await b.wake("granted", 1)).toHaveProperty("state", null);
    expect(await b.wake("granted", 2)).not.toHaveProperty("state");
  });

  test("[S3] [S5] kept, conflict, lost, forgotten", async () => {
    const turn = a.turn("x");
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
    expect(await b.turn("x").release()).toEqual({ status: "lost" });
    expect(await turn.ask()).toEqual({ status: "settled" });
    const cancelling = { ...receipt, n: 3 };
    expect(await turn.cancel(cancelling)).toEqual({ status: "cancelled" });
    await server.command("DEL", `t:done:${a.backend.clientId}`);
    expect(await turn.cancel(cancelling)).toEqual({ status: "forgotten" });
  });

  test("[L6] [L11] forced, also from a foreign client", async () => {
    await a.listening();
    const turn = a.turn("x");
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
    expect(await turn.ask({ queue: false })).toMatchObject({ status: "held", holder: { foreign: true } });
    expect(await a.turn("x").ask()).toMatchObject({ status: "waiting", retryInMs: null });
    expect(await force("some token")).toEqual({ status: "released", revision: null });
  });

  test("[L5] renewals answer one by one", async () => {
    const [one, two] = [a.turn("x"), a.turn("y")];
    await one.granted({ leaseMs: 1_000 });
    await two.granted({ leaseMs: 1_000 });
    await two.release();
    await server.command("RPUSH", "t:lock:{z}", "x");
    const entries = [one, two, a.turn("z")].map(({ id, ticket }) => ({ id, ticket, leaseMs: 20_000 }));
    expect(await a.backend.renewLocks(entries)).toEqual(["renewed", "lost", "lost"]);
    expect(await a.backend.inspectLock("x")).toMatchObject({ expiresInMs: anyNumber, waiters: 0 });
    expect((await a.backend.inspectLock("x"))?.expiresInMs).toBeGreaterThan(19_000);
    expect(await a.backend.renewLocks([])).toEqual([]);
  });

  test("[L7] a cancelled waiter leaves nothing", async () => {
    await a.turn("x").granted();
    const turn = b.turn("x");
    await turn.ask();
    expect(await turn.cancel()).toEqual({ status: "cancelled" });
    expect((await server.keys()).filter((key) => /queue|asks/.test(key))).toEqual([]);
  });

  test("listing: locks with holders and waiters", async () => {
    await server.command("SET", "t:lock:{l:foreign}", "token");
    await server.command("RPUSH", "t:lock:{l:list}", "x");
    const turn = a.turn("l:1");
    const fence = await turn.granted({ fences: 2 });
    await b.turn("l:1").ask();
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
      a.turn("x").ask(),
      a.turn("x").release(),
      a.backend.inspectLock("x"),
    )) {
      expect(error.code).toBe("CORRUPT_STATE");
      expect(error.outcome).toBe("none");
      expect(error.message).toContain('"x"');
    }
    expect(await server.command("TYPE", "t:lock:{x}")).toBe("list");
  });
});

describe("what is sent", () => {
  test("[L8] an uncontended lock is two EVALSHA and nothing else", async () => {
    const proxy = await startProxy(server);
    const client = await new TestClient(proxy.url).listening();
    await client.turn("warm").granted();
    await client.backend.releaseLock("warm", "nobody", {}, client.receipt());
    proxy.seen.length = 0;
    for (let n = 0; n < 100; n += 1) {
      const turn = client.turn("x");
      await turn.granted();
      await turn.release();
    }
    expect(proxy.seen.map((command) => command.name)).toEqual(
      Array.from({ length: 100 }, () => ["acquire", "release"]).flat(),
    );
    await client.backend.close();
    await proxy.close();
  });

  test("[S4] two calls on one id in one tick: the second finds what the first did", async () => {
    const client = await new TestClient(server.url).listening();
    const turn = client.turn("twice");
    await turn.granted();
    const save = (text: string) =>
      client.backend.releaseLock(
        "twice",
        turn.ticket,
        { write: { kind: "save", bytes: Buffer.from(text), serializer: "json", ttlMs: "none" } },
        client.receipt(),
      );
    const [first, second] = await Promise.all([save("1"), save("2")]);
    expect([first.status, second.status]).toEqual(["released", "lost"]);
    expect(String(await server.command("GET", "t:state:{twice}"))).toMatch(/\n1$/);
    await client.backend.close();
  });

  test("the calls of one tick leave as one pipeline, and each has its own answer", async () => {
    const proxy = await startProxy(server);
    const client = await new TestClient(proxy.url).listening();
    await server.command("RPUSH", "t:lock:{bad}", "x");
    await client.turn("warm").granted();
    await client.saved("good", save("1"));
    const chunks = proxy.chunks;
    const answers = await Promise.allSettled([
      ...Array.from({ length: 20 }, (_, n) => client.turn(`x${String(n)}`).granted()),
      client.turn("bad").granted(),
      client.load("good"),
      client.saved("new", save("2")),
    ]);
    expect(proxy.chunks - chunks).toBe(1);
    expect(answers.map((answer) => answer.status)).toEqual([
      ...Array<string>(20).fill("fulfilled"),
      "rejected",
      "fulfilled",
      "fulfilled",
    ]);
    expect(answers[20]).toMatchObject({ reason: { code: "CORRUPT_STATE" } });
    expect(answers[21]).toMatchObject({ value: "1" });
    await client.backend.close();
    await proxy.close();
  });

  test("the life of receipts is renewed now and then, and is never shorter than asked for", async () => {
    const turn = a.turn("x");
    for (let n = 1; n <= 20; n += 1) {
      await a.write("x", save("1"), { sequence: 0, n, keepMs: 4_000 });
      expect(Number(await server.command("PTTL", `t:done:${a.backend.clientId}`))).toBeGreaterThan(4_000);
    }
    const calls = (await server.calls())["pexpire"] ?? 0;
    for (let n = 21; n <= 40; n += 1) await a.write("x", save("1"), { sequence: 0, n, keepMs: 4_000 });
    expect(((await server.calls())["pexpire"] ?? 0) - calls).toBeLessThanOrEqual(1);
    await a.write("x", save("1"), { ...turn.receipt, sequence: 0, n: 41, keepMs: 60_000 });
    expect(Number(await server.command("PTTL", `t:done:${a.backend.clientId}`))).toBeGreaterThan(60_000);
  });

  test("scripts that the server has forgotten are loaded, and nobody notices", async () => {
    await a.listening();
    const answers = [];
    for (let n = 0; n < 3; n += 1) {
      if (n === 2) await server.restart("empty");
      else await server.command("SCRIPT", "FLUSH");
      const turn = a.turn("x");
      if (n === 2) await a.backend.ready().catch(() => a.backend.ready());
      const bytes = bytesOf(String(n));
      answers.push((await turn.ask()).status, (await turn.release({ write: save("", { bytes }) })).status);
      expect(await a.load("x")).toBe(String(n));
      await Promise.all(Array.from({ length: 20 }, () => a.saved("y", save("1"))));
    }
    expect(new Set(answers)).toEqual(new Set(["granted", "released"]));
  });
});
