import { setTimeout as sleep } from "node:timers/promises";
import { few, holdfast, type Contender } from "../contenders.ts";
import { noFigures, type Mark, type Measured, type Table } from "../model.ts";
import { median, show, showSpread } from "../numbers.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import { callsBetween, type Server } from "../server.ts";
import type { Pile } from "../tasks/many.ts";
import type { Turned } from "../tasks/tickets.ts";
import { Team, Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

/** Growing numbers of waiters. */
export const growth: Case = {
  name: "growth",
  title: "Growth: the cost of one acquire when many callers wait",
  about:
    "The callers of one process repeatedly lock and unlock one id, so that all but one wait: up to 10 000 of " +
    "them, and up to 1 000 for the peers. Two peers stand for the others: one that polls, and one that is " +
    "notified. Then a queue of 1 to 10 000 tickets on the server, as that many processes would form it: the " +
    "first one releases, the second gets the lock, and a new one joins at the end. Then the memory that one " +
    "waiting caller takes while another process holds the lock.",
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  const measured = await callers(bench);
  bench.say("tickets in the queue");
  const turns = await tickets(bench);
  bench.say("memory of those who wait");
  const memory = await piles(bench);
  const shown = ["ops", "peer", "p99"] as const;
  return {
    measured: [...measured, ...turns.map(asMeasured)],
    tables: [...tables(measured, shown), ticketTable(turns), memory],
    marks: marksOf(turns),
  };
}

async function callers({ server, quick, rounds, say }: Bench): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const waiting of quick ? [10, 1_000] : [1, 10, 100, 1_000, 10_000]) {
    const config = `waiting callers: ${waiting}`;
    say(config);
    const teams = new Teams(server.url);
    const some = await measure(teams, server, {
      config,
      contenders: waiting > 1_000 ? [holdfast] : few,
      workers: 1,
      callers: waiting + 1,
      task: "lockShared",
      args: (id) => ({ name: id }),
      freshIds: true,
      contended: true,
      rounds,
      ms: quick ? 100 : 300,
      drainMs: quick ? 50 : 100,
    });
    measured.push(...some);
    await teams.end();
  }
  return measured;
}

interface Turns {
  readonly waiting: number;
  readonly serverUs: number[];
  readonly commandUs: number[];
  readonly commands: number[];
  wrong: number;
}

/** All lengths in each round, so that the machine's moods meet them alike. */
async function tickets({ server, quick, rounds }: Bench): Promise<Turns[]> {
  const all: Turns[] = [1, 10, 100, 1_000, 10_000].map((waiting) => ({
    waiting,
    serverUs: [],
    commandUs: [],
    commands: [],
    wrong: 0,
  }));
  const team = await Team.start(holdfast, server.url, 1);
  for (let round = 0; round < (quick ? 1 : rounds); round++) {
    for (const one of all) {
      const args = { url: server.url, id: `tickets:${round}:${one.waiting}`, waiting: one.waiting };
      await turnsOf(server, team, one, { ...args, turns: quick ? 200 : 1_000 });
    }
  }
  await team.kill();
  return all;
}

async function turnsOf(
  server: Server,
  team: Team,
  one: Turns,
  args: { readonly turns: number },
): Promise<void> {
  await team.call(0, "queueOfTickets", { ...args, turns: 0 });
  await team.call(0, "queueOfTickets", { ...args, turns: 100 }); // to get warm
  const before = await server.sample();
  const { turns, wrong } = await team.call<Turned>(0, "queueOfTickets", args);
  const after = await server.sample();
  const evalsha = (after.commands.get("evalsha")?.us ?? 0) - (before.commands.get("evalsha")?.us ?? 0);
  one.serverUs.push((after.cpuUs - before.cpuUs) / turns);
  one.commandUs.push(evalsha / turns);
  one.commands.push(callsBetween(before, after) / turns);
  one.wrong += wrong;
}

/** For the charts. Each turn is two commands: the release, and the ask of the one that joins. */
function asMeasured({ waiting, serverUs, commandUs, wrong }: Turns): Measured {
  return {
    config: `waiting tickets: ${waiting}`,
    contender: "Holdfast, tickets",
    kind: "ours",
    figures: { ...noFigures(), serverUs, commandUs, commands: serverUs.map(() => 2) },
    errors: {},
    checks: [{ what: "were out of order", expected: 0, slack: 0, found: wrong }],
  };
}

function ticketTable(all: readonly Turns[]): Table {
  return {
    title: "a queue of tickets on the server: one release, one hand-over, one that joins",
    head: [
      "waiting tickets",
      "in commands µs (spread)",
      "server µs (spread)",
      "calls, scripts' own included",
      "wrong",
    ],
    rows: all.map((one) => [
      String(one.waiting),
      showSpread(one.commandUs),
      showSpread(one.serverUs),
      show(median(one.commands)),
      String(one.wrong),
    ]),
    note: "Wrong: not in the order of the queue, or with a fence that did not increase.",
  };
}

async function piles({ server, quick }: Bench): Promise<Table> {
  const count = quick ? 1_000 : 10_000;
  const rows: string[][] = [];
  for (const contender of few) rows.push(await pileOf(server, contender, count));
  return {
    title: `memory of the client for each of ${show(count)} callers that wait`,
    head: ["", "heap bytes", "resident bytes", "errors"],
    rows,
  };
}

async function pileOf(server: Server, contender: Contender, callers: number): Promise<string[]> {
  const team = await Team.start(contender, server.url, 2);
  const id = `pile:${contender.name}`;
  await team.call(0, "hold", { id });
  const settleMs = callers / 10;
  const { heapBytes, residentBytes, errors } = await team.call<Pile>(1, "pile", { id, callers, settleMs });
  await team.kill();
  await sleep(50);
  return [contender.name, show(heapBytes), show(residentBytes), String(errors)];
}

/** From one waiter on: with none there is nobody to hand over to. */
function marksOf(all: readonly Turns[]): Mark[] {
  const work = all.map(({ commandUs }) => median(commandUs));
  const spread = Math.max(...work) / Math.min(...work);
  const calls = all.map(({ commands }) => median(commands));
  const callSpread = Math.max(...calls) / Math.min(...calls);
  return [
    {
      mark: "growth: server work per acquisition constant from 1 to 10 000 waiters, within 20 %",
      value: `time × ${spread.toFixed(2)}, calls × ${callSpread.toFixed(2)} from the cheapest to the most expensive`,
      met: spread <= 1.2,
    },
  ];
}
