import { transferContenders } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { atLeast, ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { accountId } from "../tasks/transfers.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const accounts = 100;
const alone = { config: "one process, 1 in flight", workers: 1, callers: 1, limit: 1 } as const;
const contended = { config: "4 processes × 16 callers", workers: 4, callers: 16, limit: 5 } as const;

/** Two values that change together. */
export const transfers: Case = {
  name: "transfers",
  title: `Transfers between ${accounts} accounts`,
  about:
    "Each caller repeatedly changes two of the accounts, chosen by chance, in one transaction. With peers: the locks of both, " +
    "MGET, MSET, unlock. The sum of the accounts must count the transfers at the end.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  const teams = new Teams(server.url);
  try {
    for (const { config, workers, callers } of [alone, contended]) {
      say(config);
      measured.push(
        ...(await measure(teams, server, {
          config,
          workers,
          callers,
          contenders: transferContenders,
          task: "transfer",
          args: (name) => ({ name, accounts }),
          freshIds: false,
          contended: workers > 1,
          rounds,
          ms: quick ? 400 : 1_000,
          drainMs: 5_000,
          counters: (name) => Array.from({ length: accounts }, (_, n) => accountId(name, n)),
        })),
      );
    }
  } finally {
    await teams.end();
  }
  const shown = ["ops", "peer", "p50", "p99", "max", "callers"] as const;
  return { measured, tables: tables(measured, shown), marks: marks(measured) };
}

function marks(measured: readonly Measured[]): Mark[] {
  return [alone, contended].map(({ config, limit }) =>
    atLeast(`transfers, ${config}, to the best peer`, ratio(measured, config, "peer"), limit),
  );
}
