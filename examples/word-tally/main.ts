/**
 * `npm start`: several processes count the words of text files together. One of them is killed half-way, and every word
 * still counts exactly once. Then the same work without locks, which loses most words. `npm start -- --help` says more. The work is done in worker.ts; this file runs it.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:os";
import type { HoldfastError, Store } from "holdfast";
import { help, readOptions, refuseMemory, UsageError, type Options } from "./options.ts";
import { compare, grouped, Progress, report, speed, verdict, type Cost } from "./report.ts";
import { openStore, removeRun, tallyOf } from "./tally.ts";
import { Team } from "./team.ts";
import type { Job } from "./worker.ts";
import { countPlainly, planChunks, type Counts } from "./words.ts";

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(help);
  else process.exitCode = await main(options);
} catch (error) {
  const isUsage = error instanceof UsageError || (error as HoldfastError).code === "INVALID_ARGUMENT";
  console.error((error as Error).message);
  if (isUsage) console.error("Run npm start -- --help for the options.");
  process.exitCode = isUsage ? 2 : 1;
}

async function main({ files, workers, seed, naive, ...options }: Options): Promise<number> {
  refuseMemory();
  const chunks = await planChunks(files, options.chunks);
  if (chunks.length === 0) throw new UsageError("There is nothing in these files.");
  const store = openStore();
  try {
    await store.ready();
    console.log(opening(workers, { files: files.length, chunks: chunks.length, seed, naive }));
    const plain = await countPlainly(files);
    const signal = endingSignal();
    const work = { workers, seed, chunks };
    const code = await tally(store, { plain, signal, work: { ...work, naive } });
    if (naive || code !== 0 || workers === 1) return code; // a single worker loses nothing
    console.log("\nThe same work once more, with bare load and save: no lock, no atomic update.");
    const naiveCode = await tally(store, { plain, signal, work: { ...work, naive: true } });
    return naiveCode > 1 ? naiveCode : 0; // what was lost now is no failure
  } finally {
    await store.close();
  }
}

interface Tallying {
  /** What should come out. */
  readonly plain: Counts;
  /** Resolves when the program shall end early. */
  readonly signal: Promise<NodeJS.Signals>;
  readonly work: Omit<Job, "run" | "worker">;
}

/** One run of a team. Returns the exit code. */
async function tally(store: Store, { plain, signal, work }: Tallying): Promise<number> {
  const run = randomUUID().slice(0, 8);
  const progress = new Progress(work.chunks.length);
  const team = new Team({ run, ...work }, { audience: progress, storeName: store.name });
  try {
    const interrupted = await Promise.race([signal, team.work()]);
    progress.end();
    if (interrupted !== undefined) return 128 + constants.signals[interrupted];

    const result = await tallyOf(store, run).load();
    const comparison = compare(result, plain);
    const isEqual = comparison.missing + comparison.surplus === 0;
    if (!work.naive) console.log(`${report(result, team)}\n${speed(team, await costOf(store, run))}\n`);
    console.log(verdict(comparison));
    if (work.naive) console.log(explanation(isEqual));
    return isEqual ? 0 : 1;
  } finally {
    await team.dismiss();
    await removeRun(store, run);
  }
}

/** How long a save of the tally takes while nothing else is going on. */
async function costOf(store: Store, run: string): Promise<Cost> {
  const state = tallyOf(store, run);
  const value = await state.load();
  const times = 10;
  const from = performance.now();
  for (let n = 0; n < times; n += 1) await state.save(value);
  const saveMs = (performance.now() - from) / times;
  return { saveMs, bytes: JSON.stringify(value).length, isOnDisk: store.name.startsWith("sqlite:") };
}

/** Ctrl-C and similar signals: an early end leaves nothing behind either. A second signal ends the process immediately. */
function endingSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, resolve);
    process.stdout.on("error", () => resolve("SIGPIPE")); // npm start | head
  });
}

function opening(
  workers: number,
  of: { files: number; chunks: number; seed: number; naive: boolean },
): string {
  const who = workers === 1 ? "1 worker tallies" : `${workers} workers tally`;
  const how = of.naive ? ", with bare load and save" : "";
  return `${who} the words of ${grouped(of.files)} ${of.files === 1 ? "file" : "files"} in ${of.chunks} chunks${how} (seed ${of.seed}).`;
}

function explanation(isEqual: boolean): string {
  if (isEqual) return "This time, no worker saved between the load and the save of another.";
  return "Other workers save between the load and the save of one worker, which overwrites them.";
}
