// A client that follows its slot, on servers that redirect: what it connects to, how often, and what it says.
//
// Seen failing: a subscription follows each redirection at once; a late reply of the connection that was left replaces the
// new one; a subscription that was left redirects; a password of an error reply is shown.

import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";

import type { Subscriber } from "../../../../src/backends/redis/client/client-port.ts";
import { ClusterLocator } from "../../../../src/backends/redis/client/locate/cluster-locator.ts";
import { OwnClient } from "../../../../src/backends/redis/client/own-client.ts";
import { replyFailure } from "../../../../src/backends/redis/client/errors.ts";
import type { ServerConnection } from "../../../../src/backends/redis/client/socket.ts";
import { bulk, failure, startFakeServer, type FakeServer } from "../../../support/fake-server.ts";
import { poll } from "../../../support/poll.ts";

const servers: FakeServer[] = [];
const clients: OwnClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const server of servers.splice(0)) await server.stop();
});

type Answers = (name: string) => string | undefined;

/** A node that says of itself that it owns all slots; what else it answers is up to the test. */
async function node(answer: Answers): Promise<{ port: number }> {
  let port = 0;
  const server = await startFakeServer((name) => {
    if (name === "CLUSTER") return slotsAt(port);
    return answer(name);
  });
  servers.push(server);
  port = Number(new URL(server.url).port);
  return { port };
}

const slotsAt = (port: number): string =>
  `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n${bulk("127.0.0.1")}:${port}\r\n`;

function clientOf(ports: readonly number[], password?: string): OwnClient {
  const nodes = ports.map((port) => ({ host: "127.0.0.1", port, tls: false }));
  const address = { name: "test", server: { nodes }, username: undefined, password, database: 0 };
  const client = new OwnClient(address, { operationMs: 20_000, slot: 0 });
  clients.push(client);
  return client;
}

async function connected(client: OwnClient): Promise<void> {
  await client.connect();
}

function send(client: OwnClient, name: string): Promise<string> {
  const command = { args: [name], bytes: false };
  return client.send(command, { read: String, refused: (message) => `refused: ${message}` });
}

test("a subscription that is redirected again and again waits in between, and says that it is down", async () => {
  let subscribed = 0;
  const { port } = await node((name) => {
    if (name !== "SSUBSCRIBE") return undefined;
    subscribed += 1;
    return failure(`MOVED 0 127.0.0.1:${port}`);
  });
  const client = clientOf([port]);
  await connected(client);
  let downs = 0;
  const subscriber: Subscriber = { message: () => {}, up: () => {}, down: () => void (downs += 1) };
  client.subscribe("{x}:wakes", subscriber);
  await poll(() => downs).toBeGreaterThanOrEqual(3);
  expect(subscribed).toBeLessThanOrEqual(downs + 2);
});

test("so does one of a package that only says that the channel has moved", async () => {
  let subscribed = 0;
  const connectTo = (): ServerConnection => {
    let moved = (): void => {};
    return {
      connect: () => turn(),
      destroy: () => undefined,
      on: (event: string, listener: () => void) => {
        if (event === "sharded-channel-moved") moved = listener;
      },
      sendCommand: () => Promise.resolve([[0, 16_383, ["h", 1]]]),
      subscribe: () => Promise.resolve(),
      sSubscribe: () => {
        subscribed += 1;
        moved();
        return Promise.reject(new Error("another node owns the slot of the channel"));
      },
    };
  };
  const server = { nodes: [{ host: "h", port: 1, tls: false }] };
  const address = { name: "test", server, username: undefined, password: undefined, database: 0 };
  const client = new OwnClient(address, { operationMs: 20_000, slot: 0, connectTo });
  clients.push(client);
  await connected(client);
  let downs = 0;
  client.subscribe("{x}:wakes", { message: () => {}, up: () => {}, down: () => void (downs += 1) });
  await poll(() => downs).toBeGreaterThanOrEqual(3);
  expect(subscribed).toBeLessThanOrEqual(downs + 2);
});

test("a late reply from a connection that was left leaves the new one alone", async () => {
  const { port } = await node((name) => {
    if (name === "HANG") return "";
    return name === "MOVED" ? failure(`MOVED 0 127.0.0.1:${port}`) : undefined;
  });
  const client = clientOf([port]);
  await connected(client);
  const moved = send(client, "MOVED");
  const hanging = send(client, "HANG").catch(() => "broken");
  expect(await moved).toMatch(/MOVED/);
  await connected(client);
  await sleep(550); // for so long, a connection counts as new, and is left alone in any case
  client.reconnect(); // as for a reply that says that its server does not decide
  expect(client.connect()).toBeUndefined();
  expect(await send(client, "PING")).toBe("OK");
  await client.close();
  expect(await hanging).toBe("broken");
});

test("nodes of earlier answers are asked no more; those that were given always are", async () => {
  const asked: string[] = [];
  let round = 0;
  const connectTo = (place: { host: string }): never => {
    asked.push(place.host);
    return {
      on: () => undefined,
      connect: () => Promise.resolve(),
      destroy: () => undefined,
      sendCommand: async () =>
        place.host === "given"
          ? [[0, 16_383, ...Array.from({ length: 12 }, (_, n) => [`of-${round}-${n}`, 1])]]
          : new Promise(() => undefined),
    } as never;
  };
  const nodes = [{ host: "given", port: 1, tls: false }];
  const withoutPassword = (error: Error): Error => error;
  const locator = new ClusterLocator({
    name: "test",
    nodes,
    slot: 0,
    attemptMs: 1_000,
    connectTo,
    withoutPassword,
  });
  for (round = 0; round < 20; round += 1) {
    asked.length = 0;
    await locator.locate();
    expect(asked).toContain("given");
    expect(asked.length).toBeLessThanOrEqual(8);
    for (const host of asked) expect(["given", `of-${round - 1}`]).toContain(host.replace(/-\d+$/, ""));
  }
});

test("[P3] what a node answers is shown without the password that it quotes", async () => {
  const { url, stop } = await startFakeServer((name) =>
    name === "CLUSTER" ? failure("ERR odd request: AUTH s3cret") : undefined,
  );
  servers.push({ url, stop });
  const error: unknown = await clientOf([Number(new URL(url).port)], "s3cret")
    .connect()
    ?.catch((e: unknown) => e);
  expect(String(error)).toContain("AUTH ***");
  expect(String(error)).not.toContain("s3cret");
});

test("[S5] a script that misses a key half-way may have written before", () => {
  const text =
    "ERR Script attempted to access a non local key in a cluster node script: 1f, on @user_script:1.";
  expect(replyFailure("test", text, { phase: "sent" }).outcome).toBe("unknown");
  expect(replyFailure("test", text, { phase: "connecting" }).outcome).toBe("none");
  expect(replyFailure("test", "MOVED 1 a:1", { phase: "sent" }).outcome).toBe("none");
});
