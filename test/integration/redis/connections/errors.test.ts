// Each way in which Redis can refuse has its own code, a message that says where and what to do, and no password.

import { createClient } from "@redis/client";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { replyFailure } from "../../../../src/backends/redis/client/errors.ts";
import { parseAddress } from "../../../../src/backends/redis/client/target-url.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import { type RedisServer } from "../../../support/redis-server.ts";
import {
  ownServers,
  eventually,
  eventuallyTrue,
  failure,
  failures,
  TestClient,
  visible,
  warningsDuring,
} from "../clients.ts";

const operationMs = 1_500;
const secret = "s3cret/p@ss:word%";
const encoded = encodeURIComponent(secret);

const start = ownServers();

const urlOf = (server: RedisServer, user = ""): string => `redis://${user}127.0.0.1:${String(server.port)}`;

function expectNoSecret(...values: unknown[]): void {
  for (const value of values) {
    expect(visible(value)).not.toContain(secret);
    expect(visible(value)).not.toContain(encoded);
  }
}

test("[P3] the right password works, whatever is in it", async () => {
  const server = await start({ password: secret });
  const a = await new TestClient(urlOf(server, `:${encoded}@`), { operationMs }).listening();
  await a.saved("x", save("1"));
  expectNoSecret(a.backend, a.backend.name);
});

test("[P3] a wrong password, or none: ACCESS_DENIED, at once", async () => {
  const server = await start({ password: "another" });
  for (const user of ["", `:${encoded}@`, `default:${encoded}@`, `nobody:${encoded}@`]) {
    const a = new TestClient(urlOf(server, user), { operationMs });
    for (const error of await failures(a.backend.ready(), a.load("x"), a.ticketFor("x").ask())) {
      expect(error).toMatchObject({ code: "ACCESS_DENIED", outcome: "none" });
      expect(error.message).toContain(`redis://127.0.0.1:${String(server.port)}`);
      expect(error.message).toContain(
        user === "" ? "It requires a password" : "Check the user name and password",
      );
      expectNoSecret(error);
    }
  }
});

test("[P3] a server that quotes what it did not understand does not make us tell the password", async () => {
  const server = await start({ more: ["--rename-command", "HELLO", "", "--rename-command", "AUTH", ""] });
  const error = await failure(new TestClient(urlOf(server, `:${encoded}@`), { operationMs }).backend.ready());
  expect(error.code).toBe("ACCESS_DENIED");
  expect(error.message).toMatch(/unknown command/i);
  expectNoSecret(error);
});

test("[P3] a connection that fails does not tell the password", async () => {
  const error = await failure(
    new TestClient(`redis://:${encoded}@127.0.0.1:1`, { operationMs }).backend.ready(),
  );
  expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  expectNoSecret(error);
});

test("[P3] a URL that cannot be used is refused without being shown", () => {
  const bad = [
    "redis://:p4ss@host:port",
    "redis://:p4ss@host/x",
    "redis://:p4ss@host?tls=1",
    "http://:p4ss@host",
    "redis://:p4ss%@host",
    "redis+unix:///s?p4ss=1",
  ];
  for (const url of bad) {
    let error: unknown;
    try {
      parseAddress(url);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(visible(error)).not.toContain("p4ss");
  }
});

test("URLs: host, port, database, user, TLS, sockets", () => {
  const tcp = { tls: false, host: "localhost", port: 6379 };
  const plain = { username: undefined, password: undefined, database: 0 };
  expect(parseAddress("redis://")).toEqual({ ...plain, server: tcp, name: "redis://localhost:6379" });
  expect(parseAddress("redis://u:p%40@h:1/2")).toEqual({
    ...{ username: "u", password: "p@", database: 2 },
    ...{ server: { tls: false, host: "h", port: 1 }, name: "redis://h:1/2" },
  });
  expect(parseAddress("rediss://[::1]")).toMatchObject({
    server: { tls: true, host: "::1" },
    name: "rediss://[::1]:6379",
  });
  expect(parseAddress("redis+unix:///run/my%20redis.sock?db=3")).toMatchObject({
    ...{ server: { path: "/run/my redis.sock" }, database: 3, name: "redis+unix:///run/my redis.sock?db=3" },
  });
});

test("clients of other packages are refused with a reason", () => {
  for (const member of ["defineCommand", "masters", "getMasterNode", "totalClients"]) {
    const other = { sendCommand: () => Promise.resolve(), duplicate: () => ({}), [member]: () => {} };
    expect(() => new TestClient(other)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

test("a Unix socket, and a database of its own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-socket-"));
  const path = join(folder, "redis.sock");
  const server = await start({ more: ["--unixsocket", path] });
  const a = await new TestClient(`redis+unix://${path}?db=3`, { operationMs }).listening();
  await a.saved("x", save("1"));
  expect(a.backend.name).toBe(`redis+unix://${path}?db=3`);
  expect(String(await server.command("INFO", "keyspace"))).toContain("db3:");
  rmSync(folder, { recursive: true });
});

test("a read-only replica: READ_ONLY for what writes, and loads work", async () => {
  const primary = await start();
  await new TestClient(primary.url, { operationMs }).saved("x", save("1"));
  const replica = await start({ replicaOf: primary });
  const a = new TestClient(replica.url, { operationMs });
  await eventuallyTrue(async () => (await a.load("x")) === "1");
  for (const error of await failures(
    a.backend.ready(),
    a.write("x", save("2")),
    a.ticketFor("x").ask(),
    a.ticketFor("x").cancel(),
  )) {
    expect(error).toMatchObject({ code: "READ_ONLY", outcome: "none" });
    expect(error.message).toContain("Connect to the primary");
  }
  await replica.command("REPLICAOF", "NO", "ONE");
  await a.saved("x", save("3"));
  await a.backend.ready();
});

test("a replica that has lost its primary and serves nothing: UNREACHABLE", async () => {
  const primary = await start();
  const replica = await start({ replicaOf: primary, more: ["--replica-serve-stale-data", "no"] });
  await primary.kill();
  const a = new TestClient(replica.url, { operationMs });
  await eventuallyTrue(async () => (await a.load("x").catch(() => "no")) === "no");
  expect(await failure(a.load("x"))).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
});

test("out of memory: OUT_OF_MEMORY for what needs some, and a release works", async () => {
  const server = await start();
  const a = await new TestClient(server.url, { operationMs }).listening();
  const turn = a.ticketFor("x");
  await turn.granted();
  await server.command("CONFIG", "SET", "maxmemory", "1");
  for (const error of await failures(
    a.ticketFor("y").ask(),
    a.write("y", save("1")),
    turn.write(save("1"), a.receipt()),
  )) {
    expect(error).toMatchObject({ code: "OUT_OF_MEMORY", outcome: "none" });
    expect(error.message).toContain("maxmemory");
  }
  expect(await turn.release({ write: save("1") })).toEqual({
    status: "released",
    revision: null,
    failed: "OUT_OF_MEMORY",
  });
  expect(await failure(new TestClient(server.url, { operationMs }).backend.ready())).toMatchObject({
    code: "OUT_OF_MEMORY",
  });
});

test("a server that is busy with somebody's script: UNREACHABLE, nothing done", async () => {
  const server = await start({ more: ["--lua-time-limit", "50"] });
  const a = await new TestClient(server.url, { operationMs: 30_000 }).listening();
  const busy = server.command("EVAL", "while true do end", "0").catch(() => undefined);
  const error = await failure(repeatUntilRefused(() => a.load("x")));
  expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  await server.command("SCRIPT", "KILL");
  await busy;
  expect(await a.load("x")).toBeNull();
});

test("a server that takes no more clients: UNREACHABLE", async () => {
  const server = await start();
  const taken = createClient({ url: server.adminUrl });
  await taken.connect();
  await taken.configSet("maxclients", "1");
  const error = await failure(new TestClient(server.url, { operationMs }).backend.ready());
  expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  taken.destroy();
});

test("a node of a cluster, given as a single server, is refused with a reason", async () => {
  const server = await start({ more: ["--cluster-enabled", "yes"] });
  const error = await failure(new TestClient(server.url, { operationMs }).backend.ready());
  expect(["INVALID_ARGUMENT", "UNREACHABLE"]).toContain(error.code); // CLUSTERDOWN while it has no slots
});

test("eviction is warned of, once; and only where it can happen", async () => {
  const server = await start({ maxmemory: "100mb", more: ["--maxmemory-policy", "allkeys-lru"] });
  const warnings = await warningsDuring(async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    await server.command("CLIENT", "KILL", "TYPE", "normal");
    await eventually(() => a.backend.ready());
  });
  expect(warnings).toMatchObject([{ cause: "redis-eviction" }]);
  expect(warnings[0]?.message).toContain("allkeys-lru");
  for (const setting of [
    ["maxmemory", "0"],
    ["maxmemory-policy", "noeviction"],
  ] as const) {
    await server.command("CONFIG", "SET", "maxmemory", "100mb");
    await server.command("CONFIG", "SET", ...setting);
    expect(await warningsDuring(() => new TestClient(server.url, { operationMs }).backend.ready())).toEqual(
      [],
    );
  }
});

async function repeatUntilRefused(call: () => Promise<unknown>): Promise<never> {
  for (;;) await call();
}

test("[P3] what the server quotes of a command is not shown: it may be a password", () => {
  const quoted = "ERR unknown command 'auth', with args beginning with: 'topsecret'";
  const error = replyFailure("redis://h:1", quoted, { phase: "connecting" });
  expect(visible(error)).not.toContain("topsecret");
  expect(error.message).toMatch(/lacks a command \(ERR unknown command 'auth'\)/);
});
