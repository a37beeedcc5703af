import { semaphoreContenders } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { median } from "../numbers.ts";
import { permits } from "../peers/semaphores.ts";
import { atLeast, atMost, best, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const alone = [
  { config: "one process, 1 in flight", callers: 1, limit: 1 },
  { config: "one process, 64 in flight", callers: 64, limit: 1.5 },
] as const;
const contended = {
  config: "4 processes × 16 callers, one semaphore",
  workers: 4,
  callers: 16,
  limit: 10,
} as const;

/** Permits, of a semaphore that nobody else uses, and of one that everybody uses. */
export const semaphores: Case = {
  name: "semaphores",
  title: `Semaphores of ${permits} permits`,
  about:
    "Each caller repeatedly acquires and releases one permit: of a semaphore that was never used before, or of one that " +
    "all callers use. The peer polls every 10 ms while it waits.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  const teams = new Teams(server.url);
  try {
    for (const { config, callers } of alone) {
      say(config);
      measured.push(
        ...(await measure(teams, server, {
          config,
          contenders: semaphoreContenders,
          workers: 1,
          callers,
          task: "lockDistinct",
          args: (name) => ({ name }),
          freshIds: true,
          contended: false,
          rounds,
          ms: quick ? 150 : 500,
          drainMs: 5_000,
        })),
      );
    }
    say(contended.config);
    measured.push(
      ...(await measure(teams, server, {
        ...contended,
        contenders: semaphoreContenders,
        task: "lockShared",
        args: (name) => ({ name }),
        freshIds: true,
        contended: true,
        rounds,
        ms: quick ? 300 : 1_000,
        drainMs: quick ? 200 : 500,
      })),
    );
  } finally {
    await teams.end();
  }
  const shown = ["ops", "peer", "p50", "p99", "max", "callers"] as const;
  return { measured, tables: tables(measured, shown), marks: marks(measured) };
}

function marks(measured: readonly Measured[]): Mark[] {
  const figures = best(measured, contended.config, "ours")?.figures;
  return [
    ...[...alone, contended].map(({ config, limit }) =>
      atLeast(`semaphore, ${config}, to the peer`, ratio(measured, config, "peer"), limit),
    ),
    atMost("semaphore, 4 × 16, most/least served caller", median(figures?.callers ?? []), {
      limit: 1.5,
      unit: "",
    }),
  ];
}
