/** From the arguments after a command's name to a call of it. A wrong argument is a UsageError. */
import { parseArgs } from "node:util";
import type { Call, Command, OptionTable } from "./command.ts";
import { sentence } from "../errors.ts";
import { UsageError } from "./exit-codes.ts";
import { Output } from "./output.ts";

/** The options of every command. */
export const commonOptions = {
  json: { type: "boolean", help: "print results as JSON, one object on a line" },
  help: { type: "boolean", short: "h", help: "show this help" },
} as const satisfies OptionTable;

/** `undefined`: its help is wanted. */
export function parseCall(command: Command, args: readonly string[]): Call | undefined {
  const end = command.takesChildCommand === true ? args.indexOf("--") : -1;
  const own = end < 0 ? args : args.slice(0, end);
  const { values, positionals: operands } = parse(command, own);
  if (values["help"] === true) return undefined;
  const { min, max } = command.operands;
  if (operands.length < min) throw new UsageError("An argument is missing.");
  const extra = operands[max];
  if (extra !== undefined) {
    const hint = command.takesChildCommand === true ? " The command to run begins after --." : "";
    throw new UsageError(`Unexpected argument ${JSON.stringify(extra)}.${hint}`);
  }
  const childCommand = end < 0 ? [] : args.slice(end + 1);
  if (command.takesChildCommand === true && childCommand.length === 0) {
    throw new UsageError("The command to run is missing: write it after --.");
  }
  return { values, operands, childCommand, output: new Output(values["json"] === true) };
}

interface Parsed {
  readonly values: Call["values"];
  readonly positionals: readonly string[];
}

function parse({ options }: Command, args: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...args], options: { ...options, ...commonOptions }, allowPositionals: true });
  } catch (error) {
    const [what = ""] = (error as Error).message.split(/\.\s/); // what follows is about arguments that begin with "-"
    throw new UsageError(sentence(what));
  }
}
