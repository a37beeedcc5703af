// The Express program of docs/recipes/express-and-fastify.md as two web servers on one Redis: what its table says of a
// process that is killed or stopped while it charges, and of a shutdown in the middle of a request.

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open, type Store } from "holdfast";
import { afterAll, beforeAll, expect, test } from "vitest";

import { root, Workshop } from "../../project/docs/doc-blocks.ts";
import { poll } from "../../support/poll.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";

const workshop = new Workshop();
const running = new Set<ChildProcess>();
let redis: RedisServer;
let store: Store; // of the test, to see who holds what

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
  redis = await startRedis();
  store = open(redis.url);
}, 120_000);

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await store.close();
  await redis.stop();
  rmSync(workshop.folder, { recursive: true, force: true });
});

interface WebServer {
  readonly process: ChildProcess;
  pay(order: string): Promise<{ status: number; text: string }>;
}

/** Runs what the page shows before it tries it; charging takes this long. */
async function startServer(chargeMs: number): Promise<WebServer> {
  const block = workshop.blocks.find(({ name }) => name.startsWith("docs/recipes/express-and-fastify.md"));
  const [server = ""] = (block?.code ?? "").split("// Try it");
  const code = `${changed(changed(server, "sleep(20,", `sleep(${chargeMs},`), "waitMs: 2_000", "leaseMs: 2_000")}
console.log((server.address() as AddressInfo).port);`;
  const cwd = mkdtempSync(join(workshop.folder, "server-"));
  writeFileSync(join(cwd, "server.mts"), code);
  const env = { ...process.env, HOLDFAST_URL: redis.url };
  const child = spawn(process.execPath, ["server.mts"], { cwd, env, stdio: ["ignore", "pipe", "ignore"] });
  running.add(child.once("exit", () => running.delete(child)));
  const [port] = (await once(child.stdout, "data")) as [Buffer];
  return {
    process: child,
    async pay(order) {
      const url = `http://localhost:${String(port).trim()}/orders/${order}/payment`;
      const response = await fetch(url, { method: "POST" });
      return { status: response.status, text: await response.text() };
    },
  };
}

function changed(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`the page no longer has ${from}`);
  return text.replace(from, to);
}

async function isCharging(order: string): Promise<void> {
  await poll(async () => (await store.lock(`payment:${order}`).inspect()) !== null).toBe(true);
}

test("a killed server frees its order, and the next one charges", { timeout: 60_000 }, async () => {
  const [first, second] = await Promise.all([startServer(60_000), startServer(20)]);
  const lost = first.pay("killed").catch(() => "no answer");
  await isCharging("killed");
  expect((await second.pay("killed")).status).toBe(423);
  first.process.kill("SIGKILL");
  expect(await lost).toBe("no answer");
  await poll(async () => (await second.pay("killed")).status).toBe(200);
});

// The signal aborts what charges, or the save is refused: it depends on which timer comes first.
test("a stopped server cannot save its receipt any more", { timeout: 60_000 }, async () => {
  const [first, second] = await Promise.all([startServer(500), startServer(20)]);
  const late = first.pay("stopped");
  await isCharging("stopped");
  first.process.kill("SIGSTOP");
  await poll(async () => (await second.pay("stopped")).status).toBe(200); // once the lease is over
  const paid = await second.pay("stopped");
  first.process.kill("SIGCONT");
  expect(await late).toMatchObject({
    status: 500,
    text: expect.stringMatching(/LockLostError|AbortError/) as string,
  });
  expect(await first.pay("stopped")).toEqual(paid);
});

test("a server that gets SIGTERM answers its request before it ends", { timeout: 60_000 }, async () => {
  const server = await startServer(500);
  const answer = server.pay("ending");
  await isCharging("ending");
  const ended = once(server.process, "exit");
  server.process.kill("SIGTERM");
  expect((await answer).status).toBe(200);
  expect(await ended).toEqual([0, null]);
  expect(await store.lock("payment:ending").inspect()).toBeNull();
});
