/**
 * `npm run bench`: Holdfast beside its peers and beside bare Redis, measured in one run. `npm run bench -- --help` says more.
 *
 * It installs the peers into bench/node_modules, builds the library if that is stale, starts a Redis of its own, runs the
 * cases one after the other, and prints tables. A full run also writes bench/RESULTS.md and bench/charts/.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { Bench, Case } from "./cases/case.ts";
import { manyAtOnce } from "./cases/at-once.ts";
import { fleet } from "./cases/fleet.ts";
import { growth } from "./cases/growth.ts";
import { handOver } from "./cases/hand-over.ts";
import { hot, hotProcesses } from "./cases/hot.ts";
import { ids } from "./cases/ids.ts";
import { listing } from "./cases/listing.ts";
import { loads } from "./cases/loads.ts";
import { onDisk } from "./cases/local.ts";
import { lock } from "./cases/lock.ts";
import { network } from "./cases/network.ts";
import { renewal } from "./cases/renewal.ts";
import { semaphores } from "./cases/semaphores.ts";
import { sharing } from "./cases/sharing.ts";
import { shards } from "./cases/shards.ts";
import { start } from "./cases/start.ts";
import { transfers } from "./cases/transfers.ts";
import { update } from "./cases/update.ts";
import { work } from "./cases/work.ts";
import { describeAll } from "./contenders.ts";
import { commit, machine } from "./machine.ts";
import { isRight, type CaseResult, type Results } from "./model.ts";
import { help, readOptions, UsageError, type Options } from "./options.ts";
import { prepare } from "./prepare.ts";
import { caseAsText, markAsText } from "./report/text.ts";
import { writeResults } from "./report/write.ts";
import { Server } from "./server.ts";

const cases: readonly Case[] = [
  fleet,
  network,
  lock,
  update,
  hot,
  hotProcesses,
  work,
  handOver,
  growth,
  ids,
  renewal,
  loads,
  manyAtOnce,
  listing,
  semaphores,
  transfers,
  sharing,
  shards,
  onDisk,
  start,
];

try {
  const names = cases.map(({ name }) => name);
  const options = readOptions(process.argv.slice(2), names);
  if (options.help) console.log(help.replace("CASES", names.join(", ")));
  else await main(options);
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(options: Options): Promise<void> {
  const results = options.from === undefined ? await runAll(options) : readResults(options.from);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 1)}\n`);
  if (options.write || options.from !== undefined) writeResults(results);
  const marks = results.cases.flatMap((one) => one.marks);
  const met = marks.filter((mark) => mark.met === true).length;
  console.log(`\n== Marks: ${met} of ${marks.length} met, ${results.seconds.toFixed(0)} s in all`);
  for (const mark of marks) console.log(markAsText(mark));
  blame(results);
}

/** A counter of ours that came out wrong is a broken promise, however fast it was. */
function blame({ cases }: Results): void {
  for (const { contender, kind, config, checks } of cases.flatMap((one) => one.measured)) {
    const wrong = kind === "ours" ? checks.filter((check) => !isRight(check)) : [];
    for (const { what, expected, found } of wrong) {
      console.error(`WRONG: ${contender}, ${config}: ${found} for ${expected} (${what})`);
      process.exitCode = 1;
    }
  }
}

async function runAll(options: Options): Promise<Results> {
  const begun = performance.now();
  prepare();
  const server = await Server.start();
  try {
    const done: CaseResult[] = [];
    for (const one of cases) {
      if (options.only.length > 0 && !options.only.includes(one.name)) continue;
      done.push(await runCase(one, { ...options, server, say }));
      await server.command("FLUSHALL");
    }
    return {
      date: new Date().toISOString().slice(0, 10),
      commit: commit(),
      quick: options.quick,
      only: options.only,
      rounds: options.rounds,
      machine: machine(await server.version()),
      contenders: describeAll(),
      cases: done,
      seconds: (performance.now() - begun) / 1e3,
    };
  } finally {
    await server.stop();
  }
}

async function runCase(one: Case, bench: Bench): Promise<CaseResult> {
  say(one.title);
  const begun = performance.now();
  const outcome = await one.run(bench);
  const { name, title, about } = one;
  const result = { name, title, about, seconds: (performance.now() - begun) / 1e3, ...outcome };
  console.log(caseAsText(result));
  return result;
}

/** JSON has no numbers that are none: they come back as null, and are put right here. */
function readResults(file: string): Results {
  const numbers = (key: string, value: unknown): unknown => (value === null && key !== "met" ? NaN : value);
  return JSON.parse(readFileSync(file, "utf8"), numbers) as Results;
}

function say(text: string): void {
  console.error(`… ${text}`);
}
