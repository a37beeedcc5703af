import { sharingContenders, sharingNames as names } from "../contenders.ts";
import type { Mark, Measured, Table } from "../model.ts";
import { median, percentile, show, times } from "../numbers.ts";
import { atLeast, atMost, opsOf, type Ratio } from "../report/compare.ts";
import { tables } from "../report/tables.ts";
import { measure } from "../rounds.ts";
import type { Visits } from "../tasks/read-write.ts";
import { Teams } from "../team.ts";
import type { Bench, Case, Outcome } from "./case.ts";

const shapes = [
  { config: "4 processes × 16 callers, 1 in 10 writes, nothing inside", insideMs: 0 },
  { config: "4 processes × 16 callers, 1 in 10 writes, 1 ms inside", insideMs: 1 },
] as const;
const [empty, busy] = shapes;

/** What writers waited, of each round. */
interface Waits {
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  /** The turns that passed before the writer's, p99: all, and those of other writers. */
  readonly turns: number[];
  readonly writers: number[];
}

type WaitsOf = Map<Measured, Waits>;

/** Readers that share a lock with each other, and writers that do not. */
export const sharing: Case = {
  name: "sharing",
  title: "A shared lock: nine of ten calls read, one writes",
  about:
    "All callers repeatedly acquire and release one lock, a tenth of them as writers; with 1 ms inside, they wait for a " +
    "timer meanwhile. A turn is a sequence of readers, or of writers of one process, in the order in which callers " +
    "got in, by the machine's clock; a writer's wait in turns is how many began between its call and its own. Exclusive: the " +
    "same calls on Holdfast's exclusive lock. The floor lets readers pass writers. Instead of the counter: how often a " +
    "writer was inside while another caller was, which must be 0.",
  run,
};

async function run({ server, quick, rounds, say }: Bench): Promise<Outcome> {
  const measured: Measured[] = [];
  const waitsOf: WaitsOf = new Map();
  const teams = new Teams(server.url);
  try {
    for (const { config, insideMs } of shapes) {
      say(config);
      measured.push(
        ...(await measure(teams, server, {
          config,
          contenders: sharingContenders,
          workers: 4,
          callers: 16,
          task: "readWrite",
          args: (name) => ({ name, insideMs }),
          freshIds: true,
          contended: true,
          rounds,
          ms: quick ? 300 : 1_000,
          drainMs: quick ? 200 : 500,
          inspect: (drained, one) => inspect(drained as Visits[], one, waitsOf),
        })),
      );
    }
  } finally {
    await teams.end();
  }
  // Getting warm and counting commands are no rounds.
  for (const waits of waitsOf.values())
    for (const figures of Object.values(waits) as number[][]) figures.splice(0, figures.length - rounds);
  return {
    measured,
    tables: [
      ...tables(measured, ["ops", "floor", "p50", "p99", "max", "callers", "processes"]),
      waitsTable(measured, waitsOf),
    ],
    marks: marks(measured, waitsOf),
  };
}

interface Visit {
  readonly called: number;
  readonly entered: number;
  readonly left: number;
  readonly isWriter: boolean;
  readonly worker: number;
}

function inspect(drained: readonly Visits[], one: Measured, waitsOf: WaitsOf): void {
  const visits = drained.flatMap(({ visits: own }, worker) => visitsOf(own, worker));
  visits.sort((a, b) => a.entered - b.entered);
  one.checks.push({ what: "overlaps of writers", expected: 0, slack: 0, found: overlaps(visits) });
  const waits = waitsOf.get(one) ?? { p50Ms: [], p99Ms: [], turns: [], writers: [] };
  waitsOf.set(one, waits);
  const inTurns = turnsWaited(visits);
  const rising = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b);
  const ms = visits.filter(({ isWriter }) => isWriter).map(({ called, entered }) => (entered - called) / 1e3);
  waits.p50Ms.push(median(ms));
  waits.p99Ms.push(percentile(rising(ms), 0.99));
  waits.turns.push(percentile(rising(inTurns.map(({ all }) => all)), 0.99));
  waits.writers.push(percentile(rising(inTurns.map(({ writers }) => writers)), 0.99));
}

function visitsOf(own: Float64Array, worker: number): Visit[] {
  return Array.from({ length: own.length >> 2 }, (_, i) => ({
    called: own[4 * i] ?? NaN,
    entered: own[4 * i + 1] ?? NaN,
    left: own[4 * i + 2] ?? NaN,
    isWriter: own[4 * i + 3] === 1,
    worker,
  }));
}

/** `visits`: in the order in which they began. */
function overlaps(visits: readonly Visit[]): number {
  let [writerLeft, anyLeft, found] = [-Infinity, -Infinity, 0];
  for (const { entered, left, isWriter } of visits) {
    if (entered < (isWriter ? anyLeft : writerLeft)) found += 1;
    anyLeft = Math.max(anyLeft, left);
    if (isWriter) writerLeft = Math.max(writerLeft, left);
  }
  return found;
}

interface Turns {
  readonly all: number;
  readonly writers: number;
}

function turnsWaited(visits: readonly Visit[]): Turns[] {
  const starts: number[] = [];
  const writersBefore: number[] = [];
  const waited: Turns[] = [];
  let last: Visit | undefined;
  let writers = 0;
  for (const visit of visits) {
    const { isWriter, worker } = visit;
    if (last?.isWriter !== isWriter || (isWriter && last.worker !== worker)) {
      starts.push(visit.entered);
      writersBefore.push(writers);
      if (isWriter) writers += 1;
    }
    last = visit;
    if (!isWriter) continue;
    const own = starts.length - 1;
    let first = own;
    while (first > 0 && (starts[first - 1] ?? 0) > visit.called) first -= 1;
    if (first === own) waited.push({ all: 0, writers: 0 });
    else waited.push({ all: own - first, writers: (writersBefore[own] ?? 0) - (writersBefore[first] ?? 0) });
  }
  return waited;
}

function waitsTable(measured: readonly Measured[], waitsOf: WaitsOf): Table {
  return {
    title: "What writers wait",
    head: ["", "", "p50 ms", "p99 ms", "turns before, p99", "turns of writers before, p99"],
    rows: measured.map((one) => {
      const { p50Ms, p99Ms, turns, writers } = waitsOf.get(one) ?? {};
      const figures = [p50Ms, p99Ms, turns, writers].map((rounds) => show(median(rounds ?? [])));
      return [one.config, one.contender, ...figures];
    }),
  };
}

function marks(measured: readonly Measured[], waitsOf: WaitsOf): Mark[] {
  const of = (config: string, contender: string): Measured | undefined =>
    measured.find((one) => one.config === config && one.contender === contender);
  const toOther = (config: string, other: string): Ratio => {
    const value = opsOf(of(config, names.shared)) / opsOf(of(config, other));
    return { ratio: value, text: `${times(value)} ${other}` };
  };
  const ours = of(busy.config, names.shared);
  const waits = ours && waitsOf.get(ours);
  const callers = median(ours?.figures.callers ?? []);
  return [
    atLeast("shared lock, nothing inside, to bare commands", toOther(empty.config, names.floor), 1),
    atLeast("shared lock, 1 ms inside, to the exclusive lock", toOther(busy.config, names.exclusive), 3),
    atMost("shared lock, 1 ms inside, writers' wait p99", median(waits?.writers ?? []), {
      limit: 3,
      unit: "turns of other writers",
    }),
    atMost("shared lock, 1 ms inside, most/least served caller", callers, { limit: 1.5, unit: "" }),
  ];
}
