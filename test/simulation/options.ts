// The command line of the simulation.

import { join } from "node:path";
import { parseArgs } from "node:util";

import { UsageError, whole } from "../torture/options.ts";

export const help = `npm run simulate -- [options]

Small worlds of processes, callers and faults run in virtual time on the real core, each from its own seed; then each is judged.
Exit code 1: a promise was broken.

  --seed <text>      what to repeat; default: a new one, which is printed
  --calls <n>        ends after the world in which the nth call was made; default 20000, or no limit with --seconds
  --seconds <n>      ends after the world that ran then
  --world <n>        only this one: the number that a violation names
  --first            ends after the first world with a violation
  --trace            prints all that happens; best with --world
  --core <folder>    another src/ than this one
  --help

A seed repeats its worlds: the line "digest" is the same, as long as as many of them have run.
`;

export interface Options {
  readonly help: boolean;
  readonly seed: string;
  /** Whichever of the two is reached first. */
  readonly calls: number;
  readonly seconds: number;
  readonly world: number | undefined;
  readonly first: boolean;
  readonly trace: boolean;
  readonly core: string;
}

export function readOptions(args: readonly string[]): Options {
  const { help = false, seed, calls, seconds, world, first = false, trace = false, core } = parse(args);
  if (seed === "") throw new UsageError("--seed takes a text that is not empty");
  const most = 1_000_000_000;
  return {
    help,
    seed: seed ?? Math.random().toString(36).slice(2, 10),
    calls:
      calls !== undefined
        ? whole("--calls", calls, { min: 1, max: most })
        : seconds === undefined
          ? 20_000
          : Infinity,
    seconds: seconds === undefined ? Infinity : whole("--seconds", seconds, { min: 1, max: 86_400 }),
    world: world === undefined ? undefined : whole("--world", world, { min: 0, max: most }),
    first,
    trace,
    core: core ?? join(import.meta.dirname, "../../src"),
  };
}

function parse(args: readonly string[]) {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }] as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ seed: text, calls: text, seconds: text, world: text, core: text },
        ...{ help: flag, first: flag, trace: flag },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
