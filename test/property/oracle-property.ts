// The property that every backend is checked for: whatever is done to it, its clients answer as those of one memory do.
//
// HOLDFAST_ORACLE_SEED and HOLDFAST_ORACLE_RUNS choose another walk or a longer one.

import fc from "fast-check";
import { setTimeout as sleep } from "node:timers/promises";

import type { Backend } from "../../src/backends/contract.ts";
import { Memory, MemoryBackend } from "../../src/backends/memory/backend.ts";
import { createRedisBackend } from "../../src/backends/redis/backend.ts";
import type { Limits } from "../../src/backends/rows/row-types.ts";
import type { Comparison } from "./oracle-comparison.ts";
import { sequences } from "./oracle-ops.ts";
import { OracleRun } from "./oracle-run.ts";

const seed = Number(process.env["HOLDFAST_ORACLE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`oracle: HOLDFAST_ORACLE_SEED=${String(seed)}`);

interface Time extends Pick<Comparison, "leases" | "ttls" | "advance" | "keepsPace"> {
  readonly now?: () => number;
}

/** One new store, and the time in which a sequence of calls is made. */
export interface Trial
  extends Time, Partial<Pick<Comparison, "exactTimes" | "wakes" | "placeOf" | "keepsOrder">> {
  /** Three of the store. */
  readonly clients: readonly Backend[];
  readonly limits?: Limits;
  /** Deletes the receipts of all clients; without it, nothing is ever forgotten. */
  readonly forget?: () => Promise<unknown>;
  /** When they are closed. */
  readonly end?: () => void;
}

/** A server, or a cluster and the node that has the keys. */
interface Server {
  readonly url: string;
  command(...args: string[]): Promise<unknown>;
}

export interface Extent {
  readonly runs: number;
  /** The calls of a run, at most. */
  readonly calls: number;
  /** How often time passes, compared with a call. */
  readonly advances: number;
  /** Whether tickets share locks, and there is a semaphore. */
  readonly shares: boolean;
}

export async function answersAsMemory(
  begin: () => Promise<Trial>,
  { runs, calls, advances, shares }: Extent,
): Promise<void> {
  const property = fc.asyncProperty(sequences({ advances, calls, shares }), async (ops) => {
    const { clients, limits, now, forget, end, ...trial } = await begin();
    const memory = new Memory();
    const own = { memory, limits, ...(now !== undefined && { now }) };
    const reference = three(() => new MemoryBackend(own));
    const run = new OracleRun({
      exactTimes: false,
      wakes: true,
      wall: now,
      ...trial,
      reference: { clients: reference },
      subject: { clients },
      forget: async () => {
        for (const receipts of memory.receipts.values()) receipts.clear();
        await forget?.();
      },
    });
    try {
      await run.run(forget === undefined ? ops.filter(({ op }) => op !== "forget") : ops);
    } finally {
      for (const backend of [...reference, ...clients]) await backend.close();
      end?.();
    }
  });
  await fc.assert(property, { seed, numRuns: Number(process.env["HOLDFAST_ORACLE_RUNS"] ?? runs) });
}

export const three = <T>(make: () => T): T[] => [make(), make(), make()];

/** It stands still until it is advanced, or goes on by so much whenever it is read. */
export function timeByHand(perReadMs = 0): Time & { now(): number } {
  let time = 1_700_000_000_000;
  return {
    now: () => (time += perReadMs),
    leases: [500, 1_300, 30_000],
    ttls: [500, 30_000],
    // No two moments are less than 500 ms apart: a waiter on SQLite then writes down each ask that memory notes.
    advance: async (ticks) => void (time += ticks * 600),
  };
}

/** A server's, from now on: the short lease is much longer than a run goes on without a pause, which is longer than the lease. */
export function realTime(): Time {
  const [pauseMs, shortMs] = [300, 200];
  let began = performance.now();
  return {
    leases: [shortMs, 20_000, 30_000],
    ttls: [shortMs, 30_000],
    advance: async () => {
      await sleep(pauseMs);
      began = performance.now();
    },
    keepsPace: () => performance.now() - began < shortMs / 2,
  };
}

/** Three clients, once wakes reach them. */
export function threeListening<T extends Backend>(make: () => T): Promise<T[]> {
  return Promise.all(
    three(async () => {
      const backend = make();
      await backend.ready();
      while (!backend.pushes) await sleep(1);
      return backend;
    }),
  );
}

/** Stores of one Redis, one after another. */
export function redisTrials(server: Server, within: string, index = false): () => Promise<Trial> {
  let stores = 0;
  return async () => {
    const prefix = `${within}oracle-${String((stores += 1))}:`;
    const options = { target: server.url, prefix, operationMs: 5_000, index };
    const clients = await threeListening(() => createRedisBackend(options));
    const receipts = clients.map(({ clientId }) => `${prefix}done:${clientId}`);
    const forget = (): Promise<unknown> => server.command("DEL", ...receipts);
    return { clients, forget, keepsOrder: index, ...realTime() };
  };
}
