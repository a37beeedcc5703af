// The transport: connections that break, hang, come back; what was sent and what was not; whose connection it is.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { freePort, startRedis, type RedisServer } from "../../../support/redis-server.ts";
import { type Proxy } from "../../../support/proxy.ts";
import { poll } from "../../../support/poll.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import {
  connections,
  proxiedServer,
  eventually,
  eventuallyTrue,
  failure,
  failures,
  TestClient,
  warningsDuring,
} from "../clients.ts";

const operationMs = 1_500;
/** Where time is measured: a busy machine may take a second more. */
const patient = { operationMs: 6_000 };

let server: RedisServer;
let proxy: Proxy;
proxiedServer((of) => ({ server, proxy } = of));

describe("a connection that breaks", () => {
  test("between calls: the next call works", async () => {
    const a = await new TestClient(proxy.url, { operationMs }).listening();
    for (let n = 0; n < 5; n += 1) {
      proxy.cut();
      await eventually(() => a.saved("x", save(String(n))));
    }
    expect(await a.load("x")).toBe("4");
  });

  test("while the server is away: nothing was done, and the message says where and what to do", async () => {
    const own = await startRedis({ prefixes: ["t:"] });
    const a = await new TestClient(own.url, { operationMs }).listening();
    await own.kill();
    await failure(a.saved("x", save("1"))); // this one may have been on its way
    const error = await failure(a.saved("x", save("1")));
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(error.message).toContain(`redis://127.0.0.1:${String(own.port)} cannot be reached`);
    await own.start();
    await eventually(() => a.saved("x", save("2")));
    await a.listens();
    await own.stop();
  });

  test("a black hole is noticed, and the retry gets through", async () => {
    const a = await new TestClient(proxy.url, patient).listening();
    await a.saved("x", save("1"));
    proxy.blackHole();
    const begun = performance.now();
    const error = await failure(a.load("x"));
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
    expect(performance.now() - begun).toBeLessThan(patient.operationMs / 2);
    expect(await a.load("x")).toBe("1");
  });

  test("a server that hangs is not left alone with a growing heap of commands", async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    server.pause();
    const calls = Array.from({ length: 50 }, () => failure(a.saved("x", save("1"))));
    for (const error of await Promise.all(calls)) expect(error.code).toBe("UNREACHABLE");
    const waiting = failure(a.load("x"));
    expect((await waiting).outcome).toBe("none"); // it found no connection
    server.resume();
    await eventually(() => a.saved("x", save("2")));
  });

  test("[S5] what was never sent is not sent later", async () => {
    proxy.frozen = true;
    const a = new TestClient(proxy.url, { operationMs });
    expect(await failure(a.ticketFor("x").granted())).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    proxy.frozen = false;
    proxy.cut();
    await eventually(() => a.backend.ready());
    expect(proxy.seen.map((command) => command.name)).not.toContain("acquire");
  });

  test("commands of one connection that breaks fail each on its own, and later ones wait for the next", async () => {
    const a = await new TestClient(proxy.url, { operationMs }).listening();
    proxy.strike("acquire", "lose-request", 5);
    const calls = Array.from({ length: 10 }, (_, n) => a.ticketFor(`x${String(n)}`).ask());
    const settled = await Promise.allSettled(calls);
    expect(
      settled.every(
        (one) => one.status === "fulfilled" || (one.reason as { code: string }).code === "UNREACHABLE",
      ),
    ).toBe(true);
    expect((await a.ticketFor("y").ask()).status).toBe("granted");
  });
});

describe("wakes", () => {
  test("[L8] a subscription that was killed comes back, and says that wakes may be missing", async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    expect(a.backend.askAgainMs).toBe(5_000);
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await a.wake("again");
    await a.listens();
    const b = new TestClient(server.url, { operationMs });
    await a.ticketFor("x").granted();
    await b.ticketFor("x").ask();
    await a.wake("wanted");
    await poll(() => connections(server)).toEqual({ commands: 2, wakes: 2 });
  });

  test("[L9] a waiter whose subscription is down does not rely on it, and is handed the lock all the same", async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    const b = await new TestClient(proxy.url, { operationMs }).listening();
    proxy.fault = (command) => (command.name === "SUBSCRIBE" ? "lose-request" : undefined);
    await server.command("CLIENT", "KILL", "TYPE", "pubsub");
    await eventuallyTrue(() => b.backend.askAgainMs === 250);
    await eventuallyTrue(() => proxy.seen.filter((command) => command.name === "SUBSCRIBE").length > 1);
    const [mine, theirs] = [a.ticketFor("x"), b.ticketFor("x")];
    await mine.granted();
    await theirs.ask();
    await mine.release();
    expect(await a.backend.inspectLock("x")).toMatchObject({ holder: { token: theirs.ticket } });
    expect(await theirs.ask()).toMatchObject({ status: "granted" });
  });

  test("[L8] who cannot subscribe is warned, once, and asks more often, until it can", async () => {
    const cannot = (): void => {
      proxy.fault = (command) => (command.name === "SUBSCRIBE" ? "lose-request" : undefined);
    };
    cannot();
    const a = new TestClient(proxy.url, { operationMs });
    const warnings = await warningsDuring(async (warnings) => {
      await a.backend.ready();
      await eventuallyTrue(() => warnings.length > 0);
      for (let round = 0; round < 2; round += 1) {
        expect(a.backend.askAgainMs).toBe(250);
        proxy.fault = () => undefined;
        await a.listens();
        cannot();
        const failed = proxy.seen.length;
        await server.command("CLIENT", "KILL", "TYPE", "pubsub");
        await eventuallyTrue(
          () => proxy.seen.slice(failed).filter(({ name }) => name === "SUBSCRIBE").length > 3,
        );
      }
    });
    expect(warnings).toMatchObject([{ cause: "redis-no-wakes" }]);
  });

  test("[P1] what does not look like a wake is passed over", async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    for (const message of ["", "nonsense", "granted", "granted x\n", "granted a b c d e f g\n", "\u0000\n"]) {
      await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, message);
    }
    await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, "wanted host:1:x:1 a b");
    expect(await a.wake("wanted")).toMatchObject({ id: "a b" });
    expect(a.wakes.map((wake) => wake.kind)).toEqual(["wanted"]);
  });
});

describe("ready and close", () => {
  test("nobody listens there: says host and port, soon", async () => {
    const port = await freePort();
    const a = new TestClient(`redis://127.0.0.1:${String(port)}`, patient);
    const begun = performance.now();
    const error = await failure(a.backend.ready());
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(error.message).toContain(`127.0.0.1:${String(port)}`);
    expect(performance.now() - begun).toBeLessThan(patient.operationMs);
  });

  test("a host that does not answer: in time", async () => {
    proxy.frozen = true;
    const a = new TestClient(proxy.url, patient);
    const begun = performance.now();
    expect(await failure(a.backend.ready())).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(performance.now() - begun).toBeLessThan(patient.operationMs);
  });

  test("a host without a name", async () => {
    const error = await failure(
      new TestClient("redis://no-such-host.invalid:1234", { operationMs }).backend.ready(),
    );
    expect(error.message).toContain("redis://no-such-host.invalid:1234");
  });

  test("[P2] close ends our connections, and calls after it are refused", async () => {
    const a = await new TestClient(server.url, { operationMs }).listening();
    await poll(() => connections(server)).toEqual({ commands: 1, wakes: 1 });
    const pending = Promise.allSettled([a.ticketFor("x").ask(), a.load("x")]);
    await new Promise<void>((resolve) => process.nextTick(resolve)); // they are sent at the end of the tick
    await a.backend.close();
    for (const one of await pending)
      expect(one).toMatchObject({ status: "rejected", reason: { code: "UNREACHABLE", outcome: "unknown" } });
    await poll(() => connections(server)).toEqual({ commands: 0, wakes: 0 });
    for (const error of await failures(
      a.backend.ready(),
      a.load("x"),
      a.ticketFor("x").ask(),
      a.backend.renewLocks([{ id: "x", ticket: "t", leaseMs: 1 }]),
    )) {
      expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
      expect(error.message).toContain("closed");
    }
    await a.backend.close();
  });

  test("[P2] close while connecting leaves no connection", async () => {
    const clients = Array.from({ length: 10 }, () => new TestClient(server.url, { operationMs }));
    const calls = clients.map((client) => client.backend.ready().catch(() => undefined)); // some will be in time
    const delays = [0, 0, 1, 1, 2, 2, 3, 4, 5, 6];
    const closed = clients.map(async (client, n) => {
      for (let turn = 0; turn < (delays[n] ?? 0); turn += 1) await new Promise(setImmediate);
      await client.backend.close();
    });
    await Promise.all(closed);
    await Promise.all(calls);
    await poll(() => connections(server)).toEqual({ commands: 0, wakes: 0 });
  });

  test.each(["connected", "away"])(
    "[P1] an idle backend does not keep its process alive: %s",
    async (how) => {
      const url = how === "away" ? `redis://127.0.0.1:${String(await freePort())}` : server.url;
      const file = join(import.meta.dirname, "idle.ts");
      const child = spawn(process.execPath, [file, url], { stdio: ["ignore", "pipe", "pipe"] });
      let said = "";
      child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const [status] = (await once(child, "exit")) as [number];
      expect({ status, said }).toEqual({ status: 0, said: how === "away" ? "UNREACHABLE\n" : "ready\n" });
    },
  );
});
