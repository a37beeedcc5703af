/**
 * Rounds: every contender runs for a short window, then the next one, then all of them again in another order, so that
 * whatever else the machine does meets all alike. Before the rounds come one to get warm and one to count commands in.
 */
import type { Contender } from "./contenders.ts";
import { isRight, noFigures, type Check, type Measured, type Metric } from "./model.ts";
import { sum } from "./numbers.ts";
import { acknowledged, figuresOf, runRound, type Round, type Window } from "./round.ts";
import type { Census, Server } from "./server.ts";
import type { Drained } from "./tasks/loop.ts";
import type { Team, Teams } from "./team.ts";

export interface Plan extends Omit<Window, "args"> {
  /** Names the configuration in tables. */
  readonly config: string;
  readonly contenders: readonly Contender[];
  readonly workers: number;
  /** More arguments of the task. `name` is different for each contender, and each round if `freshIds`. */
  readonly args?: (name: string, worker: number) => object;
  /** A killed worker leaves its lock behind: where that can happen, the next round takes another id. */
  readonly freshIds: boolean;
  readonly rounds: number;
  /** Each round is of new processes, and nothing gets warm before it. */
  readonly isCold?: boolean;
  /** The ids of a round whose counters together must be what was acknowledged. */
  readonly counters?: (name: string) => readonly string[];
  /** Looks at the results of a round in its own way. */
  readonly inspect?: (drained: readonly Drained[], measured: Measured) => void;
}

/** What is known of one contender while its rounds go on. */
interface Entry {
  readonly contender: Contender;
  readonly measured: Measured;
  readonly names: string[];
  census: Census | undefined;
  acknowledged: number;
  slack: number;
}

/** A process that serves is seldom a second old: before, the compilers of the engine are what is measured. */
const coldRounds = 4;
const warmMs = 300;
const censusMs = 80;

export async function measure(teams: Teams, server: Server | undefined, plan: Plan): Promise<Measured[]> {
  const entries = plan.contenders.map((contender) => newEntry(contender, plan.config));
  const tried = (entry: Entry, from: Server | undefined, ms: number): Promise<Round | undefined> =>
    tryRound(teams, from, { ...plan, ms: Math.min(plan.ms, ms) }, entry);
  for (const entry of plan.isCold === true ? [] : entries) {
    await warm(teams, plan, entry);
    await teams.get(entry.contender, plan.workers); // what it sends to connect is not counted
    entry.census = await server?.census(async () => {
      await tried(entry, undefined, censusMs);
    });
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[(i + round) % entries.length];
      if (entry !== undefined) note(entry, await tried(entry, server, Infinity), plan.contended);
    }
  }
  for (const entry of entries) if (plan.counters) await checkCounters(teams, plan, entry);
  return entries.map(({ measured }) => measured);
}

/** A team gets warm at its first configuration; later ones only change the path. */
async function warm(teams: Teams, plan: Plan, entry: Entry): Promise<void> {
  const team = await teams.get(entry.contender, plan.workers);
  const ms = team.isWarm ? Math.min(plan.ms, warmMs) : plan.ms * coldRounds;
  await tryRound(teams, undefined, { ...plan, ms }, entry);
  team.isWarm = true;
}

/** A worker that ends in the middle of it is an error of its contender, like any other. */
async function tryRound(
  teams: Teams,
  server: Server | undefined,
  plan: Plan,
  entry: Entry,
): Promise<Round | undefined> {
  const team = await teams.get(entry.contender, plan.workers);
  const name = `${entry.contender.kind}-${entry.contender.name}-${plan.config}`.replaceAll(/[^\w-]+/g, "-");
  const id = plan.freshIds ? `${name}-${entry.names.length}` : name;
  entry.names.push(id);
  const args = (worker: number): object => plan.args?.(id, worker) ?? { name: `${id}-${worker}` };
  try {
    const round = await runRound(team, server, { ...plan, args });
    account(team, entry, round);
    if (plan.isCold === true || round.drained.some((one) => one.left > 0)) await teams.drop(team);
    plan.inspect?.(round.drained, entry.measured);
    return round;
  } catch (error) {
    countError(entry, String(error), 1);
    entry.slack = Infinity; // nobody knows what was done
    await teams.drop(team);
    return undefined;
  }
}

function account(team: Team, entry: Entry, round: Round): void {
  entry.acknowledged += acknowledged(round);
  entry.slack += sum(round.drained.map((one) => one.left));
  for (const errors of [...round.drained.map((one) => one.errors), team.stray]) {
    for (const [message, count] of Object.entries(errors)) countError(entry, message, count);
  }
  team.stray = {};
}

function countError(entry: Entry, message: string, count: number): void {
  const { errors } = entry.measured;
  errors[message] = (errors[message] ?? 0) + count;
  entry.slack += count; // what failed may have been done all the same
}

function note({ measured, census }: Entry, round: Round | undefined, contended: boolean): void {
  if (round === undefined) return;
  for (const [metric, value] of Object.entries(figuresOf(round, contended, census))) {
    measured.figures[metric as Metric].push(value);
  }
}

async function checkCounters(teams: Teams, plan: Plan, entry: Entry): Promise<void> {
  const ids = [...new Set(entry.names)].flatMap((name) => plan.counters?.(name) ?? []);
  const team = await teams.get(entry.contender, plan.workers);
  const found = await team.call<number>(0, "total", { ids });
  const { acknowledged: expected, slack } = entry;
  const check: Check = { what: "counter", expected, slack, found };
  entry.measured.checks.push(check);
  if (!isRight(check)) entry.measured.errors["a counter came out wrong"] = Math.abs(found - expected);
}

function newEntry(contender: Contender, config: string): Entry {
  const measured: Measured = {
    config,
    contender: contender.name,
    kind: contender.kind,
    figures: noFigures(),
    errors: {},
    checks: [],
  };
  return { contender, measured, names: [], census: undefined, acknowledged: 0, slack: 0 };
}
