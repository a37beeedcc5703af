// RedisBackend through the contract: how states are kept, written and listed, on real servers.

import { describe, expect, test } from "vitest";

import type { RedisServer } from "../../support/redis-server.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";
import { TestClient, twoClients } from "./clients.ts";

const anyNumber: unknown = expect.any(Number);

const oddPrefix = "od*d?[x]\\:"; // every character that means something in a pattern

let server: RedisServer;
let a: TestClient;
let b: TestClient;
twoClients({ prefixes: ["t:", oddPrefix] }, (of) => ({ server, a, b } = of));

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
    expect(await a.backend.touchState("x", { ttlMs: 5 }, a.receipt())).toEqual({
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
    const loaded = await b.backend.loadState("large", { expiry: false });
    const kept = loaded !== null && "bytes" in loaded && Buffer.from(loaded.bytes).equals(large.subarray(3));
    expect(kept).toBe(true); // a matcher would compare millions of properties, for seconds
  });

  test("[S2] [S7] writes, conflicts, deletes and lives", async () => {
    const revision = await a.saved("x", save("1", { ifRevision: "absent" }));
    expect(await b.write("x", save("2", { ifRevision: "absent" }))).toEqual({ status: "conflict", revision });
    expect(await b.write("x", save("2", { ifRevision: revision }))).toMatchObject({ status: "saved" });
    expect(await b.expiry("x")).toBeNull();
    expect(await a.backend.touchState("x", { ttlMs: 60_000 }, a.receipt())).toEqual({ status: "touched" });
    expect(await a.expiry("x")).toBeGreaterThan(59_000);
    expect(await a.write("x", save("3", { ttlMs: "keep" }))).toMatchObject({ status: "saved" });
    expect(await a.expiry("x")).toBeGreaterThan(59_000);
    expect(await a.write("x", save("3", { ttlMs: 0.4 }))).toMatchObject({ status: "saved" });
    expect(await a.write("x", remove())).toMatchObject({ status: "deleted" }); // it may have expired by now
    expect(await a.backend.touchState("x", { ttlMs: 5 }, a.receipt())).toEqual({ status: "absent" });
    expect(await a.write("x", remove({ ifRevision: 7 }))).toEqual({ status: "conflict", revision: null });
  });

  test("[S2] [L3] what a client has seen is a floor, though the server lost everything", async () => {
    const past2090 = 3_800_000_000_000_000;
    await server.command("SET", "t:stamp", String(past2090));
    const revision = await a.saved("x", save("1"));
    expect(revision).toBe(past2090 + 1);
    await server.command("FLUSHALL");
    const fence = await a.ticketFor("x").granted({ fences: 5 });
    expect(fence).toBe(revision + 1);
    await server.command("FLUSHALL");
    expect(await a.saved("y", save("1"))).toBe(fence + 5);
    await a.ticketFor("x").granted();
    await b.listening();
    const waiter = b.ticketFor("x");
    await waiter.ask();
    expect(await b.load("y")).toBe("1");
    await server.command("DEL", "t:stamp");
    expect(await b.saved("z", save("1"))).toBeGreaterThan(fence + 5); // it loaded y
  });

  test("[S2] [L3] what a wake told is a floor, too", async () => {
    await b.listening();
    const turn = a.ticketFor("x");
    await turn.granted();
    await b.ticketFor("x").ask({ fences: 3 });
    const inAnHour = 1_000 * (Date.now() + 3_600_000);
    await server.command("SET", "t:stamp", String(inAnHour));
    await turn.release();
    expect((await b.wake("granted")).fence).toBe(inAnHour + 1);
    await server.command("FLUSHALL");
    expect(await b.saved("y", save("1"))).toBe(inAnHour + 4);
  });

  test("[S2] [L1] [L3] a wake with stamps more than a day ahead of all replies is a reason to ask, and no floor", async () => {
    await b.listening();
    const [turn, waiting] = [a.ticketFor("x"), b.ticketFor("x")];
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
