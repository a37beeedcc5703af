/**
 * `npm start`: several processes count the words of text files together. One of them is killed half-way, and every word
 * still counts exactly once. `npm start -- --help` says more. The work is done in worker.ts; this file runs it.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:os";
import type { HoldfastError } from "holdfast";
import { help, readOptions, refuseMemory, UsageError, type Options } from "./options.ts";
import { compare, grouped, Progress, report, verdict } from "./report.ts";
import { openStore, removeRun, tallyOf } from "./tally.ts";
import { Team } from "./team.ts";
import { countPlainly, planChunks } from "./words.ts";

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
  const run = randomUUID().slice(0, 8);
  const store = openStore();
  await store.ready();
  console.log(opening(workers, { files: files.length, chunks: chunks.length, seed, naive }));

  const progress = new Progress(chunks.length);
  const team = new Team({ run, workers, seed, naive, chunks }, progress);
  try {
    const interrupted = await Promise.race([endingSignal(), team.work()]);
    progress.end();
    if (interrupted !== undefined) return 128 + constants.signals[interrupted];

    const tally = await tallyOf(store, run).load();
    const comparison = compare(tally, await countPlainly(files));
    const isEqual = comparison.missing + comparison.surplus === 0;
    console.log(`${report(tally, team)}\n\n${verdict(comparison)}\n\n${closing(naive, isEqual)}`);
    return isEqual ? 0 : 1;
  } finally {
    await team.dismiss();
    await removeRun(store, run);
    await store.close();
  }
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

function closing(naive: boolean, isEqual: boolean): string {
  if (!naive) return "The same without locks and atomic updates:  npm start -- --naive";
  if (isEqual) return "This time, no worker saved between the load and the save of another.";
  return "Other workers save between the load and the save of one worker, which overwrites them.\nWithout such losses:  npm start";
}
