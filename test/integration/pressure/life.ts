// One life of a process under pressure: `node --expose-gc life.ts <name> <options as JSON>`. It does its work, closes its
// stores, tells one line of JSON, and must then end by itself: nothing here calls process.exit().
//
// The line says what was measured, and what would be a leak: active resources and listeners that were not there at the
// beginning, unhandled rejections, warnings of Node's.

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { open, type HoldfastError, type OpenOptions, type Store } from "../../../src/index.ts";

export interface LifeOptions {
  readonly url: string;
  readonly open?: OpenOptions;
  readonly count?: number;
  readonly lanes?: number;
  readonly forMs?: number;
  /** Blocks the event loop for so long, again and again. */
  readonly burnMs?: number;
}

/** What every life tells at its end. */
export interface Report {
  readonly figures: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  /** Active resources and listeners that are more than at the beginning. */
  readonly left: readonly string[];
  readonly unhandled: readonly string[];
  readonly warnings: readonly string[];
}

type Ttl = (options: LifeOptions, errors: Record<string, number>) => Promise<Record<string, number>>;

const collect = (globalThis as { gc?: () => void }).gc ?? ((): never => fail("run with --expose-gc"));
const round = (value: number): number => Math.round(value * 10) / 10;

function fail(why: string): never {
  throw new Error(why);
}

/** Only what is still referred to. */
async function heapBytes(): Promise<number> {
  for (let n = 0; n < 4; n += 1) {
    collect();
    await sleep(10);
  }
  return process.memoryUsage().heapUsed;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
}

const waitsOf = (values: readonly number[]): Record<string, number> => ({
  waitP50: percentile(values, 0.5),
  waitP99: percentile(values, 0.99),
  waitMax: percentile(values, 1),
});

async function inLanes(lanes: number, lane: (n: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
}

/** Taken and released, again and again: what stays on the heap? */
async function grants({
  url,
  open: how,
  count = 0,
  lanes = 16,
}: LifeOptions): Promise<Record<string, number>> {
  const store = open(url, { waitMs: 60_000, ...how });
  const take = async (times: number): Promise<void> => {
    let left = times;
    await inLanes(lanes, async (n) => {
      while (left-- > 0) {
        const grant = await store.lock(`grant:${String(n % 12)}`).acquire();
        if (left % 10 === 0 && grant.signal.aborted) fail("aborted");
        if (!(await grant.release())) fail("a grant was lost");
      }
    });
  };
  await take(Math.max(2_000, count / 10)); // until the machine code is made and the pools are filled
  let before = await heapBytes();
  for (let rounds = 1; ; rounds += 1) {
    const from = performance.now();
    await take(count);
    const perSecond = Math.round((count / (performance.now() - from)) * 1000);
    const after = await heapBytes();
    const grownPart = (after - before) / before;
    // At some time Node lets go of 5 MiB of its own (what it needs to load modules). Then nothing can be told: once more.
    if (grownPart < -0.05 && rounds < 3) {
      before = after;
      continue;
    }
    await store.close();
    return { before, after, grownPart, perSecond };
  }
}

/** Renewals that are under way at a look are not what a grant costs. */
async function leastHeapBytes(leaseMs: number): Promise<number> {
  let least = Infinity;
  for (let looks = 0; looks < 12; looks += 1) {
    least = Math.min(least, await heapBytes());
    await sleep(leaseMs / 30);
  }
  return least;
}

/** Acquired and forgotten, never released: they are kept alive, cost little, and are gone after close(). */
async function dropped({ url, open: how, count = 0 }: LifeOptions): Promise<Record<string, number>> {
  const leaseMs = how?.leaseMs ?? Math.max(4_000, count * 1.5);
  const store = open(url, { ...how, leaseMs });
  const take = async (prefix: string, times: number): Promise<void> => {
    let next = 0;
    await inLanes(32, async () => {
      for (let n = next++; n < times; n = next++) await store.lock(`${prefix}:${String(n)}`).acquire();
    });
  };
  await take("warm", 200);
  const before = await heapBytes();
  await take("drop", count);
  const after = await leastHeapBytes(leaseMs);
  await sleep(leaseMs * 1.5); // without renewals they would have ended
  let held = 0;
  for await (const lock of store.locks({ idPrefix: "drop:" }))
    held += "here" in lock.holder && lock.holder.here ? 1 : 0;
  const later = await leastHeapBytes(leaseMs);
  const from = performance.now();
  await store.close({ drainMs: 0 });
  const bytesPerGrant = Math.round((after - before) / count);
  const bytesLater = Math.round((later - before) / count);
  return { bytesPerGrant, bytesLater, held, closeMs: round(performance.now() - from) };
}

/** So many callers wait, in turn for each of `lanes` locks; they are served when whoever holds those releases them. */
async function waiters({
  url,
  open: how,
  count = 0,
  lanes = 1,
}: LifeOptions): Promise<Record<string, number>> {
  const store = open(url, { ...how, waitMs: Infinity });
  await store.ready();
  const waits: number[] = [];
  let served = 0;
  const inside = new Set<string>();
  const calls = Array.from({ length: count }, async (_, n) => {
    const id = `wanted:${String(n % lanes)}`;
    const from = performance.now();
    await store.lock(id).run(async () => {
      if (inside.has(id)) fail("two inside");
      inside.add(id);
      await Promise.resolve();
      served += 1;
      inside.delete(id);
    });
    waits.push(performance.now() - from);
  });
  await Promise.all(calls);
  await store.close();
  return { served, ...waitsOf(waits) };
}

interface Tally {
  n: number;
}

/** Two stores contend for a few ids: locks and updates. Of what was acknowledged nothing may be missing. */
async function work(options: LifeOptions, errors: Record<string, number>): Promise<Record<string, number>> {
  const { url, open: how, lanes = 8, forMs = 1_000, burnMs = 0 } = options;
  const stores = [open(url, { waitMs: 30_000, ...how }), open(url, { waitMs: 30_000, ...how })];
  await Promise.all(stores.map((store) => store.ready()));
  const endsAt = performance.now() + forMs;
  const stopBurning = burn(burnMs);
  const waits: number[] = [];
  const done = { updates: 0, unknown: 0, runs: 0 };
  const inside = new Set<string>();
  const holding = holdLong(stores[0] ?? fail("no store"), endsAt);
  await inLanes(lanes, async (n) => {
    const store = stores[n % 2] ?? fail("no store");
    const id = `work:${String(n % 3)}`;
    while (performance.now() < endsAt) {
      const from = performance.now();
      try {
        await store.lock(id).run(async () => {
          if (inside.has(id)) fail("two inside");
          inside.add(id);
          await sleep(1);
          inside.delete(id);
        });
        waits.push(performance.now() - from);
        done.runs += 1;
        await store.state(id, { initial: (): Tally => ({ n: 0 }) }).run((tally) => (tally.n += 1));
        done.updates += 1;
      } catch (error) {
        inside.delete(id);
        const { code, outcome } = error as Partial<HoldfastError>;
        errors[code ?? String(error)] = (errors[code ?? String(error)] ?? 0) + 1;
        if (outcome === "unknown") done.unknown += 1;
      }
    }
  });
  const lost = await holding;
  stopBurning();
  const sum = await total(stores[1] ?? fail("no store"));
  await Promise.all(stores.map((store) => store.close()));
  return { ...done, sum, lost, ...waitsOf(waits) };
}

/** One lock that is held all the time: whether it was lost, and whether its holder was told. */
async function holdLong(store: Store, endsAt: number): Promise<number> {
  const grant = await store.lock(`held by ${String(process.pid)}`).acquire();
  while (performance.now() < endsAt && !grant.signal.aborted) await sleep(20);
  return (await grant.release()) ? 0 : 1;
}

async function total(store: Store): Promise<number> {
  let sum = 0;
  for (const n of [0, 1, 2]) sum += (await store.state<Tally>(`work:${String(n)}`).load())?.n ?? 0;
  return sum;
}

/** The event loop is never idle: a block of so long, one turn for everybody else, the next block. */
function burn(ms: number): () => void {
  let burning = ms > 0;
  const block = (): void => {
    for (const end = performance.now() + ms; performance.now() < end;);
    if (burning) setImmediate(block);
  };
  if (burning) setImmediate(block);
  return () => {
    burning = false;
  };
}

const lives: Readonly<Record<string, Ttl>> = { grants, dropped, waiters, work };

/** Counted by kind, so that what is more than at the beginning can be told. */
function present(): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (name: string, by: number): unknown => counts.set(name, (counts.get(name) ?? 0) + by);
  for (const name of process.getActiveResourcesInfo()) count(name, 1);
  for (const name of process.eventNames()) count(`on ${String(name)}`, process.listenerCount(name));
  return counts;
}

function moreThan(before: ReadonlyMap<string, number>): string[] {
  return [...present()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name);
}

async function live(name: string, options: LifeOptions): Promise<Report> {
  const unhandled: string[] = [];
  const warnings: string[] = [];
  const errors: Record<string, number> = {};
  process.on("unhandledRejection", (reason) => unhandled.push(String(reason)));
  process.on("warning", (warning) => warnings.push(`${warning.name}: ${warning.message}`));
  const before = present();
  const figures = await (lives[name] ?? fail(`no life ${name}`))(options, errors);
  // Sockets that have been ended need a turn or two of the event loop.
  for (const until = performance.now() + 2_000; moreThan(before).length > 0 && performance.now() < until;) {
    await sleep(10); // one that is not waited for would end the process here
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { figures, errors, left: moreThan(before), unhandled, warnings };
}

if (process.argv[1] === import.meta.filename) {
  const [name = "", options = "{}"] = process.argv.slice(2);
  const input = createInterface(process.stdin);
  await new Promise((resolve) => input.once("close", resolve)); // begins when its input ends
  const report = await live(name, JSON.parse(options) as LifeOptions);
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
