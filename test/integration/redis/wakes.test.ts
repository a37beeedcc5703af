// Wakes are hints: what reaches a client, what it relies on, and what it makes of messages that were not sent by us.
//
// Seen failing with the defence taken out:
//   stamp-range.ts without its bound (and bounds.lua with 2^53): "forged";
//   wake-subscription.ts taking "subscribed" for "heard": "elsewhere";
//   wake-subscription.ts without telling those who wait: "from some time on"; if it also says that wakes arrive until it has
//   failed three times: "from the start".

import { afterEach, describe, expect, test } from "vitest";

import { open, type Grant, type Store } from "../../../src/index.ts";
import { makeKeys } from "../../../src/backends/redis/protocol/keys.ts";
import { endOfStamps } from "../../../src/backends/redis/protocol/stamp-range.ts";
import { remove, save } from "../../../src/testing/contract-client.ts";
import { poll } from "../../support/poll.ts";
import { type Proxy } from "../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { waiters } from "../../scenarios/support/locks.ts";
import { eventuallyTrue, proxiedServer, TestClient, warningsDuring } from "./clients.ts";

const operationMs = 3_000;

let server: RedisServer;
let proxy: Proxy;
proxiedServer((of) => ({ server, proxy } = of));

const connected = (): Promise<TestClient> => new TestClient(server.url, { operationMs }).listening();
const wishOf = async (ticket: string): Promise<string | undefined> =>
  String(await server.command("HGET", "t:asks:{x}", ticket)).split(" ")[2];

/** Saves stay readable and can be deleted, by this client and by others, and fences go on rising. */
async function worksAsEver(client: TestClient): Promise<void> {
  const other = new TestClient(server.url, { operationMs });
  const time = 1_000 * Date.now() + 3_600_000_000;
  const fences: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const turn = client.ticketFor("y");
    fences.push(await turn.granted());
    expect(await client.saved("x", save(String(round)))).toBeLessThan(time);
    expect(await other.load("x")).toBe(String(round));
    expect(await turn.release({ write: save("with it") })).toMatchObject({ status: "released" });
    expect(await other.load("y")).toBe("with it");
  }
  expect(fences).toEqual([...new Set(fences)].sort((one, two) => one - two));
  expect(fences.at(-1)).toBeLessThan(time);
  expect(await other.write("x", remove())).toEqual({ status: "deleted", existed: true });
  expect(await client.load("x")).toBeNull();
}

describe("numbers that are no stamps", () => {
  const forged = [endOfStamps - 1, endOfStamps, 2 ** 52 - 2, 2 ** 52 + 7, 2 ** 53 - 1];

  test.each(forged)("[S2] [L3] forged: a wake with the fence %d is passed over", async (fence) => {
    const a = await connected();
    await server.command(
      "PUBLISH",
      `t:wake:${a.backend.clientId}`,
      `granted h:1:x:1 ${fence} 2 9000 0 - x\n`,
    );
    await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, "wanted h:1:x:1 x");
    await a.wake("wanted");
    expect(a.wakes).toHaveLength(1);
    await worksAsEver(a);
  });

  test("[S2] [L3] forged: a wake just below the last stamp leaves revisions where they are, and rising", async () => {
    const a = await connected();
    const fence = String(endOfStamps - 1_000);
    await server.command(
      "PUBLISH",
      `t:wake:${a.backend.clientId}`,
      `granted h:1:x:1 ${fence} 2 9000 0 - x\n`,
    );
    await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, "wanted h:1:x:1 x");
    await a.wake("wanted");
    const revisions: number[] = [];
    for (let n = 0; n < 1_100; n += 1) revisions.push(await a.saved("x", save(String(n))));
    expect(revisions).toEqual(revisions.toSorted((one, two) => one - two));
    expect(revisions.at(-1)).toBeLessThan(1_000 * (Date.now() + 86_400_000));
  });

  test.each(forged.slice(1))("[S2] [L3] planted: a stamp of %d is replaced by time", async (stamp) => {
    const a = await connected();
    await server.command("SET", "t:stamp", String(stamp));
    await worksAsEver(a);
  });

  test.each(forged.slice(1))(
    "[S6] a state at revision %d is none of ours, and left as it is",
    async (revision) => {
      const a = await connected();
      const planted = `hf1 ${String(revision)} json\n1`;
      await server.command("SET", "t:state:{x}", planted);
      expect(await a.backend.loadState("x", { expiry: false })).toHaveProperty("unreadable");
      expect(await a.write("x", save("2"))).toMatchObject({ status: "unreadable" });
      expect(await server.command("GET", "t:state:{x}")).toBe(planted);
    },
  );

  test("[L1] a grant of a size that no server gives is passed over", async () => {
    const a = await connected();
    const fence = String(1_000 * Date.now());
    for (const terms of ["1025 9000", "0 9000", "1.5 9000", "1 10001", "1 0", "1 -5", "1 1e99", "1 x"]) {
      const message = `granted h:1:x:1 ${fence} ${terms} 0 - x\n`;
      await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, message);
    }
    await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, "wanted h:1:x:1 x");
    await a.wake("wanted");
    expect(a.wakes).toHaveLength(1);
  });
});

describe("a subscription", () => {
  test("[L8] [L9] elsewhere: asks do not rely on it, one warning says why; once it is right, they do", async () => {
    const replica = await startRedis({ prefixes: ["t:"], replicaOf: server });
    try {
      await poll(async () => String(await replica.command("INFO", "replication"))).toContain(
        "link_status:up",
      );
      proxy.subscribersTo = replica;
      const a = new TestClient(proxy.url, { operationMs });
      const warnings = await warningsDuring(async (warned) => {
        await a.backend.ready();
        await eventuallyTrue(() => warned.length > 0);
        const made = proxy.seen.filter(({ name }) => name === "SUBSCRIBE").length;
        await eventuallyTrue(() => proxy.seen.filter(({ name }) => name === "SUBSCRIBE").length > made + 1);
      });
      expect(warnings).toMatchObject([
        {
          cause: "redis-no-wakes",
          message: expect.stringContaining("reaches a different server") as unknown,
        },
      ]);
      expect(a.backend.askAgainMs).toBe(250);
      const b = await connected();
      const [mine, theirs] = [b.ticketFor("x"), a.ticketFor("x")];
      await mine.granted();
      await theirs.ask();
      expect(await wishOf(theirs.ticket)).toBe("q");
      await mine.release();
      expect(await b.backend.inspectLock("x")).toMatchObject({ holder: { token: theirs.ticket } });
      proxy.subscribersTo = undefined;
      await a.listens();
    } finally {
      await replica.stop();
    }
  });

  test("[L8] [L9] that is gone at the server is noticed at the next ask, which is not passed over, and made anew", async () => {
    const a = await new TestClient(proxy.url, { operationMs }).listening();
    const b = await connected();
    const held = b.ticketFor("x");
    await held.granted();
    proxy.orphanSubscribers();
    const turn = a.ticketFor("x");
    expect(a.backend.askAgainMs).toBe(5_000);
    expect(await turn.ask()).toMatchObject({ status: "waiting" });
    expect(a.backend.askAgainMs).toBe(250);
    await a.wake("again");
    expect(await wishOf(turn.ticket)).toBe("q");
    await held.release();
    expect(await b.backend.inspectLock("x")).toMatchObject({ holder: { token: turn.ticket } });
    await a.listens();
    expect(await turn.ask()).toMatchObject({ status: "granted" });
  });

  test("[L1] [L8] that may not be tested: one warning says why, and a grant that is heard only makes those who wait ask", async () => {
    await server.command("ACL", "SETUSER", "app", "-pubsub");
    try {
      const a = new TestClient(server.url, { operationMs });
      const warnings = await warningsDuring(async (warned) => {
        await a.backend.ready();
        await eventuallyTrue(() => warned.length > 0);
      });
      expect(warnings).toMatchObject([
        {
          cause: "redis-no-wakes",
          message: expect.stringMatching(/cannot be tested.*NOPERM.*pubsub/) as unknown,
        },
      ]);
      await a.wake("again"); // from now on those who wait ask often
      expect(a.backend.askAgainMs).toBe(250);
      const message = `granted h:1:x:1 ${String(1_000 * Date.now())} 1 9000 0 - x\n`;
      await server.command("PUBLISH", `t:wake:${a.backend.clientId}`, message);
      await a.wake("again", 2);
      expect(a.wakes.map(({ kind }) => kind)).not.toContain("granted");
    } finally {
      await server.command("ACL", "SETUSER", "app", "+pubsub|numsub");
    }
  });
});

describe("hints", () => {
  const sharesChannelWith = (id: string): string => {
    const { hints } = makeKeys("t:", "any");
    for (let n = 0; ; n += 1) if (hints(`other-${String(n)}`) === hints(id)) return `other-${String(n)}`;
  };

  test("[E2] of an id that shares its channel with a watched one do not reach the client", async () => {
    const [a, b] = [await connected(), await connected()];
    const other = sharesChannelWith("x");
    await a.backend.watch("x");
    await b.backend.watch(other);
    await b.saved(other, save("1"));
    await b.wake("changed");
    await b.saved("x", save("1"));
    expect(await a.wake("changed")).toEqual({ kind: "changed", id: "x" });
  });
});

describe("channels that a user may not use", () => {
  /** Less than the 5 s after which it would ask anyway. */
  const promptMs = 3_500;
  const stores: Store[] = [];
  const connect = (url: string): Store => {
    const store = open(url, { prefix: "t:" });
    stores.push(store);
    return store;
  };
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  });
  /** How long the waiter takes to enter when the holder leaves. */
  async function takes(waiting: Promise<Grant>, held: Grant): Promise<number> {
    const from = performance.now();
    expect(await held.release()).toBe(true);
    await (await waiting).release();
    return performance.now() - from;
  }

  test("[L8] from the start, as by Redis's default: who waits has the lock soon after its release", async () => {
    await server.command("ACL", "SETUSER", "plain", "reset", "on", ">pw", "resetchannels", "~t:*", "+@all");
    const held = await connect(server.url).lock("x").acquire();
    const waiter = connect(`redis://plain:pw@127.0.0.1:${String(server.port)}`);
    const waiting = waiter.lock("x").acquire();
    await poll(() => waiters(waiter, "x")).toBe(1);
    expect(await takes(waiting, held)).toBeLessThan(promptMs);
  });

  test("[L8] from some time on: who waits by then, too", async () => {
    const rights = ["resetchannels", "~t:*", "+@all"];
    await server.command("ACL", "SETUSER", "plain", "reset", "on", ">pw", "&t:*", ...rights.slice(1));
    const held = await connect(server.url).lock("x").acquire();
    const waiter = connect(`redis://plain:pw@127.0.0.1:${String(server.port)}`);
    const waiting = waiter.lock("x").acquire();
    await poll(async () => String(await server.command("HVALS", "t:asks:{x}"))).toContain(" qp ");
    const warnings = await warningsDuring(async (warned) => {
      await server.command("ACL", "SETUSER", "plain", ...rights);
      await eventuallyTrue(() => warned.length > 0);
    });
    expect(warnings).toMatchObject([{ cause: "redis-no-wakes" }]);
    expect(await takes(waiting, held)).toBeLessThan(promptMs);
  });
});
