// A server at its memory limit. With `noeviction` it refuses what is new and keeps what is there: held locks are renewed and
// released, saves say OUT_OF_MEMORY and change nothing, waiters are told, and all goes on when there is room again. With
// an evicting policy there is exactly one warning, and what was evicted is told as lost.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";

import { open, type HoldfastError, type Store, type WarningEvent } from "../../../src/index.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { expectNothingLeft } from "./lives.ts";

let server: RedisServer;
const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close({ drainMs: 0 })));
  await server.stop();
});

async function start(policy: string): Promise<void> {
  server = await startRedis({ more: ["--maxmemory-policy", policy, "--maxmemory", "8mb"] });
}

function opened(options = {}): Store {
  const store = open(server.url, { leaseMs: 2_000, operationMs: 5_000, waitMs: 5_000, ...options });
  stores.push(store);
  return store;
}

/** The limit falls below what is used: from here on the server refuses whatever may need memory. */
const fill = async (): Promise<unknown> => await server.command("CONFIG", "SET", "maxmemory", "500kb");
const makeRoom = async (): Promise<unknown> => await server.command("CONFIG", "SET", "maxmemory", "100mb");

async function failureOf(call: Promise<unknown>): Promise<Pick<HoldfastError, "code" | "outcome">> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code, outcome } = error as HoldfastError;
  return { code, outcome };
}

const full = { code: "OUT_OF_MEMORY", outcome: "none" };
const value = { text: "y".repeat(20_000) };

test(
  "[S2] [L5] [L6] a full server keeps what is there, and releases what is held",
  { timeout: 60_000 },
  async () => {
    await start("noeviction");
    const [mine, other] = [opened(), opened()];
    await mine.state("kept").save({ n: 1 });
    const held = await Promise.all(["a", "b", "c"].map((id) => mine.lock(id).acquire()));
    const waiting = other.lock("a").acquire({ waitMs: 20_000 });
    const waited = failureOf(waiting);
    await expect.poll(async () => (await mine.lock("a").inspect())?.waiters, { timeout: 15_000 }).toBe(1);
    await fill();

    expect(await failureOf(mine.state("kept").save(value))).toEqual(full);
    expect(await failureOf(mine.state("new").save(value))).toEqual(full);
    expect(await failureOf(mine.lock("new").acquire())).toEqual(full);
    const updating = mine.state("kept", { initial: () => ({ n: 0 }) }).update(() => ({ n: 2 }));
    expect(await failureOf(updating)).toEqual(full);
    expect(await mine.state("kept").load()).toEqual({ n: 1 });

    await sleep(3_000); // more than a lease: they are renewed, which needs no memory
    expect(held.map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
    expect(await failureOf(mine.state("b").save(value, { grant: held[1]! }))).toEqual(full);
    expect(await Promise.all(held.map((grant) => grant.release()))).toEqual([true, true, true]);
    for (const id of ["a", "b", "c"]) expect(await mine.lock(id).inspect()).toBeNull();
    // Nothing new can be granted, so that whoever waited is told why.
    expect(await waited).toEqual(full);

    await makeRoom();
    await mine.state("kept").save(value);
    expect(await other.lock("a").run(() => "served")).toBe("served");
    expect(
      await mine.state<{ n: number }>("new", { initial: () => ({ n: 0 }) }).update(() => ({ n: 3 })),
    ).toEqual({ n: 3 });
    await expectNothingLeft(server);
  },
);

test(
  "[S2] an update whose save does not fit gives the lock back all the same",
  { timeout: 60_000 },
  async () => {
    await start("noeviction");
    const store = opened();
    const state = store.state("x", { initial: (): unknown => null });
    await state.save(1);
    let calls = 0;
    const failed = await failureOf(
      state.update(async () => {
        calls += 1;
        await fill();
        return value;
      }),
    );
    expect(failed).toEqual(full);
    expect(calls).toBe(1);
    expect(await store.lock("x").inspect()).toBeNull();
    expect(await state.load()).toBe(1);
    await makeRoom();
    expect(await state.update(() => 2)).toBe(2);
  },
);

test(
  "a server that evicts: one warning for each store, and what it forgot is told as lost",
  { timeout: 60_000 },
  async () => {
    await start("allkeys-lru");
    const warnings: WarningEvent[] = [];
    const listener = (event: unknown): unknown => warnings.push(event as WarningEvent);
    subscribe("holdfast:warning", listener);
    try {
      const store = opened({ leaseMs: 2_000 });
      const grant = await store.lock("held").acquire();
      const { signal } = grant;
      for (let n = 0; n < 300; n += 1) {
        await store.state(`big:${String(n % 20)}`).save({ n, ...value });
        await store.lock(`small:${String(n)}`).run(() => n);
      }
      expect(Number(/^evicted_keys:(\d+)/m.exec(String(await server.command("INFO", "stats")))?.[1])).toBe(0);
      await fillForeign();
      expect(
        Number(/^evicted_keys:(\d+)/m.exec(String(await server.command("INFO", "stats")))?.[1]),
      ).toBeGreaterThan(0);
      // Whether the lock was among them is the server's choice: it says so in either case.
      await sleep(3_000);
      const isThere = (await server.command("EXISTS", "holdfast:lock:{held}")) === 1;
      expect(signal.aborted).toBe(!isThere);
      expect(await grant.release()).toBe(isThere);
      expect(warnings.map(({ cause }) => cause)).toEqual(["redis-eviction"]);
      expect(warnings[0]?.message).toContain("allkeys-lru");
    } finally {
      unsubscribe("holdfast:warning", listener);
    }
  },
);

async function fillForeign(): Promise<void> {
  for (let n = 0; n < 60; n += 1) await server.command("SET", `foreign:${String(n)}`, "x".repeat(200_000));
}
