// What one small world is like: how many processes, how bad the network, what its callers do. All of it comes from the seed.

import type { OpenOptions } from "../../src/index.ts";
import type { Limits } from "../../src/backends/rows/row-types.ts";
import type { Random } from "../torture/random.ts";
import { calm, type Weather } from "./server/weather.ts";

/** What can happen to a process or to the rows, and how often; besides the weather. */
export const blows = {
  stop: 6,
  cut: 5,
  kill: 2,
  close: 1,
  deleteLock: 2,
  deleteState: 2,
} as const;
export type Blow = keyof typeof blows;

export const mostProcesses = 4;

export interface Setting {
  readonly processes: number;
  readonly callers: number;
  readonly deeds: number;
  readonly lists: number;
  /** All want the same one. */
  readonly isCrowded: boolean;
  readonly options: Readonly<Record<keyof Pick<OpenOptions, "leaseMs" | "waitMs" | "operationMs">, number>>;
  readonly leasesMs: readonly number[];
  readonly limits: Limits;
  readonly pushes: boolean;
  readonly askAgainMs: number;
  readonly hasReplicas: boolean;
  readonly weather: Weather;
  /** How many blows there are until all is calm. */
  readonly blows: number;
  /** Nothing goes wrong here: then nothing may be said to have gone wrong. */
  readonly isCalm: boolean;
  /** A serializer that now and then cannot read what it wrote. */
  readonly isBrittle: boolean;
  /** Functions that wait for an earlier update of the same state. */
  readonly awaitsEarlier: boolean;
  readonly calmAtMs: number;
}

export function randomSetting(random: Random): Setting {
  const isCalm = random.chance(0.15);
  const leaseMs = random.pick([100, 150, 250, 800, 2_500]);
  const operationMs = random.pick([150, 400, 1_000, 3_000]);
  const isCrowded = random.chance(0.4);
  return {
    processes: random.pick([1, 2, 2, 3, mostProcesses]),
    callers: isCrowded ? random.whole(2, 5) : random.whole(1, 3),
    deeds: isCrowded ? random.whole(4, 10) : random.whole(2, 6),
    lists: random.whole(1, 2),
    isCrowded,
    options: { leaseMs, waitMs: random.pick([300, 2_000, 20_000]), operationMs },
    leasesMs: [leaseMs, leaseMs, random.pick([100, 400, 1_200])],
    ...randomPushing(random),
    hasReplicas: random.chance(0.25),
    weather: isCalm ? calm : randomWeather(random),
    blows: isCalm ? 0 : random.whole(0, 7),
    isCalm,
    isBrittle: !isCalm && random.chance(0.12),
    awaitsEarlier: random.chance(0.1),
    calmAtMs: random.whole(500, 6_000),
  };
}

/** As Redis, as a Redis whose waiters ask more often, and as SQLite, which cannot push. */
function randomPushing(random: Random): Pick<Setting, "limits" | "pushes" | "askAgainMs"> {
  return random.pick([
    { pushes: true, askAgainMs: 5_000, limits: { askLimitMs: 12_000, handOverMs: 10_000 } },
    { pushes: true, askAgainMs: 1_000, limits: { askLimitMs: 2_600, handOverMs: 900 } },
    { pushes: false, askAgainMs: 25, limits: { askLimitMs: 2_000, handOverMs: 1_000 } },
  ]);
}

/** The calls of which each can be the one that suffers most. */
const victims = [
  "releaseLock",
  "releaseLock",
  "acquireLock",
  "writeState",
  "renewLocks",
  "cancelLock",
  "loadState",
] as const;

function randomWeather(random: Random): Weather {
  const badness = random.pick([0, 0.01, 0.04, 0.12]);
  const some = (): number => (random.chance(0.6) ? badness * random.next() : 0);
  return {
    lostRequest: some(),
    lostReply: some() * 3,
    lateCopy: some(),
    silence: some(),
    refused: some(),
    slow: some() * 3,
    lostWake: some() * 4,
    lateWake: some() * 4,
    doubledWake: some() * 4,
    tooFewReplicas: some() * 4,
    victim: random.chance(0.6) ? random.pick(victims) : undefined,
  };
}
