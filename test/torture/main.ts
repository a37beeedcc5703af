// `npm run torture`: many processes update shared states while faults are injected; then what they recorded is checked.
// See --help, history.ts for the log, checker.ts for what is demanded.
//
// Left out: a server that comes back empty, and FLUSHALL. They take the lists away with everything that was acknowledged, so
// there would be nothing to check; the scenario tests have them.

import {
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { open, type OpenOptions } from "../../src/index.ts";
import type { Account } from "./bank/account.ts";
import { check } from "./checker/checker.ts";
import { History, type Line, type List } from "./checker/history.ts";
import type { Stage } from "./faults/fault.ts";
import { inject } from "./injector.ts";
import { help, readOptions, UsageError, type Options } from "./options.ts";
import { fileLog, Recorder } from "./recorder.ts";
import { repeat, report } from "./report.ts";
import { Team } from "./team.ts";
import { prefix } from "./ways.ts";
import { describe, moveMoney } from "./transfers/move-money.ts";
import { createWorld, type World } from "./world.ts";

/** Short, so that a fault of a few seconds outlasts them. */
const settings: OpenOptions = { prefix, leaseMs: 1_500, waitMs: 4_000, operationMs: 2_000 };

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(options: Options): Promise<number> {
  checkDurability(options);
  const folder = join(import.meta.dirname, "../../temp/torture", `${options.backend}-${options.seed}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const log = openLog(options.log ?? join(folder, "history.jsonl"));
  const epoch = process.hrtime.bigint();
  const mainFile = join(folder, "main.jsonl");
  const recorder = new Recorder(fileLog(mainFile, epoch));
  say(
    `torture: ${options.backend}, ${options.processes} processes, ${options.seconds} s, seed ${options.seed}`,
  );
  const world = await createWorld(options);
  for (const [fault, why] of world.without) say(`without ${fault}: ${why}`);
  const faults = options.faults.filter((name) => !world.without.has(name));
  recorder.write("run", { version: 1, ...options, faults, durability: durability(options) ?? null });
  const scene = await work(options, { world, recorder, epoch, folder, faults });
  await world.close();
  await merge([[mainFile], ...scene.team.files], log);
  const history = await read(log);
  const findings = check(history);
  say(report(history, findings, scene.injected));
  const clean = findings.violations.length === 0;
  if (clean || options.log !== undefined) rmSync(folder, { recursive: true });
  if (!clean || options.log !== undefined) say(`history: ${log}`);
  say(`seed ${options.seed}; the same again: ${repeat(options)}`);
  return clean ? 0 : 1;
}

async function transfer(options: Options, transfers: number): Promise<number> {
  const moved = await moveMoney({ ...options, transfers, say });
  say(describe(moved));
  say(`seed ${options.seed}`);
  return moved.wrong.length === 0 ? 0 : 1;
}

/** Now, so that a path that cannot be written is told before the work and not after it. */
function openLog(path: string): string {
  try {
    writeFileSync(path, "");
    return path;
  } catch (error) {
    throw new UsageError(`--log: ${(error as Error).message}`);
  }
}

type Played = Pick<Stage, "team" | "injected">;

interface Setting {
  readonly world: World;
  readonly recorder: Recorder;
  readonly epoch: bigint;
  readonly folder: string;
  readonly faults: readonly string[];
}

/** The run itself: with faults, then without, then everybody closes, then a look at what is left. */
async function work(options: Options, { world, recorder, epoch, folder, faults }: Setting): Promise<Played> {
  const durable = durability(options);
  const team = new Team({
    places: options.processes,
    seed: options.seed,
    epoch,
    folder,
    options: { ...settings, ...(durable && { durability: durable }) },
    targetOf: world.targetOf,
    recorder,
  });
  process.once("exit", () => team.endAll());
  const scene = {
    world,
    team,
    seed: options.seed,
    recorder,
    injected: new Map<string, number>(),
  };
  const from = performance.now();
  const calmMs = Math.min(14_000, options.seconds * 300);
  const stop = new AbortController();
  const injecting = inject(scene, faults, stop.signal);
  const progress = setInterval(() => say(progressLine(from, scene)), 10_000);
  await sleep(options.seconds * 1_000 - calmMs);
  stop.abort();
  await injecting;
  recorder.write("calm");
  await sleep(Math.max(1_000, options.seconds * 1_000 - (performance.now() - from)));
  await team.finish(30_000);
  clearInterval(progress);
  await recordEnd(world, recorder, team);
  return scene;
}

function progressLine(from: number, { injected }: Played): string {
  const faults = [...injected.values()].reduce((sum, count) => sum + count, 0);
  return `${Math.round((performance.now() - from) / 1_000)} s: ${faults} faults so far`;
}

/** An option of the library's own that it may or may not have yet: it says so itself. */
function durability({ durability: replicas }: Options): { replicas: number; timeoutMs: number } | undefined {
  return replicas === undefined ? undefined : { replicas, timeoutMs: 500 };
}

function checkDurability(options: Options): void {
  const durable = durability(options);
  if (durable === undefined) return;
  try {
    open("redis://127.0.0.1", { ...settings, ...{ durability: durable } }); // lazy: nothing connects
  } catch (error) {
    throw new UsageError(`--durability is not to be had from this Holdfast: ${(error as Error).message}`);
  }
}

async function recordEnd(world: World, recorder: Recorder, team: Team): Promise<void> {
  const lives = new Map(team.files.flat().map((file) => lifeIn(file)));
  for (const { pid, ...left } of await world.leftovers())
    recorder.write("behind", { ...left, life: lives.get(pid) ?? `pid ${pid}` });
  const store = open(world.direct(), { prefix });
  for await (const { id } of store.states({ idPrefix: "list:" })) {
    const stored = await store.state<List>(id).read();
    if (stored !== undefined) recorder.write("final", { id, revision: stored.revision, value: stored.value });
  }
  for await (const { id } of store.states({ idPrefix: "{bank:" })) {
    const value = await store.state<Account>(id).load();
    if (value !== undefined) recorder.write("account", { id, value });
  }
  await store.close();
}

/** A process's first line says its pid. One that was killed before it could say anything did nothing, either. */
function lifeIn(file: string): [number, string] {
  try {
    const text = readFileSync(file, "utf8");
    const line = JSON.parse(text.slice(0, text.indexOf("\n"))) as Line;
    return [Number(line["pid"]), String(line["life"])];
  } catch {
    return [0, "?"];
  }
}

async function* linesOf(files: readonly string[]): AsyncGenerator<string> {
  for (const file of files) {
    if (!existsSync(file)) continue; // it was killed before its first word
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      if (text.endsWith("}")) yield text; // a process that was killed may have written half a line
    }
  }
}

/** One file, in the order of time. Each source is in order already. */
async function merge(sources: readonly (readonly string[])[], target: string): Promise<void> {
  const file = openSync(target, "w");
  const parts: { at: number; text: string; rest: AsyncGenerator<string> }[] = [];
  const advance = async (rest: AsyncGenerator<string>): Promise<void> => {
    const next = await rest.next();
    if (next.done === true) return;
    const { at } = JSON.parse(next.value) as Line;
    parts.push({ at, text: next.value, rest });
  };
  for (const files of sources) await advance(linesOf(files));
  while (parts.length > 0) {
    let first = 0;
    for (let n = 1; n < parts.length; n += 1) if (parts[n]!.at < parts[first]!.at) first = n;
    const [part] = parts.splice(first, 1);
    writeSync(file, `${part!.text}\n`);
    await advance(part!.rest);
  }
}

async function read(file: string): Promise<History> {
  const history = new History();
  for await (const text of linesOf([file])) history.add(JSON.parse(text) as Line);
  return history.close();
}

// Ends in good order: servers and processes of ours go with this one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) say(help);
  else
    process.exitCode = await (options.transfers === undefined
      ? main(options)
      : transfer(options, options.transfers));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${help}`);
  process.exitCode = 2;
}
