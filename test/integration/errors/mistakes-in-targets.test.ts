// The usual mistakes in targets, servers and files, and what is told. docs/guide.md has the table of them. Connections that
// cannot be made have more cases in test/integration/redis/messages.test.ts, certificates in redis/connections/tls.test.ts.

import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";

import { open, type HoldfastError, type OpenOptions } from "../../../src/index.ts";
import { freePort, startRedis, type RedisServer } from "../../support/redis-server.ts";

let redis: RedisServer;
const folder = mkdtempSync(join(tmpdir(), "holdfast-mistakes-"));
const servers: Server[] = [];
beforeAll(async () => {
  redis = await startRedis({ password: "right" });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await redis.stop();
  rmSync(folder, { recursive: true });
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.on("connection", (socket) => socket.on("error", () => undefined).unref());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

const tls = join(import.meta.dirname, "../redis/connections/tls");
const certificate = {
  cert: readFileSync(join(tls, "localhost.pem")),
  key: readFileSync(join(tls, "key.pem")),
};
const file = (name: string): string => join(folder, name);

interface Told {
  readonly target: () => unknown;
  readonly options?: OpenOptions;
  readonly code: string;
  readonly says: RegExp;
}

const mistakes: Record<string, Told> = {
  "host and port without a scheme": {
    target: () => "localhost:6379",
    code: "INVALID_ARGUMENT",
    says: /Did you mean "redis:\/\/localhost:6379"\?/,
  },
  "a redis: URL without //": {
    target: () => "redis:6379",
    code: "INVALID_ARGUMENT",
    says: /redis:\/\/redis:6379/,
  },
  "a path without a scheme": {
    target: () => "data/store.db",
    code: "INVALID_ARGUMENT",
    says: /Did you mean "sqlite:data\/store\.db"\?/,
  },
  "an http: URL": {
    target: () => "http://localhost",
    code: "INVALID_ARGUMENT",
    says: /takes redis:\/\/host:port.*got a "http:" URL/,
  },
  "a # in the password": {
    target: () => "redis://:secret#word@127.0.0.1:6379",
    code: "INVALID_ARGUMENT",
    says: /percent-encode/,
  },
  "a database that is no number": {
    target: () => "redis://127.0.0.1:6379/prod",
    code: "INVALID_ARGUMENT",
    says: /database/,
  },
  "a database out of range": {
    target: () => `${redis.adminUrl}/99`,
    code: "UNREACHABLE",
    says: /has no such database \(.*\)\. Put another one in the URL, or raise the server's `databases`/,
  },
  "nothing listens there": {
    target: async () => `redis://127.0.0.1:${String(await freePort())}`,
    code: "UNREACHABLE",
    says: /ECONNREFUSED.*Nothing is listening there\. Check that a Redis server runs there/,
  },
  "localhost, where neither address listens": {
    target: async () => `redis://localhost:${String(await freePort())}`,
    code: "UNREACHABLE",
    says: /ECONNREFUSED.*Nothing is listening there/,
  },
  "a host name with a typing error": {
    target: () => "redis://redsi.invalid",
    code: "UNREACHABLE",
    says: /redsi\.invalid\)\. The host name could not be resolved/,
  },
  "a port that speaks HTTP": {
    target: async () => `redis://${await listen(createHttp())}`,
    code: "UNREACHABLE",
    says: /not a Redis server\. Check the host and port in the URL/,
  },
  "TLS to a port without": {
    target: () => redis.url.replace("redis:", "rediss:"),
    code: "UNREACHABLE",
    says: /does not seem to speak TLS|agree on TLS/,
  },
  "no TLS to a port with it": {
    target: async () => `redis://${await listen(createTls(certificate))}`,
    code: "UNREACHABLE",
    says: /expects TLS \(rediss:\/\/\)|agree on TLS|not a Redis server/,
  },
  "a self-signed certificate": {
    target: async () =>
      `rediss://${(await listen(createTls(certificate))).replace("127.0.0.1", "localhost")}`,
    code: "UNREACHABLE",
    says: /does not trust the certificate.*NODE_EXTRA_CA_CERTS/,
  },
  "a wrong password": {
    target: () => redis.adminUrl.replace(":right@", ":wrong@"),
    code: "ACCESS_DENIED",
    says: /Check the user name and password/,
  },
  "no password": {
    target: () => redis.adminUrl.replace(":right@", ""),
    code: "ACCESS_DENIED",
    says: /requires a password: put it in the URL/,
  },
  "a cluster without a tag in the prefix": {
    target: () => "redis+cluster://127.0.0.1:7000",
    options: { prefix: "shop:" },
    code: "INVALID_ARGUMENT",
    says: /prefix must have a hash tag.*write "\{shop\}:" instead of "shop:"/,
  },
  "a file below a file": {
    target: () => {
      writeFileSync(file("plain"), "");
      return `sqlite:${file("plain/store.db")}`;
    },
    code: "ACCESS_DENIED",
    says: /plain.*choose another file with open\(target\) or HOLDFAST_URL/,
  },
  "a folder instead of a file": {
    target: () => {
      mkdirSync(file("folder"));
      return `sqlite:${file("folder")}`;
    },
    code: "ACCESS_DENIED",
    says: /choose another file with open\(target\) or HOLDFAST_URL/,
  },
  "a file that is no database": {
    target: () => {
      writeFileSync(file("notes.txt"), "Buy milk. ".repeat(200));
      return `sqlite:${file("notes.txt")}`;
    },
    code: "CORRUPT_STATE",
    says: /notes\.txt.*It was left as it is/,
  },
  "waitMs of the store as a text": {
    target: () => "memory:",
    options: { waitMs: "5s" as never },
    code: "INVALID_ARGUMENT",
    says: /waitMs must be a number of milliseconds.*got "5s"/,
  },
};

test.each(Object.entries(mistakes))("%s", async (_, { target, options, code, says }) => {
  const error = await (async () => {
    await using store = open((await target()) as string, { operationMs: 1_500, ...options });
    await store.ready();
    await store.lock("x").run(() => undefined);
    return undefined;
  })().catch((reason: unknown) => reason as HoldfastError);
  expect(error).toMatchObject({ code, outcome: "none" });
  expect(error?.message).toMatch(says);
  expect(error?.message).not.toMatch(/secret|wrong/);
});

test("a promise of a client: missing await", () => {
  expect(() => open(Promise.resolve({}) as never)).toThrow(/got a promise|[Aa]wait/);
});
