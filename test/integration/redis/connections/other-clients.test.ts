// What is passed to open() and is no client that can serve: refused there, where it can be told by its members or options,
// otherwise at the first use, by what it does. And an answer of a form that no script gives is an error, never "absent" [S1].
//
// Seen failing: startup-checks.ts does not prove bytes → clients of older majors pass ready() and fail later; decode.ts reads
// whatever is no Buffer as absent → the second half.

import { createRequire } from "node:module";

import { createClient, createClientPool, createSentinel } from "@redis/client";
import { createPool } from "generic-pool";
import { Redis } from "ioredis";
import { createClient as createOlder } from "redis-client-1";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { RedisReply } from "../../../../src/backends/redis/client/client-port.ts";
import * as read from "../../../../src/backends/redis/protocol/decode.ts";
import { readInspect } from "../../../../src/backends/redis/protocol/decode-holders.ts";
import { open, type HoldfastError, type RedisClientLike } from "../../../../src/index.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import { appUser } from "../../../support/acl.ts";
import { type RedisServer } from "../../../support/redis-server.ts";
import { failures, ownServers, TestClient } from "../clients.ts";

const start = ownServers();
let server: RedisServer;
const ends: (() => Promise<unknown> | void)[] = [];
beforeEach(async () => {
  server = await start();
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

type Passed = ConstructorParameters<typeof TestClient>[0];

const makeClient = () => createClient({ url: server.url, disableClientInfo: true });
const connected = async (): Promise<ReturnType<typeof makeClient>> => {
  const client = makeClient();
  client.on("error", () => {});
  ends.push(() => client.destroy());
  await client.connect();
  return client;
};

const kinds: Record<string, () => Promise<object>> = {
  "a wrapper of a client of @redis/client 1 (redis 4)": async () => {
    const client = createOlder({ url: server.url });
    client.on("error", () => {});
    ends.push(() => client.disconnect());
    await client.connect();
    return { isReady: true, sendCommand: (args: string[], how: object) => client.sendCommand(args, how) };
  },
  "a wrapper that drops the second argument": async () => {
    const client = await connected();
    return { isReady: true, sendCommand: (args: string[]) => client.sendCommand(args) };
  },
  "a wrapper that makes text of what it sends": async () => {
    const client = await connected();
    return {
      sendCommand: (args: string[], options: object) => client.sendCommand(args.map(String), options),
    };
  },
  "a wrapper that makes buffers of text": async () => {
    const client = await connected();
    return {
      sendCommand: async (args: string[]) => {
        const reply = await client.sendCommand(args);
        return typeof reply === "string" ? Buffer.from(reply) : reply;
      },
    };
  },
};

describe.each(Object.entries(kinds))("%s", (_, make) => {
  test("[S1] scenario 35: is refused by every call, and what is stored is not read as absent", async () => {
    await new TestClient(server.url).saved("x", save("1"));
    const a = new TestClient((await make()) as Passed, { operationMs: 1_500 });
    const { backend } = a;
    for (const error of await failures(
      backend.ready(),
      a.load("x"),
      a.write("x", save("2")),
      a.ticketFor("x").ask({ load: true }),
      backend.listStates(null, { idPrefix: "", limit: 10 }),
    )) {
      expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
      expect(error.message).toMatch(
        /a Buffer was requested, but it returned .*Pass a client made by createClient\(\)/,
      );
    }
    expect(await server.command("GET", "t:state:{x}")).toMatch(/\n1$/);
    expect(await server.keys()).not.toContainEqual(expect.stringMatching(/lock|probe/));
  });
});

/** It has no types, and would connect when it is made. */
const { RedisClient: RedisClient3 } = createRequire(import.meta.url)("redis-3") as {
  RedisClient: { prototype: object };
};

/** None of them is connected. */
const atTheDoor: readonly (readonly [what: string, make: () => object, got: string, advice: RegExp])[] = [
  [
    "a pipeline of ioredis",
    () => new Redis({ lazyConnect: true }).pipeline(),
    "a pipeline of ioredis",
    /the client itself/,
  ],
  [
    "an ioredis client with a key prefix",
    () => new Redis({ lazyConnect: true, keyPrefix: "shop:" }),
    "a client of ioredis with keyPrefix",
    /duplicate\(\{ keyPrefix: "" \}\).*open\(client, \{ prefix \}\)/,
  ],
  [
    "an ioredis client with numbers as strings",
    () => new Redis({ lazyConnect: true, stringNumbers: true }),
    "a client of ioredis with stringNumbers",
    /duplicate\(\{ stringNumbers: false \}\)/,
  ],
  [
    "an ioredis client of replicas",
    () => new Redis({ lazyConnect: true, sentinels: [{ host: "h" }], name: "main", role: "slave" }),
    'a client of ioredis with role: "slave"',
    /duplicate\(\{ role: "master" \}\)/,
  ],
  [
    "an ioredis client that monitors",
    () => new Redis({ lazyConnect: true, monitor: true }),
    "monitor mode",
    /client\.duplicate\(\)/,
  ],
  ["a pool", () => createClientPool(), "createClientPool()", /one connection.*createClient\(\)/],
  [
    "a pool of any clients",
    () => createPool({ create: () => Promise.reject(new Error("none")), destroy: () => Promise.resolve() }),
    "a pool of clients",
    /one connection.*createClient\(\)/,
  ],
  ["a client of redis 4", () => createOlder(), 'a client of "redis" 4', /version 5 or 6/],
  [
    "a client of redis 3",
    () => Object.create(RedisClient3.prototype) as object,
    'a client of "redis" 3',
    /version 5 or 6/,
  ],
  ["a promise of a client", () => Promise.resolve(makeClient()), "a promise", /Await it/],
];

describe("at the door", () => {
  test.each(atTheDoor)("%s is refused, with what was got and what to pass", (_, make, got, advice) => {
    expect(() => open(make() as RedisClientLike)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        outcome: "none",
        message: expect.stringContaining(got) as unknown,
      }),
    );
    expect(() => open(make() as RedisClientLike)).toThrow(advice);
  });

  test("[S5] a Sentinel client that is not connected: nothing was done, and what to do", async () => {
    const client = createSentinel({ name: "main", sentinelRootNodes: [{ host: "127.0.0.1", port: 1 }] });
    const [error] = await failures(new TestClient(client, { operationMs: 1_500 }).backend.ready());
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(error?.message).toContain("connect it first");
  });

  test("an ioredis client that has subscribed is refused", async () => {
    const client = new Redis({ port: server.port, username: appUser.name, password: appUser.password });
    ends.push(() => client.disconnect());
    await client.subscribe("t:wake:other");
    expect(() => open(client)).toThrow(/in subscriber mode.*client\.duplicate\(\)/);
  });
});

test("[S5] a client that selected another database later: told as that, not as a server that lost its memory", async () => {
  const client = await connected();
  await server.command("ACL", "SETUSER", "app", "+select");
  await client.select(3);
  const store = open(client, { prefix: "t:", durability: { replicas: 1, timeoutMs: 500 } });
  const error = await store
    .state("x")
    .save(1)
    .catch((reason: unknown) => reason as HoldfastError);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "unknown" });
  expect((error as HoldfastError).message).toMatch(
    /a different database than its duplicate\(\).*`database: n`/,
  );
  await store.state("x").save(2, { durability: { replicas: 0 } });
  expect(await store.state("x").load()).toBe(2);
  await store.close();
});

describe("answers of another form", () => {
  const request = { leaseMs: 1, queue: true, load: true, fences: 1 };
  const readers: Record<string, (reply: RedisReply) => unknown> = {
    load: read.readLoad,
    acquire: (reply) => read.readAcquire(reply, request),
    release: read.readRelease,
    write: read.readWrite,
    cancel: read.readCancel,
    touch: read.readTouch,
    renew: read.readRenew,
    scan: read.readScan,
    describe: (reply) => read.readDescriptions(["x"], reply, true),
    inspect: (reply) => readInspect("x", reply),
  };
  const odd: RedisReply[] = [
    undefined as unknown as RedisReply,
    "odd",
    true as unknown as RedisReply,
    ["odd"],
  ];
  const more: Record<string, RedisReply[]> = {
    load: [5, ['hf1 1 json\n"text"', -1], [undefined as unknown as RedisReply, -1]],
    acquire: [null, [1, "hf1 1 json\n1"], ["granted", 1], ["waiting", "x", "soon", 1], []],
    release: [null, "kept 1", "released x", "conflict", "kept 1 x 2"],
    write: [1, null, "saved", "saved x", "conflict", "conflict "],
    cancel: [1, null],
    touch: [1, null],
    renew: [null, 2, "1"],
    scan: [null, 5, ["0", "names"], ["0"]],
    describe: [null, 1, ["hf1 1 json\n", 20, -1]],
    inspect: [null, 1, ["x"], ["x", "1", 2]],
  };
  test.each(Object.keys(readers))("[S1] %s: an error that says what came, never an answer", (name) => {
    const reader = readers[name] ?? (() => undefined);
    const strange = name === "describe" ? odd.slice(0, -1) : odd; // a text in its list is the type of a key
    for (const reply of [...strange, ...(more[name] ?? [])]) {
      expect(() => reader(reply), JSON.stringify(reply)).toThrow(
        expect.objectContaining({ code: "CORRUPT_STATE", outcome: "unknown" }),
      );
    }
  });
});
