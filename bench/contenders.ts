/** Everybody who is measured, in the order of the tables. */
import { readFileSync } from "node:fs";
import { openSqliteByHand } from "./peers/by-hand-sqlite.ts";
import { openIoredisFloor, openNodeRedisFloor } from "./peers/floor.ts";
import { openHoldfast, openHoldfastOnShards } from "./peers/holdfast.ts";
import type { OpenPeer } from "./peers/peer.ts";
import { openRedisSemaphore } from "./peers/redis-semaphore.ts";
import { openRedlockUniversal } from "./peers/redlock-universal.ts";
import { openRedlock } from "./peers/redlock.ts";
import { openHoldfastSemaphore, openRedisSemaphores } from "./peers/semaphores.ts";
import { openHoldfastExclusive, openHoldfastSharing, openSharingFloor } from "./peers/sharing.ts";
import { openSesamecareRedlock } from "./peers/sesamecare-redlock.ts";
import { openSimpleRedisMutex } from "./peers/simple-redis-mutex.ts";
import { openHoldfastBank, openMutexBank, openRedlockBank } from "./peers/transfers.ts";

/** "ours", a library to be compared with, or what can be done without any. */
export type Kind = "ours" | "peer" | "floor";

export interface Contender {
  readonly name: string;
  readonly kind: Kind;
  readonly open: OpenPeer;
  /** The package whose version the results name; none for ours. */
  readonly package?: string;
  /** How it was set up, for the results. */
  readonly settings: string;
}

const ours: Contender = {
  name: "Holdfast",
  kind: "ours",
  open: openHoldfast,
  settings: "as built, all options at their defaults: lease 10 s, wait 15 s, renewal on",
};

const peers: readonly Contender[] = [
  {
    name: "redlock",
    kind: "peer",
    open: openRedlock,
    package: "redlock",
    settings: "ioredis, auto-pipelining; retry delay 200 ± 100 ms (default), 50 retries (default 10)",
  },
  {
    name: "redis-semaphore",
    kind: "peer",
    open: openRedisSemaphore,
    package: "redis-semaphore",
    settings:
      "Mutex; ioredis, auto-pipelining; retry interval 10 ms and wait 10 s (defaults), lock time 30 s, renewal off",
  },
  {
    name: "redlock-universal",
    kind: "peer",
    open: openRedlockUniversal,
    package: "redlock-universal",
    settings:
      'createLock, "lean"; ioredis, auto-pipelining; retry delay 100 ms (default), 100 retries (default 3), no renewal',
  },
  {
    name: "sesamecare redlock",
    kind: "peer",
    open: openSesamecareRedlock,
    package: "@sesamecare-oss/redlock",
    settings:
      "ioredis, auto-pipelining; retry delay 200 ± 100 ms (default), 50 retries (default 10), no renewal",
  },
  {
    name: "simple-redis-mutex",
    kind: "peer",
    open: openSimpleRedisMutex,
    package: "simple-redis-mutex",
    settings: "node-redis; polling interval 10 s (default), fails after 10 s (default: never), no renewal",
  },
];

const ioredisFloor: Contender = {
  name: "floor: ioredis",
  kind: "floor",
  open: openIoredisFloor,
  package: "ioredis",
  settings:
    "bare SET NX PX and compare-and-delete by EVALSHA; auto-pipelining; polls every 1 ms while it waits",
};

const nodeRedisFloor: Contender = {
  name: "floor: node-redis",
  kind: "floor",
  open: openNodeRedisFloor,
  package: "@redis/client",
  settings:
    "the same with sendCommand of @redis/client, which by itself writes the commands of one tick at once",
};

export const holdfastOnShards: Contender = {
  ...ours,
  name: "Holdfast on 3 shards",
  open: openHoldfastOnShards,
  settings: "as built, all options at their defaults; three servers",
};

/** Semaphores, as the locks of the bench. */
export const semaphoreContenders: readonly Contender[] = [
  { ...ours, name: "Holdfast semaphore", open: openHoldfastSemaphore },
  {
    name: "redis-semaphore Semaphore",
    kind: "peer",
    open: openRedisSemaphores,
    package: "redis-semaphore",
    settings: "Semaphore; as its Mutex",
  },
];

/** Two values that change together. */
export const transferContenders: readonly Contender[] = [
  { ...ours, name: "Holdfast transact", open: openHoldfastBank },
  {
    name: "sesamecare redlock, both ids",
    kind: "peer",
    open: openRedlockBank,
    package: "@sesamecare-oss/redlock",
    settings: "redlock 5's acquire of both ids; otherwise as for single locks",
  },
  {
    name: "redis-semaphore, two mutexes",
    kind: "peer",
    open: openMutexBank,
    package: "redis-semaphore",
    settings: "two of its Mutexes, in the order of their ids; otherwise as for single locks",
  },
];

export const sharingNames = {
  shared: "Holdfast shared",
  exclusive: "Holdfast exclusive",
  floor: "floor: readers counted",
} as const;

/** Locks that readers share. */
export const sharingContenders: readonly Contender[] = [
  { ...ours, name: sharingNames.shared, open: openHoldfastSharing },
  { ...ours, name: sharingNames.exclusive, open: openHoldfastExclusive },
  {
    ...ioredisFloor,
    name: sharingNames.floor,
    open: openSharingFloor,
    settings: "two bare scripts that count readers; auto-pipelining; polls every 1 ms while it waits",
  },
];

const sqlite: Contender = {
  ...ours,
  name: "Holdfast on SQLite",
  settings: "as built, all options at their defaults",
};
const memory: Contender = {
  ...ours,
  name: "Holdfast in memory",
  settings: "as built, all options at their defaults",
};
const sqliteByHand: Contender = {
  name: "floor: BEGIN IMMEDIATE",
  kind: "floor",
  open: openSqliteByHand,
  settings: "node:sqlite by hand: WAL, synchronous=FULL, calls that block; polls every 5 ms while it waits",
};

/** On Redis, all of them. */
export const everybody: readonly Contender[] = [ours, ...peers, ioredisFloor, nodeRedisFloor];
/** Where callers wait for each other, one floor will do: waiting is not what a floor is for. */
export const waiters: readonly Contender[] = [ours, ...peers, ioredisFloor];
/** One that polls, one that is woken: for cases where a round of everybody takes too long. */
export const few: readonly Contender[] = waiters.filter(({ name }) =>
  ["Holdfast", "redis-semaphore", "simple-redis-mutex"].includes(name),
);
/** Where only plain reads are compared. */
export const readers: readonly Contender[] = [ours, ioredisFloor, nodeRedisFloor];
export const local = { sqlite, memory, sqliteByHand } as const;
export const holdfast = ours;
export const pinger = nodeRedisFloor;

const all = [
  ...everybody,
  holdfastOnShards,
  ...semaphoreContenders,
  ...transferContenders,
  ...sharingContenders,
  sqlite,
  memory,
  sqliteByHand,
];

export function contender(name: string): Contender {
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no contender is called ${JSON.stringify(name)}`);
  return found;
}

/** Of a package that the bench installed. */
export function versionOf(name: string): string {
  const path = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

/** Everybody's name, version and settings. */
export function describeAll(): { name: string; version: string; settings: string }[] {
  return all.map((one) => ({
    name: one.name,
    version: one.package === undefined ? "" : `${one.package} ${versionOf(one.package)}`,
    settings: one.settings,
  }));
}
