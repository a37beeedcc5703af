// States that go past Lua: what they bring, under which faults, and that nothing is left of them.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createClient } from "@redis/client";

import { open, type Store } from "../../../../src/index.ts";
import { startProxy, type Proxy } from "../../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../../support/redis-server.ts";

const text = (bytes: number): string => "x".repeat(bytes);
interface Value {
  n: number;
  text: string;
}

let server: RedisServer;
let proxy: Proxy;
beforeAll(async () => {
  server = await startRedis();
  proxy = await startProxy(server);
});
afterAll(async () => {
  await proxy.close();
  await server.stop();
});
beforeEach(async () => {
  proxy.fault = () => undefined;
  await server.command("FLUSHALL");
});

const stateOf = (store: Store, bytes: number) =>
  store.state<Value>("x", { initial: () => ({ n: 0, text: text(bytes) }) });
const staged = async (): Promise<string[]> => (await server.keys()).filter((key) => key.includes(":sent:"));

test.each([1_900, 2_048, 2_100, 20_000, 1_000_000])(
  "[S2] [S3] a state of %i bytes is updated by several at once, and nothing is left of what was sent ahead",
  async (bytes) => {
    const stores = [open(server.url), open(server.url)];
    const updates = stores.flatMap((store) =>
      Array.from({ length: 10 }, () => stateOf(store, bytes).run((value) => void (value.n += 1))),
    );
    await Promise.all(updates);
    expect(await stateOf(stores[0]!, bytes).load()).toEqual({ n: 20, text: text(bytes) });
    expect(await staged()).toEqual([]);
    for (const store of stores) await store.close();
  },
);

test("[S3] scripts that the server has forgotten: what is fetched behind one is fetched behind its second try", async () => {
  const [a, b] = [open(proxy.url), open(server.url)];
  await stateOf(a, 5_000).run((value) => void (value.n = 1));
  await stateOf(b, 5_000).run((value) => void (value.n = 1));
  await server.command("SCRIPT", "FLUSH");
  let behind: Promise<unknown> | undefined;
  proxy.fault = ({ name }) => {
    if (name !== "SCRIPT") return undefined;
    behind ??= stateOf(b, 5_000).run((value) => void (value.n = 2)); // between the first try and the second
    return { delayMs: 200 };
  };
  const seen = await stateOf(a, 5_000).run((value) => value.n);
  await behind;
  expect([seen, (await stateOf(b, 5_000).load()).n]).toEqual([2, 2]);
  await Promise.all([a.close(), b.close()]);
});

test("[S5] a value that did not arrive though its script did: the reason is the connection's, and it is tried again", async () => {
  const client = createClient({ url: server.url });
  client.on("error", () => undefined);
  await client.connect();
  const sendCommand = client.sendCommand.bind(client);
  let lost = 0;
  const broken = Object.assign(client, {
    sendCommand: (args: string[], options?: object) =>
      args[0] === "SET" && lost++ === 0
        ? Promise.reject(new Error("Socket closed unexpectedly"))
        : sendCommand(args, options as never),
  });
  const store = open(broken);
  await stateOf(store, 5_000).run((value) => void (value.n += 1));
  await store.state("y").save(text(5_000));
  expect((await stateOf(store, 5_000).load()).n).toBe(1);
  expect(lost).toBeGreaterThan(1);
  await store.close();
  client.destroy();
});

test("[L8] a waiter fetches a large state with its first ask only", async () => {
  const [a, b] = [open(server.url), open(proxy.url)];
  await stateOf(b, 5_000).run((value) => void (value.n = 1));
  const grant = await a.lock("x").acquire({ leaseMs: 60_000 });
  proxy.seen.length = 0;
  const waiting = stateOf(b, 5_000).run((value) => void (value.n += 1));
  await expect
    .poll(() => proxy.seen.filter(({ name }) => name === "acquire").length, { timeout: 9_000 })
    .toBe(2);
  expect(proxy.seen.filter(({ name }) => name === "GET")).toHaveLength(1);
  await grant.release();
  await waiting;
  await Promise.all([a.close(), b.close()]);
}, 20_000);
