// Very many transfers between a hundred accounts, by several processes that are killed and stopped, and whose connections are
// cut; then the accounts are counted [S9]. What became of each single transfer is the business of ../bank.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { open, type OpenOptions } from "../../../src/index.ts";
import { inject } from "../injector.ts";
import type { Options } from "../options.ts";
import { fileLog, Recorder } from "../recorder.ts";
import { Team } from "../team.ts";
import { prefix } from "../ways.ts";
import { createWorld, type World } from "../world.ts";
import { accountOf, accounts, centsAtFirst } from "./account.ts";
import type { Progress } from "./worker.ts";

const script = join(import.meta.dirname, "worker.ts");
const callers = 16;
/** Short, so that a fault of a few seconds outlasts them. */
const settings: OpenOptions = { prefix, leaseMs: 1_500, waitMs: 4_000, operationMs: 2_000 };

export interface Moved {
  readonly seconds: number;
  /** By the processes' own word. One that was killed did not say everything. */
  readonly progress: Progress;
  /** By the accounts' word. */
  readonly applied: number;
  readonly cents: number;
  readonly expectedCents: number;
  readonly injected: ReadonlyMap<string, number>;
  /** Everything that is wrong, in words. */
  readonly wrong: readonly string[];
}

export interface Setting extends Pick<Options, "backend" | "seed" | "processes" | "faults"> {
  /** How many must be acknowledged. */
  readonly transfers: number;
  readonly say: (text: string) => void;
}

export async function moveMoney(of: Setting): Promise<Moved> {
  const folder = join(import.meta.dirname, "../../../temp/torture", `transfers-${of.backend}-${of.seed}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const defaults = { help: false, seconds: 0, insist: false, durability: undefined, log: undefined };
  const world = await createWorld({ ...defaults, ...of });
  try {
    return await moveIn(world, of, folder);
  } finally {
    await world.close();
    rmSync(folder, { recursive: true });
  }
}

async function moveIn(world: World, of: Setting, folder: string): Promise<Moved> {
  const { seed, processes, faults, transfers, say } = of;
  const told = new Told(transfers);
  const mainFile = join(folder, "main.jsonl");
  const epoch = process.hrtime.bigint();
  const recorder = new Recorder(fileLog(mainFile, epoch));
  const how = { places: processes, seed, epoch, folder, options: settings, recorder, script, callers };
  const team = new Team({ ...how, targetOf: world.targetOf, onMessage: (message) => told.hear(message) });
  const endAll = (): void => team.endAll();
  process.once("exit", endAll);
  const injected = new Map<string, number>();
  const stop = new AbortController();
  const injecting = inject({ world, team, seed, recorder, injected }, faults, stop.signal);
  const telling = setInterval(() => say(`${told.sum.acknowledged} transfers`), 10_000);
  await told.enough;
  const seconds = Number(process.hrtime.bigint() - epoch) / 1e9;
  stop.abort();
  await injecting;
  await team.finish(30_000);
  clearInterval(telling);
  process.off("exit", endAll);
  const wrong = wrongIn([mainFile, ...team.files.flat()]);
  return count(world, { seconds, progress: told.sum, injected, wrong });
}

/** What the processes have said, each of its own calls. */
class Told {
  /** Resolves when enough transfers have been acknowledged. */
  readonly enough: Promise<void>;
  readonly #byLife = new Map<string, Progress>();
  readonly #wanted: number;
  #isEnough!: () => void;

  constructor(wanted: number) {
    this.#wanted = wanted;
    this.enough = new Promise((resolve) => (this.#isEnough = resolve));
  }

  hear(message: unknown): void {
    const { life, progress } = message as { life?: string; progress?: Progress };
    if (life === undefined || progress === undefined) return;
    this.#byLife.set(life, progress);
    if (this.sum.acknowledged >= this.#wanted) this.#isEnough();
  }

  get sum(): Progress {
    const sum = { acknowledged: 0, failed: 0, unknown: 0 };
    for (const one of this.#byLife.values()) {
      sum.acknowledged += one.acknowledged;
      sum.failed += one.failed;
      sum.unknown += one.unknown;
    }
    return sum;
  }
}

async function count(
  world: World,
  so: Pick<Moved, "seconds" | "progress" | "injected" | "wrong">,
): Promise<Moved> {
  const store = open(world.direct(), { prefix });
  const numbers = Array.from({ length: accounts }, (_, number) => number);
  const all = await Promise.all(numbers.map((number) => accountOf(store, number).load()));
  await store.close();
  const sum = (part: "cents" | "changes"): number => all.reduce((so, account) => so + account[part], 0);
  const [cents, applied, expectedCents] = [sum("cents"), sum("changes") / 2, accounts * centsAtFirst];
  const wrong = [...so.wrong];
  if (cents !== expectedCents) wrong.push(`the accounts have ${cents} cents, not ${expectedCents}`);
  if (!Number.isInteger(applied)) wrong.push(`a transfer changed one account only`);
  if (applied < so.progress.acknowledged)
    wrong.push(`${applied} transfers were made, and ${so.progress.acknowledged} acknowledged`);
  return { ...so, applied, cents, expectedCents, wrong };
}

/** Processes that ended by themselves, and what was seen on the spot. */
function wrongIn(files: readonly string[]): string[] {
  const said = files.filter((file) => existsSync(file)); // one may have been killed before its first word
  const lines = said.flatMap((file) => readFileSync(file, "utf8").split("\n"));
  return lines
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as { ev: string; how?: string; what?: string; life?: string })
    .filter(({ ev, how }) => ev === "wrong" || (ev === "died" && how !== "killed" && how !== "closed"))
    .map(({ life, how, what }) => `${life ?? "main"}: ${what ?? `ended by itself: ${how ?? ""}`}`);
}

export function describe({ seconds, progress, applied, cents, injected, wrong }: Moved): string {
  const { acknowledged, failed, unknown } = progress;
  const rate = Math.round(acknowledged / seconds);
  const faults = [...injected].sort().map(([name, times]) => `${name} ${times}`);
  return [
    `transfers: ${acknowledged} acknowledged in ${seconds.toFixed(0)} s (${rate}/s), ${failed} failed, ${unknown} unknown`,
    `  in the accounts: ${applied} transfers, ${cents} cents in all`,
    `injected: ${faults.join(", ") || "nothing"}`,
    `found: violations: ${wrong.length}`,
    ...wrong.map((text) => `  ${text}`),
  ].join("\n");
}
