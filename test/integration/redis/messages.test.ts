// Each common cause of a connection that cannot be made has its advice, and the cause itself survives.
//
// Seen failing: with one advice for all, and with `new Error(message)` in the place of the cause.

import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTls } from "node:tls";
import { spawn } from "node:child_process";
import { Redis } from "ioredis";
import { afterEach, describe, expect, test, vi } from "vitest";

import { notConnected } from "../../../src/backends/redis/client/errors.ts";
import { open, type HoldfastError, type Store } from "../../../src/index.ts";
import { freePort, startRedis } from "../../support/redis-server.ts";
import { eventuallyTrue, failure, ownServers } from "./clients.ts";

vi.setConfig({ testTimeout: 60_000 });

const start = ownServers();
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function errorOf(url: string, operationMs = 1_500): Promise<HoldfastError> {
  const store: Store = open(url, { prefix: "t:", operationMs });
  ends.push(() => store.close({ drainMs: 0 }));
  return failure(store.ready());
}

/** Listens until the test is over. */
async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

const tls = join(import.meta.dirname, "connections/tls");
const certificate = {
  cert: readFileSync(join(tls, "localhost.pem")),
  key: readFileSync(join(tls, "key.pem")),
};

interface Case {
  readonly url: () => Promise<string>;
  readonly says: RegExp;
  readonly lasting?: boolean;
  readonly code?: string;
  readonly operationMs?: number;
}

const cases: Record<string, Case> = {
  "nothing listens": {
    url: async () => `redis://127.0.0.1:${String(await freePort())}`,
    says: /cannot be reached \(connect ECONNREFUSED 127\.0\.0\.1:\d+\)\. Nothing is listening there/,
  },
  "a name that is not known": {
    url: async () => "redis://no-such-host.invalid",
    says: /cannot be reached \(.*(ENOTFOUND|EAI_AGAIN) no-such-host\.invalid\)\. The host name could not be resolved/,
  },
  "a socket that does not exist": {
    url: async () => "redis+unix:///no/such/socket",
    says: /ENOENT.*Check the path of the socket/,
  },
  "a path that no server listens on": {
    url: async () => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-socket-"));
      ends.push(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, "redis.sock"), "");
      return Promise.resolve(`redis+unix://${join(folder, "redis.sock")}`);
    },
    says: /ECONNREFUSED.*Nothing is listening on that socket\. .* check the path in the URL/,
  },
  "a web server": {
    url: async () => `redis://${await listen(createHttp())}`,
    says: /Unknown RESP type 72 "H"\)\. What is listening there is not a Redis server/,
    lasting: true,
  },
  "a port that speaks TLS": {
    url: async () => `redis://${await listen(createTls(certificate))}`,
    says: /expects TLS \(rediss:\/\/\)|agree on TLS \(rediss:\/\/\)|not a Redis server/,
  },
  "TLS to a port without": {
    url: async () => `rediss://127.0.0.1:${String((await start()).port)}`,
    says: /does not seem to speak TLS|agree on TLS/,
  },
  "a certificate that is not trusted": {
    url: async () => `rediss://${(await listen(createTls(certificate))).replace("127.0.0.1", "localhost")}`,
    says: /does not trust the certificate .* NODE_EXTRA_CA_CERTS/,
    lasting: true,
  },
  "a port that is silent": {
    url: async () => `redis://${await listen(createServer())}`,
    operationMs: 6_000, // the half of it for an attempt
    says: /no answer within 3000 ms\)\. Check that a Redis server runs there, that no firewall/,
  },
  "no password where one is wanted": {
    url: async () => `redis://127.0.0.1:${String((await start({ password: "p" })).port)}`,
    says: /denies access \(NOAUTH .*\)\. It requires a password: put it in the URL/,
    lasting: true,
    code: "ACCESS_DENIED",
  },
  "a wrong password": {
    url: async () => `redis://:wrong@127.0.0.1:${String((await start({ password: "p" })).port)}`,
    says: /denies access \(WRONGPASS .*\)\. Check the user name and password; in a URL.*percent-encoded/,
    lasting: true,
    code: "ACCESS_DENIED",
  },
};

test.each(Object.entries(cases))("[S5] %s: said, and what to do about it", async (_, one) => {
  const { url, says, lasting = false, code = "UNREACHABLE", operationMs } = one;
  const error = await errorOf(await url(), operationMs);
  expect(error).toMatchObject({ code, outcome: "none" });
  expect(error.message).toMatch(says);
  if (lasting) expect(error).toMatchObject({ lasting });
  expect(error.message).not.toMatch(/\(\)|\.\.$|undefined/);
  if (code === "UNREACHABLE") expect(causes(error).at(-1)).not.toBe(error);
});

function causes(error: unknown): unknown[] {
  const all = [error];
  for (let one = error; one instanceof Error && one.cause !== undefined; one = one.cause) all.push(one.cause);
  return all;
}

test("a client of the user's own, on a port that speaks HTTP: it is not a Redis server", async () => {
  const [host = "", port = ""] = (await listen(createHttp())).split(":");
  const client = new Redis({ host, port: Number(port) });
  client.on("error", () => undefined);
  ends.push(() => client.disconnect());
  const store = open(client, { operationMs: 1_500 });
  ends.push(() => store.close({ drainMs: 0 }));
  const error = await failure(store.ready());
  expect(error).toMatchObject({ code: "UNREACHABLE" });
  expect(error.message).toMatch(/Protocol error.*What is listening there is not a Redis server/);
});

test("a name with two addresses: the causes of both", () => {
  const cause = new AggregateError([
    new Error("connect ECONNREFUSED ::1:1"),
    new Error("connect ECONNREFUSED 127.0.0.1:1"),
  ]);
  const error = notConnected("redis://localhost:1", Object.assign(cause, { code: "ECONNREFUSED" }));
  expect(error.message).toContain(
    "(connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1). Nothing is listening there",
  );
  expect(error.cause).toBe(cause);
});

test.each([
  ["CERT_HAS_EXPIRED", /not valid at this time/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", /is for a different host name/],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", /NODE_EXTRA_CA_CERTS/],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", /NODE_EXTRA_CA_CERTS/],
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /requires a client certificate/],
])("%s is lasting, and has its advice", (code, says) => {
  const error = notConnected("rediss://h:1", Object.assign(new Error("no"), { code }));
  expect(error).toMatchObject({ lasting: true, outcome: "none" });
  expect(error.message).toMatch(says);
});

describe("a server of another kind", () => {
  test("[S1] a Sentinel: said what it is, at once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-sentinel-"));
    const port = await freePort();
    writeFileSync(join(folder, "sentinel.conf"), `port ${String(port)}\nbind 127.0.0.1\ndir ${folder}\n`);
    const redis = await startRedis(); // so that the program is found
    ends.push(() => redis.stop());
    const child = spawn(redis.program, [join(folder, "sentinel.conf"), "--sentinel"], { stdio: "ignore" });
    ends.push(async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
      rmSync(folder, { recursive: true });
    });
    let error = await errorOf(`redis://127.0.0.1:${String(port)}`);
    await eventuallyTrue(async () => {
      if (error.code !== "UNREACHABLE") return true; // it was starting
      error = await errorOf(`redis://127.0.0.1:${String(port)}`);
      return false;
    });
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
    expect(error.message).toMatch(/is a Sentinel.*redis\+sentinel:/);
  });

  test("[S1] a cluster of one node: ready() says it", async () => {
    const server = await start({ more: ["--cluster-enabled", "yes"] });
    await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    await eventuallyTrue(async () =>
      String(await server.command("CLUSTER", "INFO")).includes("cluster_state:ok"),
    );
    const error = await errorOf(server.url);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "none" });
    expect(error.message).toMatch(/is part of a Redis Cluster \(CROSSSLOT/);
  });
});
