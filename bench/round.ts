/** One round of one contender: its workers run the same window, and the server's counters are read around it. */
import type { Metric } from "./model.ts";
import { percentile, sum } from "./numbers.ts";
import { fromClients, type Census, type Sample, type Server } from "./server.ts";
import type { Closed, Drained } from "./tasks/loop.ts";
import type { Team } from "./team.ts";

export interface Window {
  readonly task: string;
  readonly callers: number;
  readonly ms: number;
  readonly drainMs: number;
  /**
   * Callers wait for each other: what the window cost is read when it ends, with those who wait then. Otherwise when all have
   * finished, so that each operation is counted with all of its costs.
   */
  readonly contended: boolean;
  /** More arguments of the task, for each worker. */
  readonly args: (worker: number) => object;
}

export interface Round {
  readonly closed: readonly Closed[];
  readonly drained: readonly Drained[];
  readonly before: Sample | undefined;
  readonly after: Sample | undefined;
}

/** Long enough for every worker to hear of it before it begins. */
const noticeNs = 15_000_000n;

export async function runRound(team: Team, server: Server | undefined, window: Window): Promise<Round> {
  const { task, callers, ms, drainMs, contended, args } = window;
  const before = await server?.sample();
  const common = { startAt: process.hrtime.bigint() + noticeNs, callers, ms, drainMs };
  const closed: Promise<Closed>[] = [];
  const calls = Array.from({ length: team.size }, (_, worker) => {
    let told: ((closed: Closed) => void) | undefined;
    closed.push(new Promise((resolve) => (told = resolve)));
    return team.call<Drained>(worker, task, { ...common, ...args(worker) }, told);
  });
  const ending = Promise.all(calls);
  const atClose = Promise.all(closed);
  await Promise.race([atClose, ending]); // a worker that fails never closes its window
  const afterClose = contended ? await server?.sample() : undefined;
  const drained = await ending;
  return { closed: await atClose, drained, before, after: afterClose ?? (await server?.sample()) };
}

/** All operations that were acknowledged. */
export function acknowledged({ closed, drained }: Round): number {
  return sum(closed.map((one) => one.allOps)) + sum(drained.map((one) => one.late));
}

export function figuresOf(
  round: Round,
  contended: boolean,
  census: Census | undefined,
): Record<Exclude<Metric, "useful">, number> {
  const { closed, drained, before, after } = round;
  const waits = Float64Array.from(closed.flatMap((one) => [...one.waitsMs])).sort();
  const ops = contended ? sum(closed.map((one) => one.allOps)) : acknowledged(round);
  const sent = before && after && census ? fromClients(before, after, census) : undefined;
  return {
    opsPerSecond: sum(closed.map((one) => (one.ops / one.elapsedMs) * 1e3)),
    p50Ms: percentile(waits, 0.5),
    p90Ms: percentile(waits, 0.9),
    p99Ms: percentile(waits, 0.99),
    p999Ms: percentile(waits, 0.999),
    maxMs: percentile(waits, 1),
    clientUs: sum((contended ? closed : drained).map((one) => one.cpuUs)) / ops,
    serverUs: before && after ? (after.cpuUs - before.cpuUs) / ops : NaN,
    commandUs: sent === undefined ? NaN : sent.us / ops,
    commands: sent === undefined ? NaN : sent.calls / ops,
    callers: mostOverLeast(closed.flatMap((one) => one.perCaller)),
    processes: closed.length > 1 ? mostOverLeast(closed.map((one) => one.ops)) : NaN,
  };
}

function mostOverLeast(counts: readonly number[]): number {
  return Math.max(...counts) / Math.min(...counts);
}
