import { few, waiters } from "../contenders.ts";
import type { Measured } from "../model.ts";
import { median, sum } from "../numbers.ts";
import { atMost, best } from "../report/compare.ts";
import { percent, tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import type { Worked } from "../tasks/work.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const config = "4 processes × 8 callers, 1 ms of work";

/** A hot lock with work inside. */
export const work: Case = {
  name: "work",
  title: "Hot lock with 1 ms of work inside, 4 processes × 8 callers",
  about:
    "Each caller repeatedly locks the same id, computes for 1 ms and unlocks it. Useful: the share of the " +
    "time in which a caller was inside the lock. The wait is from the call until the lock is granted. Instead " +
    "of the counter: how often two callers were inside at the same time, which must be 0.",
  run,
};

async function run({ server, quick, rounds }: Bench): Promise<Outcome> {
  const teams = new Teams(server.url);
  const ms = quick ? 250 : 1_000;
  const measured = await measure(teams, server, {
    config,
    contenders: quick ? few : waiters,
    workers: 4,
    callers: 8,
    task: "work",
    args: (id) => ({ name: id, workMs: 1 }),
    freshIds: true,
    contended: true,
    rounds,
    ms,
    drainMs: quick ? 200 : 500,
    inspect: (drained, one) => inspect(drained as Worked[], one, ms),
  });
  await teams.end();
  // Getting warm and counting commands are no rounds.
  for (const { figures } of measured) figures.useful.splice(0, figures.useful.length - rounds);
  const ours = best(measured, config, "ours")?.figures;
  const useful = median(ours?.useful ?? []);
  return {
    measured,
    tables: tables(measured, ["ops", "peer", "useful", "p50", "p99", "max", "callers", "processes"]),
    marks: [
      {
        mark: "hot lock with 1 ms of work, 4 × 8, useful share ≥ 85 %",
        value: percent(useful),
        met: Number.isNaN(useful) ? null : useful >= 0.85,
      },
      atMost("hot lock with 1 ms of work, 4 × 8, wait p99", median(ours?.p99Ms ?? []), {
        limit: 60,
        unit: "ms",
      }),
    ],
  };
}

/** By the machine's clock, which all processes share. */
function inspect(drained: readonly Worked[], { figures, checks }: Measured, ms: number): void {
  const sections = drained.flatMap(({ inside }) =>
    Array.from({ length: inside.length >> 1 }, (_, i) => ({
      from: inside[2 * i] ?? NaN,
      to: inside[2 * i + 1] ?? NaN,
    })),
  );
  sections.sort((a, b) => a.from - b.from);
  const end = ms * 1e3;
  const within = sections.map(({ from, to }) => Math.max(0, Math.min(to, end) - Math.min(from, end)));
  figures.useful.push(sum(within) / end);
  const overlaps = sections.filter(({ from }, i) => i > 0 && from < (sections[i - 1]?.to ?? 0)).length;
  checks.push({ what: "were inside while another was", expected: 0, slack: 0, found: overlaps });
}
