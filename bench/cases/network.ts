import { everybody, few } from "../contenders.ts";
import type { Mark, Measured } from "../model.ts";
import { median } from "../numbers.ts";
import { atMost, best } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { Teams } from "../team.ts";
import { startLink } from "../../test/support/faults/link.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** Each way: about the distance between two zones of one region. */
const delayMs = 1.2;

const works = [
  { config: "lock + unlock", task: "lockDistinct", freshIds: true, bytes: undefined, limit: 1.02 },
  { config: "update of 200 bytes", task: "updateOwn", freshIds: false, bytes: 200, limit: 0.53 },
] as const;

/** One caller, and a network between it and the server: how many round trips there are is what counts. */
export const network: Case = {
  name: "network",
  title: "A network between: one caller, distinct ids",
  about:
    "One process with one call in flight reaches the server through a proxy that delays what it passes on by " +
    `${delayMs} ms each way, as a network between two machines does. Times are compared, since they consist of round trips.`,
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const url = new URL(server.url);
  const link = await startLink({ port: Number(url.port) });
  link.delayMs = delayMs;
  url.port = String(link.port);
  const teams = new Teams(url.href);
  const measured: Measured[] = [];
  try {
    for (const { config, task, freshIds, bytes } of works) {
      say(config);
      const some = await measure(teams, server, {
        config,
        contenders: quick ? few : everybody,
        workers: 1,
        callers: 1,
        task,
        args: (name) => ({ name, bytes }),
        freshIds,
        contended: false,
        rounds,
        ms: quick ? 200 : 500,
        drainMs: 5_000,
      });
      measured.push(...some);
    }
  } finally {
    await teams.end();
    await link.close();
  }
  const shown = ["ops", "peer", "floor", "p50", "p99"] as const;
  return { measured, tables: tables(measured, shown), marks: marks(measured) };
}

function marks(measured: readonly Measured[]): Mark[] {
  return works.map(({ config, limit }) => {
    const p50 = (kind: "ours" | "peer"): number => median(best(measured, config, kind)?.figures.p50Ms ?? []);
    const what = `${config} over a network of ${delayMs * 2} ms, the time of the best peer's`;
    return atMost(what, p50("ours") / p50("peer"), { limit, unit: "×" });
  });
}
