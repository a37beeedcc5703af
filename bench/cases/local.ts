import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { local, type Contender } from "../contenders.ts";
import type { Measured } from "../model.ts";
import { tables } from "../report/tables.ts";
import { measure, type Plan } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

type Shape = Pick<
  Plan,
  "config" | "workers" | "callers" | "task" | "args" | "counters" | "freshIds" | "contended"
>;

const shapes: readonly Shape[] = [
  ...[1, 64].map((callers) => ({
    config: `lock and unlock, ${callers} in flight`,
    workers: 1,
    callers,
    task: "lockDistinct",
    freshIds: true,
    contended: false,
  })),
  ...[1, 64].map((callers) => ({
    config: `update of 200 bytes, ${callers} in flight`,
    workers: 1,
    callers,
    task: "updateOwn",
    freshIds: false,
    contended: false,
    args: (id: string) => ({ name: id, bytes: 200 }),
    counters: (id: string) => Array.from({ length: callers }, (_, i) => `${id}:${i}`),
  })),
  hot("hot key, one process, 32 callers", 1, 32),
  hot("hot key, 4 processes × 16 callers", 4, 16),
];

function hot(config: string, workers: number, callers: number): Shape {
  return {
    config,
    workers,
    callers,
    task: "updateShared",
    freshIds: true,
    contended: true,
    args: (id) => ({ name: id }),
    counters: (id) => [id],
  };
}

/** Without Redis. */
export const onDisk: Case = {
  name: "local",
  title: "SQLite and memory",
  about:
    "The same lock, update and hot-key cases on the backends that need no server, compared with a counter " +
    "written by hand on node:sqlite: `BEGIN IMMEDIATE`, read, write, `COMMIT`. The latter blocks the event " +
    "loop, and has no lease, no fence and no queue. With both, every commit waits for the disk.",
  run,
};

async function run({ quick, rounds, say }: Bench): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  const measured: Measured[] = [];
  try {
    for (const shape of shapes) {
      say(shape.config);
      const teams = new Teams((contender) => urlOf(contender, folder));
      const contenders = [local.sqlite, local.memory, local.sqliteByHand];
      const plan = {
        ...shape,
        // Memory is for one process.
        contenders: contenders.filter((one) => one !== local.memory || shape.workers === 1),
        rounds,
        ms: quick ? 80 : 200,
        drainMs: 5_000,
      };
      measured.push(...(await measure(teams, undefined, plan)));
      await teams.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const shown = ["ops", "floor", "p50", "p99", "callers", "processes"] as const;
  return { measured, tables: tables(measured, shown), marks: [] };
}

function urlOf(contender: Contender, folder: string): string {
  if (contender === local.memory) return "memory:";
  return `sqlite:${join(folder, contender === local.sqlite ? "holdfast.db" : "by-hand.db")}`;
}
