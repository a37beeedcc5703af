// Five processes that campaign for one office. The one that leads is killed, stopped for longer than its lease, and cut off
// from the server, in turn: another one leads soon, and nothing that the old one proclaims is accepted from then on. A sixth
// one watches, and sees each of them.

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type LeaderInfo, type Store } from "../../../src/index.ts";
import { poll } from "../../support/poll.ts";
import { startProxy, type Proxy } from "../../support/proxy.ts";
import { startRedis, type RedisServer } from "../../support/redis-server.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, Worker } from "../../support/workers.ts";

vi.setConfig({ testTimeout: 120_000 });

const program = join(import.meta.dirname, "leader-program.ts");
const leaseMs = 1_000;
/**
 * The lease of the one that is gone, and time for a busy machine. On Redis, the second in the queue does not know that it has
 * become the first before it asks again, after at most 5 s: with a lease this short, that may be later than its end.
 */
const withinMs = leaseMs + 8_000;

interface Candidate {
  readonly worker: Worker;
  /** The way to the server, if there is one. */
  readonly proxy?: Proxy;
}

describe.each(["Redis", "SQLite"] as const)("%s", (name) => {
  let backend: Served;
  let server: RedisServer | undefined;
  let store: Store;
  let candidates: Candidate[] = [];
  beforeAll(async () => {
    if (name === "Redis") server = await startRedis();
    backend =
      server === undefined
        ? await served.SQLite()
        : { url: server.url, folder: "", end: () => server!.stop() };
    store = open(backend.url);
  });
  afterEach(async () => {
    await killAll();
    for (const { proxy } of candidates) await proxy?.close();
    candidates = [];
  });
  afterAll(async () => {
    await store.close();
    await backend.end();
  });

  async function candidate(): Promise<void> {
    const proxy = server && (await startProxy(server));
    // One that is cut off warns that its campaign goes on; what else it writes to stderr is an error.
    const env = { LEADER_LEASE_MS: String(leaseMs), NODE_NO_WARNINGS: "1" };
    const worker = new Worker(proxy?.url ?? backend.url, undefined, env, program);
    candidates.push(proxy === undefined ? { worker } : { worker, proxy });
    await worker.until((told) => told.some((line) => "campaigning" in line));
  }

  /** Who leads, once the fence is greater. */
  async function nextLeader(after = 0): Promise<{ info: LeaderInfo<unknown>; who: Candidate }> {
    let info: LeaderInfo<unknown> | null = null;
    await poll(
      async () => ((info = await store.leader("office").current()), info?.fence ?? 0),
    ).toBeGreaterThan(after);
    const seen = info as LeaderInfo<unknown> | null;
    const who = candidates.find(({ worker }) => worker.pid === seen?.pid);
    if (seen === null || who === undefined) throw new Error("nobody knows this leader");
    await who.worker.until((told) => told.some(({ led }) => led === seen.fence));
    return { info: seen, who };
  }

  const remedies = {
    killed: async ({ worker }: Candidate) => {
      await worker.kill();
      return async (): Promise<void> => {};
    },
    stopped: async ({ worker }: Candidate) => {
      worker.signal("SIGUSR2");
      return async (): Promise<void> => worker.signal("SIGCONT");
    },
    "cut off": async ({ proxy }: Candidate) => {
      if (proxy !== undefined) proxy.frozen = true;
      return async (): Promise<void> => {
        if (proxy !== undefined) proxy.frozen = false;
        proxy?.cut();
      };
    },
  };

  test("[E1] [L3] [L5] the leader is killed, stopped beyond its lease, cut off: never two, and soon another", async () => {
    await poll(() => store.ready().then(() => true)).toBe(true); // the first use loads the backend's modules
    const seen: (LeaderInfo<unknown> | null)[] = [];
    const changes = store.leader("office").watch()[Symbol.asyncIterator]();
    const watching = (async () => {
      for (let next = await changes.next(); next.done !== true; next = await changes.next())
        seen.push(next.value);
    })();
    const watched = (fence: number) => poll(() => seen.some((one) => one?.fence === fence)).toBe(true);
    await Promise.all([1, 2, 3, 4, 5].map(candidate));
    let { info, who } = await nextLeader();
    await watched(info.fence);
    const harms = (["stopped", "cut off", "killed", "stopped"] as const).filter(
      (harm) => harm !== "cut off" || server !== undefined,
    );
    for (const harm of harms) {
      const goOn = await remedies[harm](who);
      const from = performance.now();
      const before = { info, who };
      ({ info, who } = await nextLeader(before.info.fence));
      expect(performance.now() - from, harm).toBeLessThan(withinMs);
      expect(who).not.toBe(before.who);
      await watched(info.fence);
      await goOn();
      if (harm === "killed") continue;
      // It hears of its loss by itself, and campaigns again.
      const { worker } = before.who;
      await poll(() => worker.told.some((line) => line["over"] === before.info.fence)).toBe(true);
      expect(worker.errors).toBe("");
    }
    const told = candidates.flatMap(({ worker }) => worker.told) as Record<string, number>[];
    const terms = told.filter(({ led }) => led !== undefined).toSorted((a, b) => a["led"]! - b["led"]!);
    expect(terms.length).toBeGreaterThan(harms.length);
    expect(new Set(terms.map(({ led }) => led)).size).toBe(terms.length);
    for (const [nth, { at: begunAt }] of terms.slice(1).entries()) {
      const { led: earlier } = terms[nth]!;
      const late = told.filter(({ proclaimed, at }) => proclaimed === earlier && at! >= begunAt!);
      expect(late, "accepted late").toEqual([]);
    }
    await changes.return?.();
    await watching;
    const fences = seen.flatMap((one) => one?.fence ?? []);
    expect(fences).toEqual(fences.toSorted((a, b) => a - b));
  });
});
