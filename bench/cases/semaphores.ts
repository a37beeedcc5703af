import { semaphoreContenders } from "../contenders.ts";
import type { Mark, Measured, Table } from "../model.ts";
import { median, show, sum } from "../numbers.ts";
import { permits } from "../peers/semaphores.ts";
import { atLeast, atMost, best, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { useInOrder, weightOf, type Use, type UseArgs } from "../tasks/permits.ts";
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

/** The share of the permits that is to be in use. */
const leastUse = 0.85;

/** Permits, of a semaphore that nobody else uses, and of one that everybody uses. */
export const semaphores: Case = {
  name: "semaphores",
  title: `Semaphores of ${permits} permits`,
  about:
    "Each caller repeatedly acquires and releases one permit: of a semaphore that was never used before, or of one that " +
    "all callers use. The peer polls every 10 ms while it waits. Use of permits: 4 × 16 callers hold 1 to 5 permits of one " +
    "semaphore for 5 to 15 ms each; weight times time held, of all permits in the window. Whoever is served in order cannot " +
    "use all of them, since a heavy caller waits for several to end; the other figure is what order allows in no time.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  const used: Used[] = [];
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
    say("use of permits");
    for (let round = 0; round < rounds; round += 1)
      used.push(await useOfPermits(teams, `used:${round}`, quick ? 1_000 : 2_000));
  } finally {
    await teams.end();
  }
  const shown = ["ops", "peer", "p50", "p99", "max", "callers"] as const;
  return {
    measured,
    tables: [...tables(measured, shown), tableOf(used)],
    marks: [...marks(measured), markOf(used)],
  };
}

interface Used {
  readonly share: number;
  /** Most served caller over least served, of each weight, the worst of them. */
  readonly callers: number;
}

async function useOfPermits(teams: Teams, id: string, ms: number): Promise<Used> {
  const { workers, callers } = contended;
  const [ours] = semaphoreContenders;
  if (ours === undefined) throw new Error("nobody to measure");
  const team = await teams.get(ours, workers);
  const args: UseArgs = { id, callers, startAt: process.hrtime.bigint() + 50_000_000n, ms };
  const calls = Array.from({ length: workers }, (_, worker) => team.call<Use>(worker, "usePermits", args));
  const uses = await Promise.all(calls);
  const ofWeights = Array.from({ length: permits }, (_, n) => {
    const counts = uses.flatMap(({ grants }) => grants.filter((__, caller) => weightOf(caller) === n + 1));
    return Math.max(...counts) / Math.min(...counts);
  });
  return { share: sum(uses.map(({ held }) => held)) / (permits * ms), callers: Math.max(...ofWeights) };
}

function tableOf(used: readonly Used[]): Table {
  return {
    title: "use of permits, weights 1 to 5",
    head: ["", "used", "in order, in no time", "most/least caller of a weight"],
    rows: [
      [
        "Holdfast semaphore",
        show(median(used.map((one) => one.share))),
        show(useInOrder(contended.callers)),
        show(median(used.map((one) => one.callers))),
      ],
    ],
  };
}

function markOf(used: readonly Used[]): Mark {
  const value = median(used.map(({ share }) => share));
  return {
    mark: `semaphore, 4 × 16, weights 1 to 5, use of permits ≥ ${leastUse}`,
    value: show(value),
    met: value >= leastUse,
  };
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
