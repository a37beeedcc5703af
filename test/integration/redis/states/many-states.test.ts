// RedisBackend through the contract: many states in one call, beside keys that are not what they should be, and on a server
// that is full.
// Seen failing with the defences out: MGET's nil taken for absent (a list) · the highest revision not looked at (revisions
// ahead of the clock) · a lock of another type that fails the whole script · nothing written before the receipt.

import { describe, expect, test } from "vitest";

import { open } from "../../../../src/index.ts";
import type { WriteEntry } from "../../../../src/backends/contract.ts";
import { remove, save, textOf } from "../../../../src/testing/contract-client.ts";
import type { RedisServer } from "../../../support/redis-server.ts";
import { failure, twoClients, type TestClient } from "../clients.ts";

let server: RedisServer;
let a: TestClient;
let b: TestClient;
twoClients({ prefixes: ["t:"] }, (of) => ({ server, a, b } = of));

const large = "x".repeat(20_000);

const write = (writes: Record<string, WriteEntry["write"]>, receipt = a.receipt()) =>
  a.backend.writeStates(
    Object.entries(writes).map(([id, write]) => ({ id, write })),
    receipt,
  );
const load = async (...ids: string[]): Promise<unknown[]> => (await b.backend.loadStates(ids)).map(textOf);

test("[S1] [S6] a key of another type is neither absent nor overwritten", async () => {
  await a.saved("x", save("1"));
  await server.command("RPUSH", "t:state:{y}", "element");
  const list = { unreadable: "a Redis list" };
  expect(await load("x", "y", "z")).toEqual(["1", list, null]);
  const reply = await write({ x: save("2"), y: save("2"), z: remove() });
  expect(reply).toMatchObject({ results: ["saved", { status: "unreadable", ...list }, "absent"] });
  expect(await load("x", "y", "z")).toEqual(["2", list, null]);
});

test("[S2] revisions rise beside one that is ahead of the clock", async () => {
  const ahead = Date.now() * 1_000 + 3_600_000_000;
  await server.command("SET", "t:state:{y}", `hf1 ${ahead} json\n1`);
  const reply = await write({ x: save("1"), y: save("2"), z: save("3") });
  expect(reply).toEqual({
    status: "written",
    revision: ahead + 1,
    results: ["saved", "saved", "saved"],
  });
  const revisions = ["x", "y", "z"].map(async (id) => (await b.stored(id)).revision);
  expect(await Promise.all(revisions)).toEqual([ahead + 1, ahead + 1, ahead + 1]);
});

test("[S2] one with the last revisions that there are is left to a single write", async () => {
  await server.command("SET", "t:state:{y}", "hf1 4099999999999998 json\n1");
  expect(await write({ x: save("1"), y: save("2") })).toMatchObject({ results: ["saved", "busy"] });
});

test.each(["t:lock:{y}", "t:queue:{y}"])("[S6] %s of another type concerns its own id only", async (key) => {
  await server.command("RPUSH", key, "element");
  expect(await write({ x: save("1"), y: save("2"), z: save("3") })).toMatchObject({
    results: ["saved", "busy", "saved"],
  });
  const store = open(server.url, { prefix: "t:", waitMs: 50 });
  const results = await store.saveMany(["x", "y", "z"].map((id) => ({ id, value: 4 })));
  expect(results.map(({ error }) => error?.code)).toEqual([undefined, expect.any(String), undefined]);
  await store.close();
  expect(await load("x", "y", "z")).toEqual(["4", null, "4"]);
});

describe("a full server", () => {
  const full = { code: "OUT_OF_MEMORY", outcome: "none" };

  test.each(["1", large])("[S2] nothing is written, and nothing is left", async (value) => {
    await a.saved("x", save("before", { ttlMs: 60_000 }));
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const receipt = a.receipt();
    const writes = { w: save("1"), x: save(value), y: remove(), z: save(value) };
    for (let attempt = 1; attempt <= 2; attempt += 1)
      expect(await failure(write(writes, receipt))).toMatchObject(full);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    expect(await load("w", "x", "y", "z")).toEqual([null, "before", null, null]);
    expect(await write(writes, receipt)).toMatchObject({ status: "written" });
    expect(await server.command("KEYS", "t:sent:*")).toEqual([]);
  });

  test("[S5] deletes all the same, and remembers it", async () => {
    await a.saved("x", save("1"));
    await server.command("CONFIG", "SET", "maxmemory", "1");
    const receipt = a.receipt();
    const first = await write({ x: remove(), y: remove() }, receipt);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    expect(first).toEqual({ status: "written", revision: null, results: ["deleted", "absent"] });
    await a.saved("x", save("2"));
    expect(await write({ x: remove(), y: remove() }, receipt)).toEqual(first);
    expect(await load("x")).toEqual(["2"]);
  });
});

test("[S5] a script that the server does not know any more is sent again, with what went ahead of it", async () => {
  await write({ x: save("1") });
  await server.command("SCRIPT", "FLUSH");
  expect(await write({ x: save(large), y: save("2") })).toMatchObject({ results: ["saved", "saved"] });
  expect(await load("x", "y")).toEqual([large, "2"]);
});
