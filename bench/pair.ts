/**
 * `npm run bench:pair -- <checkout A> <checkout B> [--on redis://host:port|memory:|stub] [--work lock|update|nested|hot|hot-lock]`
 * `[--callers 64] [--pairs 41] [--ms 200]`
 *
 * Two builds of the library in one process, in turn, for short slices: whatever else the machine does meets both alike. The
 * build that is loaded second is slower for that alone (a build against itself: 1.04), so there are two such processes, one
 * for each order. Prints client CPU per operation of B over that of A: each pair of one process is combined with one of the
 * other (their geometric mean), and of these the median with its 95 % interval. Both checkouts must be built. `stub` is a
 * backend that answers at once, so that what is measured is the core.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import type * as Library from "../src/index.ts";
import type { Backend, Granted, ReleaseReply, WriteReply } from "../src/backend.ts";

type Work = "lock" | "update" | "nested" | "hot" | "hot-lock";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    on: { type: "string", default: "stub" },
    work: { type: "string", default: "lock" },
    callers: { type: "string", default: "64" },
    pairs: { type: "string", default: "41" },
    ms: { type: "string", default: "200" },
    /** Internal: measures, in the order of the arguments, and prints what came out as JSON. */
    measure: { type: "boolean", default: false },
  },
});
const [a, b] = positionals;
if (a === undefined || b === undefined) throw new Error("name two checkouts, both built: A and B");
const callers = Number(values.callers);
const ms = Number(values.ms);

/** CPU per operation, pair by pair, of each side. */
type Costs = readonly [readonly number[], readonly number[]];

if (values.measure) console.log(JSON.stringify(await measure(a, b)));
else report(inNewProcess(a, b), inNewProcess(b, a));

async function measure(first: string, second: string): Promise<Costs> {
  const sides = [await side(first, "a:"), await side(second, "b:")] as const;
  for (let warm = 0; warm < 4; warm++) for (const one of sides) await one.slice(400);
  const costs: [number[], number[]] = [[], []];
  for (let pair = 0; pair < Number(values.pairs); pair++) {
    const order = pair % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const);
    for (const which of order) costs[which].push(await sides[which].slice(ms));
  }
  await Promise.all(sides.map(({ store }) => store.close()));
  return costs;
}

function inNewProcess(first: string, second: string): Costs {
  const { on, work, pairs } = values;
  const options = { on, work, pairs, callers: values.callers, ms: values.ms };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const script = [import.meta.filename, first, second, "--measure", ...args];
  return JSON.parse(execFileSync(process.execPath, script, { encoding: "utf8" })) as Costs;
}

function report([a1, b1]: Costs, [b2, a2]: Costs): void {
  const ratio = (of: readonly number[], to: readonly number[], pair: number): number =>
    (of[pair] ?? NaN) / (to[pair] ?? NaN);
  const ratios = a1.map((_, pair) => Math.sqrt(ratio(b1, a1, pair) * ratio(b2, a2, pair)));
  const [low, middle, high] = median(ratios);
  const each = [a1.concat(a2), b1.concat(b2)].map((cost) => `${median(cost)[1].toFixed(1)} µs`).join(", ");
  console.log(
    `${values.work}, ${callers} callers, ${values.on}: B / A ${middle.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] (${each})`,
  );
}

async function side(checkout: string, prefix: string) {
  const { open } = (await import(`${checkout}/dist/index.js`)) as typeof Library;
  const how = { waitMs: 60_000 };
  const store = values.on === "stub" ? open(stub(), how) : open(values.on, { ...how, ...named(prefix) });
  await store.ready();
  const operation = operationOf(store, values.work as Work);
  return { store, slice: (forMs: number) => slice(operation, forMs) };
}

function named(prefix: string): { prefix?: string } {
  return values.on === "memory:" ? {} : { prefix };
}

function operationOf(store: Library.Store, work: Work): () => Promise<unknown> {
  let n = 0;
  const id = (): string => `id-${n++ % 1_000}`;
  const state = (of: string) => store.state(of, { initial: () => ({ n: 0 }) });
  const [hot, hotLock] = [state("hot"), store.lock("hot")];
  const add = (draft: { n: number }): void => void (draft.n += 1);
  if (work === "hot") return () => hot.update(add);
  if (work === "hot-lock") return () => hotLock.run(() => undefined);
  if (work === "nested") {
    return () => store.lock(id()).run(() => store.lock(`under-${id()}`).run(() => undefined));
  }
  if (work === "update") return () => state(id()).update(add);
  return async () => (await store.lock(id()).acquire()).release();
}

/** Client CPU per operation, in microseconds. */
async function slice(operation: () => Promise<unknown>, forMs: number): Promise<number> {
  const cpu = process.cpuUsage();
  const until = performance.now() + forMs;
  let done = 0;
  const loop = async (): Promise<void> => {
    for (; performance.now() < until; done++) await operation();
  };
  await Promise.all(Array.from({ length: callers }, loop));
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / done;
}

/** Grants and saves everything at the end of the tick. */
function stub(): Backend {
  const bytes = new TextEncoder().encode('{"n":1}');
  const waiting: (() => void)[] = [];
  const answered = <T>(value: T): Promise<T> =>
    new Promise((resolve) => {
      if (waiting.push(() => resolve(value)) > 1) return;
      process.nextTick(() => {
        for (const answer of waiting.splice(0)) answer();
      });
    });
  let stamp = 1;
  const unused = (): never => {
    throw new Error("the stub has no such call");
  };
  return {
    name: "stub",
    clientId: "0123456789abcdef01234567",
    askAgainMs: 5_000,
    pushes: true,
    ready: () => Promise.resolve(),
    connect: () => undefined,
    acquireLock: (_id, _ticket, { load, leaseMs }) => {
      const state = load ? { state: { revision: 1, serializer: "json", bytes } } : {};
      const grant: Granted = { status: "granted", fence: stamp++, fences: 1, leaseMs, waiting: 0, ...state };
      return answered(grant);
    },
    releaseLock: (_id, _ticket, { write }) =>
      answered<ReleaseReply>({ status: "released", revision: write === undefined ? null : stamp++ }),
    writeState: () => answered<WriteReply>({ status: "saved", revision: stamp++ }),
    renewLocks: (entries) => answered(entries.map(() => "renewed" as const)),
    cancelLock: () => answered({ status: "cancelled" } as const),
    loadState: () => answered(null),
    loadStates: unused,
    writeStates: unused,
    describeState: unused,
    touchState: unused,
    commitStates: unused,
    listStates: unused,
    countStates: unused,
    inspectLock: unused,
    noteWaits: unused,
    changeSemaphore: unused,
    inspectSemaphore: unused,
    listLocks: unused,
    onWake: () => undefined,
    close: () => Promise.resolve(),
  };
}

/** With its 95 % interval: by ranks, so that a few slices that were disturbed do not count. */
function median(numbers: readonly number[]): readonly [low: number, middle: number, high: number] {
  const sorted = [...numbers].sort((x, y) => x - y);
  const [half, width] = [sorted.length >> 1, Math.ceil(0.98 * Math.sqrt(sorted.length))];
  const at = (index: number): number => sorted[Math.min(Math.max(index, 0), sorted.length - 1)] ?? NaN;
  return [at(half - width), at(half), at(half + width)];
}
