import { few, waiters } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { median } from "../numbers.ts";
import { atLeast, atMost, best, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const about =
  "All callers repeatedly add one to the same counter. The wait is from the call until the update is done; " +
  "if a caller is still waiting when the window of 1 s ends, its wait so far counts. Peers and the floor " +
  "lock, GET, SET and unlock. ∞: at least one caller was not served at all. After the window, callers have " +
  "a moment to finish; those that cannot are killed, and their last update may or may not have counted (±).";

interface Shape {
  readonly config: string;
  readonly workers: number;
  readonly callers: number;
}

const oneProcess: readonly Shape[] = [
  { config: "one process, 32 callers", workers: 1, callers: 32 },
  { config: "one process, 1000 callers", workers: 1, callers: 1_000 },
];
const fourProcesses: Shape = { config: "4 processes × 16 callers", workers: 4, callers: 16 };

/** A hot key in one process. */
export const hot: Case = {
  name: "hot",
  title: "Hot key, one process: all callers update one state",
  about,
  async run(bench): Promise<Outcome> {
    const measured: Measured[] = [];
    const shapes = bench.quick ? oneProcess.slice(0, 1) : oneProcess;
    for (const shape of shapes) measured.push(...(await contend(bench, shape)));
    const [first] = oneProcess;
    const shown = ["ops", "peer", "p50", "p99", "max", "callers"] as const;
    const marks = first === undefined ? [] : marksOf(measured, first, { peer: 20, fair: 1.2 });
    return { measured, tables: tables(measured, shown), marks };
  },
};

/** A hot key in four. */
export const hotProcesses: Case = {
  name: "hot4",
  title: "Hot key, 4 processes × 16 callers: all callers update one state",
  about,
  async run(bench): Promise<Outcome> {
    const measured = await contend(bench, fourProcesses);
    const shown = ["ops", "peer", "p50", "p99", "max", "callers", "processes"] as const;
    const ours = best(measured, fourProcesses.config, "ours");
    const wait = median(ours?.figures.p99Ms ?? []);
    const marks = [
      ...marksOf(measured, fourProcesses, { peer: 10, fair: 1.5 }),
      atMost("hot key, 4 × 16, wait p99", wait, { limit: 20, unit: "ms" }),
    ];
    return { measured, tables: tables(measured, shown), marks };
  },
};

async function contend({ server, quick, rounds, say }: Bench, shape: Shape): Promise<Measured[]> {
  say(shape.config);
  const teams = new Teams(server.url);
  try {
    return await measure(teams, server, {
      ...shape,
      contenders: quick && shape.workers > 1 ? few : waiters,
      task: "updateShared",
      args: (id) => ({ name: id }),
      freshIds: true,
      contended: true,
      rounds,
      ms: quick ? 150 : 1_000,
      drainMs: quick ? 200 : 500,
      counters: (id) => [id],
    });
  } finally {
    await teams.end();
  }
}

function marksOf(
  measured: readonly Measured[],
  { config, workers }: Shape,
  limits: { readonly peer: number; readonly fair: number },
): Mark[] {
  const figures = best(measured, config, "ours")?.figures;
  const what = `hot key, ${config}`;
  const marks = [
    atLeast(`${what}, to the best peer`, ratio(measured, config, "peer"), limits.peer),
    atMost(`${what}, most/least served caller`, median(figures?.callers ?? []), {
      limit: limits.fair,
      unit: "",
    }),
  ];
  if (workers === 1) return marks;
  const processes = median(figures?.processes ?? []);
  return [
    ...marks,
    atMost(`${what}, most/least served process`, processes, { limit: limits.fair, unit: "" }),
  ];
}
