import { everybody, few } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { median } from "../numbers.ts";
import { atLeast, atMost, best, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const inFlight = { full: { 1: [1, 16, 64, 256], 2: [1, 16, 64, 256] }, quick: { 1: [1, 64], 2: [64] } };

/** Lock and unlock of distinct ids. */
export const lock: Case = {
  name: "lock",
  title: "Lock and unlock, distinct ids",
  about:
    "Each caller repeatedly locks and unlocks an id that was never used before. The times are for both " +
    "together. In flight: the number of concurrent callers in each process. The counter comes from additional " +
    "rounds in which 16 callers per process share four ids and count under the lock with a read and a write.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  for (const workers of [1, 2] as const) {
    const teams = new Teams(server.url);
    const proofs = await proof(teams, workers, quick);
    for (const callers of (quick ? inFlight.quick : inFlight.full)[workers]) {
      const config = name(workers, callers);
      say(config);
      const some = await measure(teams, server, {
        config,
        contenders: quick && workers > 1 ? few : everybody,
        workers,
        callers,
        task: "lockDistinct",
        freshIds: true,
        contended: false,
        rounds,
        ms: quick ? 80 : 250,
        drainMs: 5_000,
      });
      for (const one of some) one.checks.push(...(proofs.get(one.contender) ?? []));
      measured.push(...some);
    }
    await teams.end();
  }
  const shown = ["ops", "peer", "floor", "p50", "p99"] as const;
  return { measured, tables: tables(measured, shown), marks: marks(measured) };
}

/** That they lock at all: exclusive counters, by the contender's name. */
async function proof(
  teams: Teams,
  workers: number,
  quick: boolean,
): Promise<Map<string, Measured["checks"]>> {
  const measured = await measure(teams, undefined, {
    config: `proof ${workers}`,
    contenders: quick && workers > 1 ? few : everybody,
    workers,
    callers: 16,
    task: "countUnderLock",
    args: (id) => ({ name: id, ids: 4 }),
    freshIds: true,
    contended: false,
    rounds: 0,
    ms: quick ? 60 : 200,
    drainMs: 5_000,
    counters: (id) => [0, 1, 2, 3].map((i) => `${id}:${i}`),
  });
  return new Map(measured.map(({ contender, checks }) => [contender, checks]));
}

function marks(measured: readonly Measured[]): Mark[] {
  const ours = best(measured, name(1, 64), "ours")?.figures;
  return [
    ...([64, 256] as const).flatMap((n) => [
      atLeast(`lock+unlock, ${n} in flight, to the best peer`, ratio(measured, name(1, n), "peer"), 1.5),
      atLeast(`lock+unlock, ${n} in flight, to the floor`, ratio(measured, name(1, n), "floor"), 1),
    ]),
    atLeast("lock+unlock, 1 in flight, to the floor", ratio(measured, name(1, 1), "floor"), 0.9),
    atMost("server time in commands per lock+unlock, 64 in flight", median(ours?.commandUs ?? []), {
      limit: 5,
      unit: "µs",
    }),
    atMost("client CPU per lock+unlock, 64 in flight", median(ours?.clientUs ?? []), {
      limit: 7,
      unit: "µs",
    }),
  ];
}

function name(workers: number, callers: number): string {
  return `${workers === 1 ? "one process" : "two processes"}, ${callers} in flight`;
}
