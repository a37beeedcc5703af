// A client of ioredis at the edges: what it refuses by itself, modes in which it sends nothing, wrappers of it, and many
// stores on one.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis, type RedisOptions } from "ioredis";
import { afterEach, expect, test } from "vitest";

import { save } from "../../../../src/testing/contract-client.ts";
import { appUser } from "../../../support/acl.ts";
import { type Proxy as RedisProxy } from "../../../support/proxy.ts";
import { eventuallyTrue, failure, proxiedServer, TestClient } from "../clients.ts";

const root = join(import.meta.dirname, "../../../..");
const operationMs = 1_500;

let proxy: RedisProxy;
proxiedServer((of) => ({ proxy } = of));

const owned = new Set<Redis>();
afterEach(() => {
  for (const client of owned) client.disconnect();
  owned.clear();
});

const app = { username: appUser.name, password: appUser.password, disableClientInfo: true };
function keep(client: Redis): Redis {
  owned.add(client);
  client.on("error", () => {});
  return client;
}

test("[S5] what ioredis did not take was not done: a stream that has ended, and no queue", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app, enableOfflineQueue: false }));
  const a = await new TestClient(own, { operationMs }).listening();
  (own as unknown as { stream: { end(): void } }).stream.end();
  expect(await failure(a.load("x"))).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
});

test("[P1] stores that are closed at any moment leave no timer that keeps the process alive", async () => {
  const program = `
    import { Redis } from "ioredis";
    import { open } from "holdfast";
    const client = new Redis(${JSON.stringify({ port: proxy.port, ...app })});
    for (let n = 0; n < 10; n += 1) {
      const store = open(client, { prefix: "t:" });
      await store.state("x").load();
      await store.close();
    }
    await client.quit();
    const closedAt = performance.now();
    process.on("exit", () => console.log(performance.now() - closedAt < 1_990 ? "at once" : "late"));`;
  const options = { cwd: root, encoding: "utf8" } as const;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", program],
    options,
  );
  expect(stdout).toBe("at once\n");
});

test("[S5] a client whose own limit for a command is over: the outcome is unknown", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app, commandTimeout: 100 }));
  const a = await new TestClient(own, { operationMs }).listening();
  proxy.blackHole();
  expect(await failure(a.write("x", save("1")))).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
});

test("[L8] a client that becomes a subscriber later is refused, with advice", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app }));
  const a = await new TestClient(own, { operationMs }).listening();
  await own.subscribe("t:wake:other");
  const error = await failure(a.load("x"));
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
  expect(error.message).toMatch(/in subscriber mode.*client\.duplicate\(\)/);
});

test("[L8] a wrapper whose duplicate() makes something else: waiters ask more often", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app }));
  const odd = new Proxy(own, {
    get(target, name) {
      if (name === "duplicate") return () => ({});
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const a = new TestClient(odd, { operationMs });
  await a.backend.ready();
  await eventuallyTrue(() => a.backend.askAgainMs === 250);
  expect((await a.ticketFor("x").ask()).status).toBe("granted");
});

test("[P2] many stores on one client: one listener for each event, and none when they are closed", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app }));
  const listeners = (): number[] =>
    ["close", "end", "error", "ready", "select"].map((event) => own.listenerCount(event));
  const before = listeners();
  const stores = Array.from({ length: 12 }, () => new TestClient(own, { operationMs }));
  await Promise.all(stores.map((store) => store.listening()));
  for (const [index, count] of listeners().entries())
    expect(count).toBeLessThanOrEqual((before[index] ?? 0) + 1);
  await Promise.all(stores.slice(1).map(({ backend }) => backend.close()));
  proxy.cut();
  await stores[0]?.listens();
  await stores[0]?.backend.close();
  expect(listeners()).toEqual(before);
});

test("[S1] numbers that arrive as strings are refused by what the client does, if its options do not tell", async () => {
  const own = keep(new Redis({ port: proxy.port, ...app, stringNumbers: true }));
  const discreet = new Proxy(own, {
    get(target, name) {
      if (name === "options") return { ...target.options, stringNumbers: false };
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const error = await failure(new TestClient(discreet, { operationMs }).backend.ready());
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
  expect(error.message).toMatch(/a number was requested, but it returned a string/);
});

test("its name says where the server is, without the password [P3]", () => {
  const nameOf = (options: RedisOptions): string =>
    new TestClient(keep(new Redis({ lazyConnect: true, ...options }))).backend.name;
  expect(nameOf({ host: "h", port: 1, db: 2, password: "secret" })).toBe("redis://h:1/2");
  expect(nameOf({ host: "h", tls: {} })).toBe("rediss://h:6379");
  expect(nameOf({ path: "/run/redis.sock" })).toBe("redis+unix:///run/redis.sock");
  expect(nameOf({ sentinels: [{ host: "a" }, { host: "b", port: 2 }], name: "main" })).toBe(
    "redis+sentinel://a:26379,b:2/main",
  );
});
