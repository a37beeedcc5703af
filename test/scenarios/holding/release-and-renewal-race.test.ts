// Renewal and release race. 10 000 times a lock is released at about the moment at which its lease is due to be
// renewed; and a renewal that was held up on the way arrives after the release. The lock's key is gone each time.
//
// Seen failing with the defence taken out:
// - renew.lua sets the key without looking for a holder: both tests of a late renewal;
// - renew.lua does not compare the ticket: "nor does it lengthen the lease of the next holder";
// - the first of these, and src/scheduling/dispatcher.ts does not end renewal (`unwatch`) before the release is sent: the race on
//   Redis; the same in src/backends/rows/decide.ts and dispatcher.ts: the race on SQLite. Either of the two defences
//   alone is enough for the race; that both are there is proved by the late renewals here, and by "renewal ends before
//   the release is sent" of the exported suite.

import { createClient } from "@redis/client";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { open, type OpenOptions, type Store } from "../../../src/index.ts";
import {
  describeWithoutServer,
  prefix,
  startProxyBefore,
  startServer,
  type TestProxy,
  type TestServer,
} from "../../support/setting.ts";
import { served, type Served } from "../../support/served.ts";

/** Renewals fall due at a third of it; the rest is for a machine that is busy. */
const leaseMs = 900;
const lanes = 1_000;
const rounds = 10_000;

const stores: Store[] = [];
function connect(url: string, options: OpenOptions = { leaseMs }): Store {
  const store = open(url, options);
  stores.push(store);
  return store;
}
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});

interface Race {
  /** Is there a trace of the lock right now? */
  readonly isThere: (id: string) => boolean | Promise<boolean>;
  released: number;
  readonly wrong: string[];
}

/** Round after round: whoever comes next finds the lock free, at once. */
async function lane(store: Store, id: string, race: Race): Promise<void> {
  let clean = true;
  while (race.released < rounds && race.wrong.length === 0) {
    const grant = await store
      .lock(id)
      .tryAcquire()
      .catch(() => undefined);
    if (grant === null && clean) race.wrong.push(`${id} was not free`);
    await sleep(leaseMs / 3 - 35 + Math.random() * 45);
    clean = (await grant?.release().catch(() => false)) === true;
    // On a machine that stood still for longer than the lease, a grant came too late or was lost: another round.
    if (!clean) continue;
    race.released += 1;
    if (await race.isThere(id)) race.wrong.push(`${id} was there after its release`);
  }
}

/** Ten thousand rounds that were released in time; answers what went wrong. */
async function race(store: Store, isThere: Race["isThere"]): Promise<string[]> {
  const state: Race = { isThere, released: 0, wrong: [] };
  await Promise.all(Array.from({ length: lanes }, (_, n) => lane(store, `race ${String(n)}`, state)));
  return state.wrong;
}

describe("Redis", () => {
  let server: TestServer;
  let proxy: TestProxy;
  beforeAll(async () => {
    server = await startServer();
    proxy = await startProxyBefore(server);
  });
  afterEach(() => (proxy.fault = () => undefined));
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  test("[L6] renewal and release race, 10 000 times: the lock's key is gone each time", async () => {
    const store = await connect(proxy.url).ready();
    const admin = createClient({ url: server.adminUrl, disableClientInfo: true });
    admin.on("error", () => {});
    await admin.connect();
    const wrong = await race(store, async (id) => (await admin.exists(`${prefix}lock:{${id}}`)) === 1);
    expect(wrong).toEqual([]);
    // It was a race: a good part of the releases came after a renewal had been sent, and many before.
    const renewals = proxy.seen.filter(({ name }) => name === "renew");
    // Several are one JSON array, which begins with base and count; one alone is arguments of its own.
    const countOf = (operations: string): number =>
      operations.startsWith("[") ? Number((JSON.parse(operations) as unknown[])[1]) : 1;
    const renewed = renewals.map(({ args }) => countOf(args[3 + Number(args[2])] ?? "[]"));
    expect(renewed.reduce((sum, some) => sum + some, 0)).toBeGreaterThan(rounds / 20);
    expect((await server.keys()).filter((key) => /:(lock|queue|asks):/.test(key))).toEqual([]);
    admin.destroy();
  }, 120_000);

  /** Holds back the next renewal, which cuts the connection; answers when that has happened. */
  const holdBackRenewal = (): Promise<void> =>
    new Promise((resolve) => {
      proxy.fault = ({ name }) => {
        if (name !== "renew") return undefined;
        proxy.fault = () => undefined;
        resolve();
        return "hold-back";
      };
    });

  test("[L6] a renewal that arrives after the release does not bring the lock back", async () => {
    const store = await connect(proxy.url).ready();
    for (let round = 0; round < 3; round += 1) {
      const held = holdBackRenewal();
      const grant = await store.lock("late").acquire({ leaseMs: 3_000 }); // the release has to connect again within it
      await held;
      expect(await grant.release()).toBe(true);
      expect(await proxy.deliver()).toHaveLength(1);
      expect((await server.keys()).filter((key) => /:(lock|queue|asks):/.test(key))).toEqual([]);
    }
  });

  test("[L6] [L10] nor does it lengthen the lease of the next holder", async () => {
    const [store, next] = [await connect(proxy.url).ready(), await connect(server.url, {}).ready()];
    const held = holdBackRenewal();
    const grant = await store.lock("late").acquire({ leaseMs: 3_000 });
    await held;
    expect(await grant.release()).toBe(true);
    const theirs = await next.lock("late").acquire({ leaseMs: 1_500 });
    expect(await proxy.deliver()).toHaveLength(1);
    expect((await next.lock("late").inspect())?.expiresInMs).toBeLessThanOrEqual(1_500);
    expect(await theirs.release()).toBe(true);
  });
});

describeWithoutServer("SQLite", () => {
  let backend: Served;
  beforeAll(async () => {
    backend = await served.SQLite();
  });
  afterAll(() => backend.end());

  test("[L6] renewal and release race, 10 000 times: the lock is gone each time", async () => {
    const [store, other] = [await connect(backend.url).ready(), await connect(backend.url).ready()];
    expect(await race(store, async (id) => (await other.lock(id).inspect()) !== null)).toEqual([]);
    for await (const lock of other.locks()) throw new Error(`${lock.id} is held`);
  }, 120_000);
});
