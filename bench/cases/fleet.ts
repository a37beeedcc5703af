import { everybody, few } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { median } from "../numbers.ts";
import { atLeast, atMost, best, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

interface Shape {
  readonly config: string;
  readonly workers: number;
  readonly callers: number;
  /** New processes for every round: the window begins when they have connected. */
  readonly isCold: boolean;
}

const shapes: readonly Shape[] = [
  { config: "8 processes × 1, their first 3 s", workers: 8, callers: 1, isCold: true },
  { config: "8 processes × 1", workers: 8, callers: 1, isCold: false },
  { config: "4 processes × 4", workers: 4, callers: 4, isCold: false },
];

const works = [
  {
    label: "lock + unlock",
    task: "lockDistinct",
    freshIds: true,
    args: (id: string, worker: number) => ({ name: `${id}-${worker}` }),
  },
  {
    label: "update",
    task: "updateOwn",
    freshIds: false,
    args: (id: string, worker: number) => ({ name: `${id}-${worker}`, bytes: 200 }),
  },
] as const;

/** Many processes with one or two calls under way each: what most users have. */
export const fleet: Case = {
  name: "fleet",
  title: "A fleet: several processes, each with one or four calls in flight, distinct ids",
  about:
    "Each caller repeatedly locks and unlocks an id that was never used before, or updates its own state of 200 " +
    "bytes. Processes and server share the machine. In their first 3 s, processes run code that the engine has not " +
    "optimized yet; the other rows are of processes that have run for a while.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  for (const shape of quick ? shapes.slice(1, 2) : shapes) {
    for (const work of works) {
      const config = name(work.label, shape);
      say(config);
      const teams = new Teams(server.url);
      const some = await measure(teams, server, {
        ...shape,
        config,
        contenders: quick || shape.isCold ? few : everybody,
        task: work.task,
        args: work.args,
        freshIds: work.freshIds || shape.isCold,
        contended: false,
        rounds: shape.isCold ? Math.min(rounds, 3) : rounds,
        ms: shape.isCold ? 3_000 : quick ? 150 : 500,
        drainMs: 5_000,
      });
      measured.push(...some);
      await teams.end();
    }
  }
  const shown = ["ops", "peer", "floor", "p50", "p99"] as const;
  return { measured, tables: tables(measured, shown), marks: marks(measured) };
}

function marks(measured: readonly Measured[]): Mark[] {
  const [cold, warm, four] = shapes.map((shape) => (label: string) => name(label, shape));
  if (cold === undefined || warm === undefined || four === undefined) return [];
  const serverUs = (label: string): number =>
    median(best(measured, warm(label), "ours")?.figures.serverUs ?? []);
  return [
    atLeast("fleet 8 × 1, lock+unlock, to the best peer", ratio(measured, warm("lock + unlock"), "peer"), 1),
    atLeast("the same in the first 3 s", ratio(measured, cold("lock + unlock"), "peer"), 0.9),
    atLeast("fleet 8 × 1, update, to the best peer", ratio(measured, warm("update"), "peer"), 1.3),
    atLeast(
      "fleet 4 × 4, lock+unlock, to the best peer",
      ratio(measured, four("lock + unlock"), "peer"),
      1.1,
    ),
    atMost("server CPU per lock+unlock, fleet 8 × 1", serverUs("lock + unlock"), { limit: 40, unit: "µs" }),
    atMost("server CPU per update, fleet 8 × 1", serverUs("update"), { limit: 60, unit: "µs" }),
  ];
}

function name(label: string, { config }: Shape): string {
  return `${label}, ${config}`;
}
