// `npm run simulate`: the real core in virtual time. See --help, world.ts for what a run is, checker.ts for what is demanded.

import { createHash } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";

import { UsageError } from "../torture/options.ts";
import { judge } from "./checker.ts";
import { loadCopy } from "./core.ts";
import { help, readOptions, type Options } from "./options.ts";
import { Tally } from "./report.ts";
import { mostProcesses } from "./setting.ts";
import { runWorld, type Copies } from "./world.ts";

subscribe("holdfast:warning", () => undefined); // faults are planned here: warnings of them would fill stderr

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(options: Options): Promise<number> {
  const { seed, world, core, trace } = options;
  say(`simulate: seed ${seed}`);
  const copies = await loadCopies(core);
  const tally = new Tally();
  const digest = createHash("sha1");
  const from = performance.now();
  const secondsPassed = (): number => (performance.now() - from) / 1_000;
  for (let number = world ?? 0; !isOver(options, tally, secondsPassed()); number += 1) {
    const remains = await runWorld(copies, `${seed}/${number}`, trace);
    const verdict = judge(remains);
    tally.add(number, verdict);
    digest.update(JSON.stringify(remains.lines));
    if (trace) say(`world ${number}: ${JSON.stringify(remains.setting)}\n${remains.trace.join("\n")}`);
  }
  say(tally.report(options, secondsPassed()));
  say(`digest ${digest.digest("hex")}`);
  return tally.found.length === 0 ? 0 : 1;
}

function isOver(options: Options, tally: Tally, secondsPassed: number): boolean {
  if (options.world !== undefined) return tally.worlds > 0;
  if (options.first && tally.found.length > 0) return true;
  return tally.calls >= options.calls || secondsPassed >= options.seconds;
}

async function loadCopies(folder: string): Promise<Copies> {
  const server = await loadCopy(folder);
  const processes = [];
  for (let n = 0; n < mostProcesses; n += 1) processes.push(await loadCopy(folder));
  return { server, processes };
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) say(help);
  else process.exitCode = await main(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${help}`);
  process.exitCode = 2;
}
