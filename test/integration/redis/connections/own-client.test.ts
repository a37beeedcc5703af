// The user's own client: what it must be able to do, what it is used for, and that it is left as it is.

import { createClient } from "@redis/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { type RedisServer } from "../../../support/redis-server.ts";
import { poll } from "../../../support/poll.ts";
import { type Proxy as RedisProxy } from "../../../support/proxy.ts";
import { save } from "../../../../src/testing/contract-client.ts";
import {
  connections,
  proxiedServer,
  eventually,
  eventuallyTrue,
  failure,
  TestClient,
  warningsDuring,
} from "../clients.ts";

const operationMs = 1_500;

let server: RedisServer;
let proxy: RedisProxy;
proxiedServer((of) => ({ server, proxy } = of));

describe("the user's own client", () => {
  type Own = ReturnType<typeof makeOwn>;
  const makeOwn = (options: object) => createClient({ url: proxy.url, name: "own", ...options });
  let own: Own;
  // With RESP 2 the package names its connection by a command that Holdfast itself never sends.
  beforeEach(() => server.command("ACL", "SETUSER", "app", "+client|setname"));
  const connected = async (options: object = {}): Promise<Own> => {
    own = makeOwn(options);
    own.on("error", () => {});
    await own.connect();
    return own;
  };
  afterEach(() => own.destroy());

  test.each([2, 3] as const)(
    "[L8] [P2] RESP%i: is used for commands, duplicated for wakes, and never closed",
    async (RESP) => {
      const a = await new TestClient(await connected({ RESP }), { operationMs }).listening();
      const b = await new TestClient(server.url, { operationMs }).listening();
      expect(a.backend.name).toBe(`redis://127.0.0.1:${String(proxy.port)}`);
      const [mine, theirs] = [a.ticketFor("x"), b.ticketFor("x")];
      const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
      await a.saved("x", save("", { bytes }));
      expect(await mine.ask({ load: true })).toMatchObject({
        status: "granted",
        state: { bytes: Buffer.from(bytes) },
      });
      await theirs.ask();
      await a.wake("wanted");
      await mine.release();
      expect(await b.wake("granted")).toMatchObject({ ticket: theirs.ticket });
      await poll(() => connections(server, "own")).toEqual({ commands: 1, wakes: 1 });
      await a.backend.close();
      await eventuallyTrue(async () => (await connections(server, "own")).wakes === 0);
      expect(await own.get("t:state:{x}")).toContain("json");
      expect(await failure(a.load("x"))).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    },
  );

  test("its own options for replies do not matter", async () => {
    const typed = (await connected()).withTypeMapping({ 36: Buffer, 58: String });
    const a = new TestClient(typed, { operationMs });
    await a.saved("x", save("1"));
    expect(await a.load("x")).toBe("1");
    expect((await a.ticketFor("x").ask()).status).toBe("granted");
    expect((await a.backend.listStates(null, { idPrefix: "", limit: 10 })).entries).toHaveLength(1);
  });

  test("what is wrong with it is said, and a command that it did not take was not done", async () => {
    own = makeOwn({});
    own.on("error", () => {});
    const error = await failure(new TestClient(own, { operationMs }).backend.ready());
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    expect(error.message).toContain("connect it first");
  });

  test("what it did not take was not done", async () => {
    own = makeOwn({ disableOfflineQueue: true });
    const bare = { sendCommand: (args: string[], options: object) => own.sendCommand(args, options) };
    const error = await failure(new TestClient(bare, { operationMs }).load("x"));
    expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "none" });
  });

  test("[S5] when it loses its connection the outcome is unknown, and the retry is answered", async () => {
    const a = await new TestClient(await connected(), { operationMs }).listening();
    const receipt = a.receipt();
    proxy.strike("write", "lose-reply");
    expect(await failure(a.write("x", save("1"), receipt))).toMatchObject({
      code: "UNREACHABLE",
      outcome: "unknown",
    });
    const reply = await eventually(() => a.write("x", save("1"), receipt));
    expect(reply).toMatchObject({ status: "saved" });
    expect(await a.write("x", save("1"), receipt)).toEqual(reply);
  });

  test("[L8] one that cannot be duplicated is asked more often", async () => {
    const client = await connected();
    const bare = { sendCommand: (args: string[], options: object) => client.sendCommand(args, options) };
    const a = new TestClient(bare, { operationMs });
    const warnings = await warningsDuring(async (warnings) => {
      await a.backend.ready();
      await eventuallyTrue(() => warnings.length > 0);
      expect(a.backend.askAgainMs).toBe(250);
    });
    expect(warnings).toMatchObject([{ cause: "redis-no-wakes" }]);
    expect((await a.ticketFor("x").ask()).status).toBe("granted");
  });

  test("[L8] one whose duplicate() cannot subscribe is not duplicated again and again", async () => {
    const client = await connected();
    let duplicates = 0;
    const bare = {
      sendCommand: (args: string[], options: object) => client.sendCommand(args, options),
      duplicate: () => ({ nth: (duplicates += 1) }),
    };
    const a = new TestClient(bare, { operationMs });
    const warnings = await warningsDuring(async (warnings) => {
      await a.backend.ready();
      await eventuallyTrue(() => warnings.length > 0);
      await new Promise((resolve) => setTimeout(resolve, 1_500)); // as a failure that may pass, it is tried twice a second
    });
    expect(warnings).toMatchObject([
      {
        cause: "redis-no-wakes",
        message: expect.stringContaining("no duplicate() that can subscribe") as unknown,
      },
    ]);
    expect(duplicates).toBe(1);
    expect((await a.ticketFor("x").ask()).status).toBe("granted");
  });

  test("[L8] a subscription that cannot be tested, for a reason unknown, is tested more and more seldom; one warning says why", async () => {
    const client = await connected();
    const testedAt: number[] = [];
    const odd = new Proxy(client, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (name === "sendCommand")
          return (args: string[], options: object) => {
            if (args[0] !== "PUBSUB") return client.sendCommand(args, options);
            testedAt.push(performance.now());
            return Promise.reject(new Error("ERR this proxy does not do that"));
          };
        return typeof member === "function" ? (member.bind(target) as unknown) : member;
      },
    });
    const a = new TestClient(odd, { operationMs });
    const warnings = await warningsDuring(async (warnings) => {
      await a.backend.ready();
      await eventuallyTrue(() => warnings.length > 0);
    });
    expect(warnings).toMatchObject([
      { cause: "redis-no-wakes", message: expect.stringContaining("this proxy does not do that") as unknown },
    ]);
    const pausesMs = testedAt.slice(1).map((at, nth) => at - (testedAt[nth] ?? at));
    expect(pausesMs.length).toBeGreaterThanOrEqual(3);
    expect(pausesMs[2]).toBeGreaterThan(1_500); // at first 500, then 1000, then 2000
    expect(a.backend.askAgainMs).toBe(250);
  }, 30_000);
});
