// The ACL rule of docs/redis.md: enough for everything, and nothing in it is too much. Every other test on Redis logs in as
// that user (test/support/acl.ts), so what the rule lacks shows everywhere.
//
// Seen failing with one right taken out of the page: `+zcount` fails every store's first use, `+scan` the listings of the
// contract suites, and both the tests of this file.

import { createClient } from "@redis/client";
import { expect, test } from "vitest";

import { scripts } from "../../../src/backends/redis/scripts/generated.ts";
import { documentedRights, documentedRule } from "../../support/acl.ts";
import { save } from "../../../src/testing/contract-client.ts";
import { type RedisServer } from "../../support/redis-server.ts";
import { poll } from "../../support/poll.ts";
import { ownServers, eventuallyTrue, failure, failures, TestClient, warningsDuring } from "./clients.ts";

const operationMs = 1_500;
const denied = { code: "ACCESS_DENIED", outcome: "none" };

const start = ownServers();

const urlOf = (server: RedisServer, user: string): string =>
  `redis://${user}127.0.0.1:${String(server.port)}`;

/** Makes the user anew, with these rights on the keys and channels of these tests. */
async function user(server: RedisServer, name: string, rights: readonly string[]): Promise<void> {
  await server.command("ACL", "SETUSER", name, "reset", "on", ">pw", "~t:*", "&t:*", ...rights);
}

test("a missing right: ACCESS_DENIED at ready(), and nothing is begun", async () => {
  const all = "on >pw ~t:* &t:* +@all";
  const server = await start({
    acl: [`user nozadd ${all} -zadd`, `user noeval ${all} -evalsha`, `user nokeys on >pw ~other:* &* +@all`],
  });
  for (const user of ["nozadd", "noeval", "nokeys"]) {
    const a = new TestClient(urlOf(server, `${user}:pw@`), { operationMs });
    for (const error of await failures(a.backend.ready(), a.ticketFor("x").ask(), a.write("x", save("1")))) {
      expect(error).toMatchObject(denied);
    }
  }
  expect(await server.keys()).toEqual([]);
});

test("[L8] without the right to subscribe or publish, locks work by asking more often", async () => {
  const server = await start({ acl: ["user silent on >pw ~t:* resetchannels +@all -@dangerous +info"] });
  const [a, b] = [1, 2].map(() => new TestClient(urlOf(server, "silent:pw@"), { operationMs })) as [
    TestClient,
    TestClient,
  ];
  const warnings = await warningsDuring(async (warnings) => {
    await a.backend.ready();
    await eventuallyTrue(() => warnings.length > 0);
    expect(a.backend.askAgainMs).toBe(250);
  });
  expect(warnings).toMatchObject([{ cause: "redis-no-wakes" }]);
  const [mine, theirs] = [a.ticketFor("x"), b.ticketFor("x")];
  await mine.granted();
  expect((await theirs.ask()).status).toBe("waiting");
  await mine.release();
  expect((await theirs.ask()).status).toBe("granted");
});

test("the rights that docs/redis.md names are enough for everything, and each is needed", async () => {
  expect(documentedRule()).toMatch(
    /^user app on >password ~holdfast:\* resetchannels &holdfast:\* -@all (\+\S+ ?)+$/,
  );
  const rights = documentedRights();
  expect(rights.length).toBeGreaterThan(20);
  const server = await start();
  const { url } = server;
  const a = await new TestClient(url, { operationMs }).listening();
  const b = await new TestClient(url, { operationMs }).listening();
  const [mine, theirs] = [a.ticketFor("x"), b.ticketFor("x")];
  await mine.granted();
  await theirs.ask({ load: true });
  await mine.release({ write: save("1") });
  await b.wake("granted");
  await theirs.cancel();
  const ours = async () => String(await server.command("CLIENT", "LIST")).match(/name=holdfast .*user=app/g);
  await poll(ours).toHaveLength(4);
  expect((await a.backend.listStates(null, { idPrefix: "", limit: 10 })).entries).toHaveLength(1);

  const spare = ["+subscribe", "+publish", "+pubsub|numsub", "+scan", "+info", "+wait"]; // the page says what they are for
  const least = rights.filter((right) => !spare.includes(right));
  await user(server, "least", least);
  const enough = new TestClient(urlOf(server, "least:pw@"), { operationMs });
  await enough.backend.ready();
  expect((await enough.ticketFor("y").ask()).status).toBe("granted");

  for (const right of rights.filter((one) => !spare.includes(one))) {
    const others = rights.filter((one) => one !== right);
    await user(server, "less", others);
    await server.command("SCRIPT", "FLUSH");
    const less = new TestClient(urlOf(server, "less:pw@"), { operationMs });
    const refused = await failure(right === "+get" ? less.load("x") : less.backend.ready());
    expect([right, refused.code]).toEqual([right, "ACCESS_DENIED"]);
    await less.backend.close();
  }
}, 60_000);

test("each right that may be left out does what docs/redis.md says that it is for", async () => {
  const rights = documentedRights();
  const server = await start();
  const without = async (right: string): Promise<TestClient> => {
    const others = rights.filter((one) => one !== right);
    expect(others).toHaveLength(rights.length - 1);
    await user(server, `no${right.replaceAll(/\W/g, "")}`, others);
    return new TestClient(urlOf(server, `no${right.replaceAll(/\W/g, "")}:pw@`), { operationMs });
  };

  const noScan = await without("+scan");
  await noScan.saved("x", save("1"));
  expect(await failure(noScan.backend.listStates(null, { idPrefix: "", limit: 9 }))).toMatchObject(denied);

  const noWait = (await without("+wait")).backend;
  const ticket = noWait.awaitReplicas?.(
    { id: "x", ticket: "none", leaseMs: 100 },
    { replicas: 1, timeoutMs: 10_000 }, // a connection of its own is opened within it, on a busy machine, too
  );
  expect(await failure(ticket ?? Promise.resolve())).toMatchObject(denied);

  await server.command("CONFIG", "SET", "maxmemory", "100mb");
  await server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  const evicting = (client: TestClient): Promise<unknown[]> => warningsDuring(() => client.backend.ready());
  expect(await evicting(await without("+info"))).toEqual([]);
  expect(await evicting(new TestClient(server.url, { operationMs }))).toMatchObject([
    { cause: "redis-eviction" },
  ]);

  const [noPublish, waiter] = [await without("+publish"), new TestClient(server.url, { operationMs })];
  await waiter.listening();
  const [mine, theirs] = [noPublish.ticketFor("y"), waiter.ticketFor("y")];
  await mine.granted();
  await theirs.ask();
  await mine.release(); // wakes nobody: the waiter finds out by itself
  expect((await theirs.ask()).status).toBe("granted");
  expect(waiter.wakes).toEqual([]);
});

test("the documented user gets at no key, channel or command that is not ours", async () => {
  const server = await start();
  const client = createClient({ url: server.url, disableClientInfo: true });
  client.on("error", () => {});
  await client.connect();
  const { sha1, text } = scripts.load;
  await client.sendCommand(["SCRIPT", "LOAD", text]);
  for (const forbidden of [
    ["GET", "other:x"],
    ["SET", "other:x", "1"],
    ["EVALSHA", sha1, "1", "other:x"],
    ["PUBLISH", "other:wake:x", ""],
    ["SUBSCRIBE", "other:wake:x"],
    ["PSUBSCRIBE", "*"],
    ["KEYS", "*"],
    ["FLUSHALL"],
    ["CONFIG", "GET", "*"],
    ["SCRIPT", "FLUSH"],
    ["EVAL", "return 1", "0"],
    ["ACL", "WHOAMI"],
    ["CLIENT", "LIST"],
    ["MONITOR"],
    ["SHUTDOWN"],
  ]) {
    await expect(client.sendCommand(forbidden), forbidden.join(" ")).rejects.toThrow(/NOPERM|no permissions/);
  }
  client.destroy();
});
