// rediss: with a private certificate authority: a whole store works over it, and a server that cannot prove who it is
// learns nothing, neither a command nor the password. The keys are thrown away: tls/make.sh makes them.
//
// Seen failing with `rejectUnauthorized: false` in the socket options of src/backends/redis/client/own-client.ts: both refusals,
// and the process without NODE_EXTRA_CA_CERTS.

import { poll } from "../../../support/poll.ts";
import { createClient } from "@redis/client";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open, type Store } from "../../../../src/index.ts";
import { appUser } from "../../../support/acl.ts";
import { freePort, startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { failures, visible } from "../clients.ts";

const folder = join(import.meta.dirname, "tls");
const ca = readFileSync(join(folder, "ca.pem"), "utf8");

/** A server whose certificate is for that name; it also speaks without TLS, for the harness. */
async function serve(name: "localhost" | "elsewhere"): Promise<{ server: RedisServer; url: string }> {
  const port = String(await freePort());
  const files = ["--tls-cert-file", join(folder, `${name}.pem`), "--tls-key-file", join(folder, "key.pem")];
  const server = await startRedis({
    prefixes: ["holdfast:", "t:"],
    more: ["--tls-port", port, ...files, "--tls-auth-clients", "no"],
  });
  return { server, url: `rediss://${server.credentials}@localhost:${port}` };
}

let right: Awaited<ReturnType<typeof serve>>;
let wrong: Awaited<ReturnType<typeof serve>>;
const stores: Store[] = [];
const openHere = (target: Parameters<typeof open>[0]): Store => {
  const store = open(target, { operationMs: 1_500 });
  stores.push(store);
  return store;
};
const trusted = getCACertificates("default");
const trust = (): void => setDefaultCACertificates([...trusted, ca]);

beforeAll(async () => {
  [right, wrong] = await Promise.all([serve("localhost"), serve("elsewhere")]);
});
afterEach(async () => {
  setDefaultCACertificates(trusted);
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});
afterAll(async () => {
  await right.server.stop();
  await wrong.server.stop();
});

test("a whole store works over TLS, wakes included", async () => {
  trust();
  const [one, other] = [openHere(right.url), openHere(right.url)];
  const grant = await one.lock("x").acquire();
  const waiting = other.lock("x").run(() => other.state("x", { initial: () => 0 }).update((n) => n + 1));
  await poll(async () => (await one.lock("x").inspect())?.waiters).toBe(1);
  await grant.release();
  expect(await waiting).toBe(1);
  const clients = async () =>
    String(await right.server.command("CLIENT", "LIST")).match(/name=holdfast .*user=app/g);
  await poll(clients).toHaveLength(4);
});

test("a client of the user's own brings its own certificate authority", async () => {
  const client = createClient({ url: right.url, socket: { tls: true, ca }, disableClientInfo: true });
  client.on("error", () => {});
  await client.connect();
  const store = openHere(client);
  expect(await store.state("own", { initial: () => 0 }).update((n) => n + 1)).toBe(1);
  await store.close();
  client.destroy();
});

test("NODE_EXTRA_CA_CERTS is all that a process needs", async () => {
  expect(await inOwnProcess({ NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") })).toBe("ready\n");
  expect(await inOwnProcess({})).toBe("UNREACHABLE\n");
});

describe("[P3] a server that cannot prove who it is", () => {
  test.each([
    { why: "another name on its certificate", at: () => wrong, before: trust, says: /altnames/ },
    { why: "an unknown certificate authority", at: () => right, before: () => {}, says: /certificate/ },
  ])("[P3] $why: UNREACHABLE, and it is not told the password, nor is anybody", async (how) => {
    how.before();
    const { server, url } = how.at();
    const before = await heard(server);
    const store = openHere(url);
    for (const error of await failures(
      store.ready(),
      store.state("x").load(),
      store.state("x").save(1),
      store.lock("x").acquire(),
    )) {
      expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
      expect(error.message).toMatch(/rediss:\/\/localhost:\d+ cannot be reached/);
      expect(error.message).toMatch(how.says);
      expect(visible(error)).not.toContain(appUser.password);
    }
    expect(visible(store)).not.toContain(appUser.password);
    expect(await heard(server)).toEqual(before);
  });
});

/** What a server was sent of a login, or of anything after it. */
async function heard(server: RedisServer): Promise<unknown> {
  const { hello, auth, evalsha } = await server.calls();
  return { hello, auth, evalsha };
}

/** What a backend says to `ready()` in a process of its own. */
async function inOwnProcess(env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "idle.ts"), right.url], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  await once(child, "close");
  return said;
}
