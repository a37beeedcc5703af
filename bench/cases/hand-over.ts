import { setTimeout as sleep } from "node:timers/promises";
import { few, pinger, waiters, type Contender } from "../contenders.ts";
import type { Mark, Table } from "../model.ts";
import { median, percentile, show, sum } from "../numbers.ts";
import { atMost } from "../report/compare.ts";
import { Server } from "../server.ts";
import { Team, Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** From the call of release in one process until the other one is in, of all rounds. */
interface Passed {
  readonly contender: Contender;
  readonly ms: number[];
  readonly roundMedians: number[];
  errors: number;
}

/** One holder, one waiter. */
export const handOver: Case = {
  name: "hand-over",
  title: "Hand-over: one holder, one waiter in another process",
  about:
    "The time from the call of release in one process until acquire returns in the other, by the machine's " +
    "monotonic clock, after a pause of 10–30 ms in which the second waits. A round trip is a PING on " +
    "@redis/client, in the same run: after the same pause, when client and server sleep as they do before a " +
    "hand-over, and, for comparison, back to back. Commands while waiting: all that a separate server " +
    "receives from clients in 5 s while one process holds the lock and another waits for it.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const teams = new Teams(server.url);
  const contenders = quick ? few : waiters;
  const all: Passed[] = contenders.map((contender) => ({ contender, ms: [], roundMedians: [], errors: 0 }));
  const paced: number[] = [];
  const backToBack: number[] = [];
  for (let round = -1; round < rounds; round++) {
    for (const one of all) await handOvers(teams, one, { round, budgetMs: quick ? 300 : 1_000 });
    const ping = await teams.get(pinger, 1);
    for (let i = 0; i < 20; i++) {
      await sleep(10 + 20 * Math.random());
      paced.push(await ping.call<number>(0, "roundTrip", {}));
    }
    backToBack.push(...(await ping.call<number[]>(0, "roundTrips", { count: 300 })));
  }
  await teams.end();
  const trips = { paced: median(paced), backToBack: median(backToBack) };
  say("commands while waiting");
  const waitMs = quick ? 2_000 : 5_000;
  const perSecond = await Promise.all(contenders.map((contender) => commandsWhileWaiting(contender, waitMs)));
  return {
    measured: [],
    tables: [tableOf(all, trips, perSecond)],
    marks: marksOf(all, trips, perSecond),
  };
}

/** As many as fit into the budget: some peers need a tenth of a second for one. The first round is to get warm. */
async function handOvers(
  teams: Teams,
  one: Passed,
  { round, budgetMs }: { readonly round: number; readonly budgetMs: number },
): Promise<void> {
  const team = await teams.get(one.contender, 2);
  const some: number[] = [];
  const until = performance.now() + (round < 0 ? budgetMs / 3 : budgetMs);
  for (let i = 0; performance.now() < until; i++) {
    try {
      some.push(await handOverOnce(team, `hand-over:${one.contender.name}:${round}:${i}`));
    } catch {
      one.errors += 1;
    }
  }
  if (round < 0) return;
  one.ms.push(...some);
  one.roundMedians.push(median(some));
}

async function handOverOnce(team: Team, id: string): Promise<number> {
  await team.call(0, "hold", { id });
  const entering = team.call<bigint>(1, "hold", { id });
  await sleep(10 + 20 * Math.random());
  const released = await team.call<bigint>(0, "letGo", { id });
  const entered = await entering;
  await team.call(1, "letGo", { id });
  return Number(entered - released) / 1e6;
}

async function commandsWhileWaiting(contender: Contender, ms: number): Promise<number> {
  const server = await Server.start();
  const team = await Team.start(contender, server.url, 2);
  try {
    await team.call(0, "hold", { id: "idle" });
    const entering = team.call(1, "hold", { id: "idle" });
    entering.catch(() => undefined); // it is killed while it waits
    await sleep(300);
    const { fromClients } = await server.census(() => sleep(ms));
    return (sum(fromClients.values()) / ms) * 1e3;
  } finally {
    await team.kill();
    await server.stop();
  }
}

interface Trips {
  readonly paced: number;
  readonly backToBack: number;
}

function tableOf(all: readonly Passed[], trips: Trips, perSecond: readonly number[]): Table {
  return {
    title: "release → entered",
    head: [
      "",
      "p50 ms (rounds)",
      "p99 ms",
      "round trips",
      "back-to-back ones",
      "commands/s while waiting",
      "hand-overs",
      "errors",
    ],
    rows: all.map(({ contender, ms, roundMedians, errors }, i) => [
      contender.name,
      `${show(median(ms))} (${show(Math.min(...roundMedians))}–${show(Math.max(...roundMedians))})`,
      show(
        percentile(
          ms.toSorted((a, b) => a - b),
          0.99,
        ),
      ),
      show(median(ms) / trips.paced),
      show(median(ms) / trips.backToBack),
      show(perSecond[i] ?? NaN),
      String(ms.length),
      String(errors),
    ]),
    note: `A round trip: ${show(trips.paced)} ms after a pause, ${show(trips.backToBack)} ms back to back.`,
  };
}

function marksOf(all: readonly Passed[], trips: Trips, perSecond: readonly number[]): Mark[] {
  const ours = median(all[0]?.ms ?? []);
  return [
    atMost("hand-over p50", ours / trips.paced, { limit: 1.5, unit: "round trips after the same pause" }),
    atMost("commands while waiting", perSecond[0] ?? NaN, { limit: 0.5, unit: "per second" }),
  ];
}
