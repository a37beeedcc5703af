// RedisBackend through the contract: which commands it sends, and in how many packets, on real servers.

import { describe, expect, test } from "vitest";

import type { RedisServer } from "../../support/redis-server.ts";
import { startProxy } from "../../support/proxy.ts";
import { save, bytesOf } from "../../../src/testing/contract-client.ts";
import { eventuallyTrue, TestClient, twoClients } from "./clients.ts";

let server: RedisServer;
let a: TestClient;
twoClients({ prefixes: ["t:"] }, (of) => ({ server, a } = of));

describe("what is sent", () => {
  test("[L8] an uncontended lock is two EVALSHA and nothing else", async () => {
    const proxy = await startProxy(server);
    const client = await new TestClient(proxy.url).listening();
    await client.ticketFor("warm").granted();
    await client.backend.releaseLock("warm", "nobody", {}, client.receipt());
    proxy.seen.length = 0;
    for (let n = 0; n < 100; n += 1) {
      const turn = client.ticketFor("x");
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
    const turn = client.ticketFor("twice");
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
    await client.ticketFor("warm").granted();
    await client.saved("good", save("1"));
    const chunks = proxy.chunks;
    const answers = await Promise.allSettled([
      ...Array.from({ length: 20 }, (_, n) => client.ticketFor(`x${String(n)}`).granted()),
      client.ticketFor("bad").granted(),
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
    const turn = a.ticketFor("x");
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
      const turn = a.ticketFor("x");
      if (n === 2)
        await eventuallyTrue(() =>
          a.backend.ready().then(
            () => true,
            () => false,
          ),
        );
      const bytes = bytesOf(String(n));
      answers.push((await turn.ask()).status, (await turn.release({ write: save("", { bytes }) })).status);
      expect(await a.load("x")).toBe(String(n));
      await Promise.all(Array.from({ length: 20 }, () => a.saved("y", save("1"))));
    }
    expect(new Set(answers)).toEqual(new Set(["granted", "released"]));
  });
});
