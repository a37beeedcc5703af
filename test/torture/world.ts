// What the processes work against, and what can be done to it. Each backend is a world of its own.

import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startGroup, startRedis, startRedisWithClock } from "../support/faults/index.ts";
import type { Link, Proxy, RedisServer, ServerClock } from "../support/faults/index.ts";
import type { Group } from "../support/faults/index.ts";
import { clusterWorld, type SlotOwner } from "./cluster-world.ts";
import type { Options } from "./options.ts";
import { pidOf, redisLeftovers, waysTo, type Leftover } from "./ways.ts";

export interface World {
  /** What the process in this place opens. */
  readonly targetOf: (place: number) => string | string[];
  /** The same without any fault between. */
  readonly direct: () => string | string[];
  readonly redis: RedisWorld | undefined;
  /** Faults that cannot be had here, and why. */
  readonly without: ReadonlyMap<string, string>;
  leftovers(): Promise<Leftover[]>;
  close(): Promise<void>;
}

/** A Redis and the ways to it: process → proxy → link → server; each process has its own. With shards, they take turns. */
export interface RedisWorld {
  readonly proxyOf: (place: number) => Proxy;
  readonly linkOf: (place: number) => Link;
  readonly server: () => RedisServer;
  readonly clock: ServerClock | undefined;
  readonly group: Group | undefined;
  readonly cluster?: SlotOwner | undefined;
}

export async function createWorld(options: Options): Promise<World> {
  if (options.backend === "sqlite") return sqliteWorld();
  if (options.backend === "redis-shards") return shardsWorld(options);
  if (options.backend === "redis-cluster") return clusterWorld(options);
  return options.backend === "redis" ? redisWorld(options) : groupWorld(options);
}

async function redisWorld({ processes, faults, insist }: Options): Promise<World> {
  const without = new Map<string, string>();
  let clock: ServerClock | undefined;
  let server: RedisServer | undefined;
  if (faults.includes("server-clock")) {
    try {
      ({ server, clock } = await startRedisWithClock({ appendonly: true }));
    } catch (error) {
      if (insist) throw error;
      without.set("server-clock", (error as Error).message);
    }
  }
  const own = server ?? (await startRedis({ appendonly: true }));
  const parts = { server: () => own, clock, group: undefined };
  return around(own, parts, { processes, without, close: () => own.stop() });
}

async function groupWorld({ processes }: Options): Promise<World> {
  const group = await startGroup({ replicas: 2 });
  const parts = { server: () => group.primary, clock: undefined, group };
  return around(group.endpoint, parts, { processes, without: new Map(), close: () => group.stop() });
}

async function shardsWorld({ processes }: Options): Promise<World> {
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ appendonly: true })));
  const ways = await Promise.all(servers.map((server) => waysTo(server, processes)));
  let turn = 0;
  const next = <T>(all: readonly T[]): T => all[(turn += 1) % all.length]!;
  return {
    targetOf: (place) => ways.map(({ proxies }) => proxies[place]?.url ?? ""),
    direct: () => servers.map(({ adminUrl }) => adminUrl),
    redis: {
      proxyOf: (place) => next(ways).proxies[place]!,
      linkOf: (place) => next(ways).links[place]!,
      server: () => next(servers),
      clock: undefined,
      group: undefined,
    },
    without: new Map(),
    leftovers: async () => (await Promise.all(servers.map(redisLeftovers))).flat(),
    async close() {
      for (const { close } of ways) await close();
      for (const server of servers) await server.stop();
    },
  };
}

async function around(
  target: { readonly port: number },
  parts: Omit<RedisWorld, "proxyOf" | "linkOf">,
  rest: { processes: number; without: Map<string, string>; close: () => Promise<void> },
): Promise<World> {
  const { proxies, links, close } = await waysTo(target, rest.processes);
  return {
    targetOf: (place) => proxies[place]?.url ?? "",
    direct: () => parts.server().adminUrl,
    redis: { ...parts, proxyOf: (place) => proxies[place]!, linkOf: (place) => links[place]! },
    without: rest.without,
    leftovers: () => redisLeftovers(parts.server()),
    async close() {
      await close();
      await rest.close();
    },
  };
}

function sqliteWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-torture-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "store.db");
  return {
    targetOf: () => `sqlite:${path}`,
    direct: () => `sqlite:${path}`,
    redis: undefined,
    without: new Map(),
    async leftovers() {
      const db = new DatabaseSync(path);
      try {
        const rows = (table: string) =>
          db.prepare(`SELECT id AS key, ticket FROM ${table}`).all() as { key: string; ticket: string }[];
        const all = (what: Leftover["what"], table: string): Leftover[] =>
          rows(table).map(({ key, ticket }) => ({ what, key, ticket, pid: pidOf(ticket) }));
        const locks = all("lock", "locks").filter(({ ticket }) => ticket !== ""); // it is held in shares
        return [...locks, ...all("lock", "holders"), ...all("waiter", "waiters")];
      } finally {
        db.close();
      }
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
