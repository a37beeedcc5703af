/** Parses the command line. For a mistake in it, throws a `UsageError`; main.ts then exits with code 2. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

export const help = `Tallies the words of text files with several processes that share one store.

  npm start                              four workers, on SQLite; one of them is killed half-way;
                                         then the same work with bare load and save: most words get lost
  npm start -- --naive                   only the latter
  npm start -- a.txt b.txt               the words of these files; without any, those of the declaration
                                         files that TypeScript ships, several megabytes
  HOLDFAST_URL=redis://localhost npm start
                                         on Redis

Options
  --workers N    how many worker processes, 1 to 16 (4); a single one is not killed
  --seed N       in which order the workers pick chunks, 0 to 999999 (1)
  --quick        24 chunks instead of 200, and without files only a part of the default ones
  --naive        no lock, no atomic update
  --help         this

Exit code: 0 when the tally equals a plain count by one process, 1 when not, 2 for a wrong command line.`;

export interface Options {
  readonly help: boolean;
  readonly files: readonly string[];
  readonly workers: number;
  readonly seed: number;
  readonly chunks: number;
  readonly naive: boolean;
}

export class UsageError extends Error {}

export function readOptions(args: string[]): Options {
  const { values, positionals } = parse(args);
  const { help, quick, naive } = values;
  return {
    help,
    naive,
    workers: wholeNumber("--workers", values.workers, { min: 1, max: 16 }),
    seed: wholeNumber("--seed", values.seed, { min: 0, max: 999_999 }),
    chunks: quick ? 24 : 200,
    files: help ? [] : positionals.length > 0 ? positionals.map(textFile) : defaultFiles(quick),
  };
}

/** The environment names the store, as it would for your own program. */
export function refuseMemory(url = process.env["HOLDFAST_URL"]): void {
  if (url?.toLowerCase().startsWith("memory:")) {
    throw new UsageError("HOLDFAST_URL=memory: is a store of one process alone; the workers are several.");
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        workers: { type: "string", default: "4" },
        seed: { type: "string", default: "1" },
        quick: { type: "boolean", default: false },
        naive: { type: "boolean", default: false },
        help: { type: "boolean", default: false, short: "h" },
      },
    });
  } catch (error) {
    const [message = ""] = (error as Error).message.split(". "); // the rest is advice for unusual file names
    throw new UsageError(message);
  }
}

function wholeNumber(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`${option} takes a whole number from ${min} to ${max}; got "${text}".`);
}

function textFile(path: string): string {
  // npm runs scripts in the folder of package.json; this variable has the user's working directory.
  const file = resolve(process.env["INIT_CWD"] ?? ".", path);
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw new UsageError(`There is no file ${file}.`);
  if (!stats.isFile()) throw new UsageError(`${file} is not a file.`);
  return file;
}

function defaultFiles(quick: boolean): string[] {
  const folder = join(import.meta.dirname, "../../node_modules/typescript/lib");
  if (!existsSync(folder)) throw new UsageError("TypeScript is not installed here: name some text files.");
  const names = readdirSync(folder).filter((name) => name.endsWith(".d.ts"));
  const some = quick ? names.filter((name) => name.startsWith("lib.es")) : names;
  return some.sort().map((name) => join(folder, name));
}
