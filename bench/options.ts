/** The command line of the bench. */
import { parseArgs } from "node:util";

export interface Options {
  readonly help: boolean;
  readonly quick: boolean;
  readonly rounds: number;
  /** Empty: all. */
  readonly only: readonly string[];
  readonly json: string | undefined;
  /** Write RESULTS.md and the charts. */
  readonly write: boolean;
  /** Make tables, results and charts of an earlier run's JSON, and measure nothing. */
  readonly from: string | undefined;
}

export const help = `npm run bench -- [options]

  --only <case,…>   only these cases: CASES
  --quick           a short run with fewer contenders, about three minutes; do not cite its figures
  --rounds <n>      rounds per contender, 5 (with --quick 2)
  --json <file>     write everything that was measured
  --write           write bench/RESULTS.md and bench/charts/; a full run does so without this option
  --from <file>     do that from such a file, without measuring anything
`;

export class UsageError extends Error {}

export function readOptions(args: readonly string[], cases: readonly string[]): Options {
  const values = parse(args);
  const only = (values.only ?? "").split(",").filter((name) => name !== "");
  const unknown = only.filter((name) => !cases.includes(name));
  if (unknown.length > 0)
    throw new UsageError(`no case is called ${unknown.join(", ")}; there are: ${cases.join(", ")}`);
  const quick = values.quick ?? false;
  const rounds = Number(values.rounds ?? (quick ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new UsageError("--rounds takes a whole number from 1 on");
  return {
    help: values.help ?? false,
    quick,
    rounds,
    only,
    json: values.json,
    write: values.write ?? (!quick && only.length === 0),
    from: values.from,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        only: { type: "string" },
        json: { type: "string" },
        write: { type: "boolean" },
        from: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
