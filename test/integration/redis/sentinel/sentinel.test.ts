// A store that finds its primary through Sentinels: nothing is needed of its user when another server takes over.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { LockLostError, open, type OpenOptions, type Store } from "../../../../src/index.ts";
import {
  freePort,
  primaryName,
  startRedis,
  startSentinels,
  type SentinelGroup,
} from "../../../support/faults/index.ts";

vi.setConfig({ testTimeout: 120_000 });

const password = "pw-of-the-sentinels";
let group: SentinelGroup;
const stores: Store[] = [];
const connect = (url = group.url, options: OpenOptions = { operationMs: 15_000 }): Store => {
  const store = open(url, options);
  stores.push(store);
  return store;
};

beforeAll(async () => {
  group = await startSentinels();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
});
afterAll(() => group.stop());

const counter = (store: Store) => store.state<{ n: number }>("counter", { initial: () => ({ n: 0 }) });

/**
 * Updates of two stores, until `during` is over. So many replicas have each that was acknowledged; it is there in the end. What
 * the old primary did after a replica was promoted is lost: its locks are, and its saves may only be called unknown.
 */
async function countDuring(during: () => Promise<void>, replicas: number): Promise<void> {
  const durability = { replicas, timeoutMs: 10_000 };
  const before = (await counter(connect()).load())?.n ?? 0;
  let isOver = false;
  let acknowledged = 0;
  let unknown = 0;
  const loops = [connect(), connect()].map(counter).map(async (state) => {
    while (!isOver) {
      try {
        await state.update((draft) => void (draft.n += 1), { durability });
        acknowledged += 1;
      } catch (error) {
        if (error instanceof LockLostError) continue; // granted by the old primary after that; nothing was saved
        expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
        unknown += 1;
      }
    }
  });
  const more = async (): Promise<void> => {
    const until = acknowledged + 10;
    // An election may need a second attempt, and a replica a whole copy before it can acknowledge.
    await expect.poll(() => acknowledged, { timeout: 45_000, interval: 10 }).toBeGreaterThan(until);
  };
  await more();
  await during();
  await more().finally(() => (isOver = true));
  await Promise.all(loops);
  const after = (await counter(connect()).load())?.n ?? 0;
  expect(unknown).toBeLessThan(5);
  expect(after).toBeGreaterThanOrEqual(before + acknowledged);
  expect(after).toBeLessThanOrEqual(before + acknowledged + unknown);
}

describe("an address of Sentinels", () => {
  test("leads to the primary; its name tells Sentinels and primary, not the password [P3]", async () => {
    const store = connect();
    await store.ready();
    const old = await group.primary();
    await store.state("x").save("1");
    expect(await old.keys()).toContain("holdfast:state:{x}");
    const away = connect(group.urlWith({ name: "another" }));
    await expect(away.ready()).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none", lasting: true });
    await expect(away.ready()).rejects.toThrow(
      /^redis\+sentinel:\/\/127.0.0.1:\d+,127.0.0.1:\d+,127.0.0.1:\d+\/another: .* knows no primary of this name/,
    );
  });

  test("one Sentinel that answers is enough", async () => {
    const away = String(await freePort());
    const url = group.url.replace("@", `@127.0.0.1:${away},`);
    await connect(url).ready();
  });

  test("where no Sentinel answers, the error says so, in time, and the next call tries again", async () => {
    const away = String(await freePort());
    const store = connect(`redis+sentinel://127.0.0.1:${away}/${primaryName}`, { operationMs: 500 });
    await expect(store.ready()).rejects.toMatchObject({ code: "UNREACHABLE", outcome: "none" });
    await expect(store.ready()).rejects.toThrow(/the Sentinel at 127.0.0.1:\d+ cannot be reached/);
  });

  test("a server in the place of a Sentinel is named as what it is", async () => {
    const server = await startRedis();
    try {
      const store = connect(`redis+sentinel://127.0.0.1:${String(server.port)}/${primaryName}`);
      await expect(store.ready()).rejects.toThrow(/is not a Sentinel/);
    } finally {
      await server.stop();
    }
  });
});

describe("a failover", () => {
  test("[S5] [L8] a planned one: nothing acknowledged is lost, and a waiter is handed the lock by the new primary", async () => {
    const [a, b] = [connect(), connect()];
    const grant = await a.lock("x").acquire();
    const waits = b.lock("x").acquire({ waitMs: 30_000 });
    waits.catch(() => undefined); // awaited below, unless the test fails before
    // Both: until it is told of the failover, the other replica goes on to acknowledge what the old primary takes.
    await countDuring(() => group.failOver(), 2);
    await grant.release();
    const theirs = await waits;
    expect(theirs.fence).toBeGreaterThan(grant.fence);
    await theirs.release();
    await group.agreed();
  });

  test("[S5] the primary is killed: nothing acknowledged is lost, and calls wait until another has taken over", async () => {
    await countDuring(() => group.killPrimary(), 1);
  });
});

describe("Sentinels with a password", () => {
  test("take it from the query; without it, or with another, the error says what to write [P3]", async () => {
    const guarded = await startSentinels({ password });
    try {
      await connect(guarded.urlWith({ query: `?sentinelPassword=${password}` })).ready();
      for (const query of ["", "?sentinelPassword=wrong-password"]) {
        const error = await connect(guarded.urlWith({ query }))
          .ready()
          .catch((failure: unknown) => failure);
        expect(error).toMatchObject({ code: "ACCESS_DENIED", outcome: "none", lasting: true });
        expect(String(error)).toMatch(/denies access.*sentinelPassword=/);
        expect(String(error)).not.toMatch(/wrong-password|pw-of-the/);
      }
    } finally {
      await guarded.stop();
    }
  });
});
