#!/usr/bin/env node
/** The command `holdfast`: finds the command that is called, and turns what it returns or throws into the exit code. */
import { readFileSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";
import { HoldfastError, sentence } from "../errors.ts";
import { isCommand, loadCommand } from "./commands.ts";
import { exitCodeOf, exitCodes, UsageError } from "./exit-codes.ts";
import { helpOf, helpOfAll } from "./help.ts";
import { parseCall } from "./parse-call.ts";
import { printable, withoutPasswords } from "./printable.ts";

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(helpOfAll());
    return name === undefined ? exitCodes.usage : exitCodes.done;
  }
  if (name === "--version") {
    process.stdout.write(`${version()}\n`);
    return exitCodes.done;
  }
  if (!isCommand(name)) {
    const other = Object.hasOwn(namesOfStatefulpy, name) ? namesOfStatefulpy[name] : undefined;
    const advice =
      other === undefined ? "holdfast --help lists the commands." : `holdfast ${other} is the one you mean.`;
    const shown = printable(withoutPasswords(JSON.stringify(name)));
    process.stderr.write(`holdfast: There is no command ${shown}; ${advice}\n`);
    return exitCodes.usage;
  }
  try {
    const command = await loadCommand(name);
    const call = parseCall(command, args);
    if (call !== undefined) return await command.run(call);
    process.stdout.write(helpOf(name, command));
    return exitCodes.done;
  } catch (error) {
    process.stderr.write(`holdfast ${name}: ${withoutPasswords(messageOf(error, name))}\n`);
    return exitCodeOf(error);
  }
}

/** Of the command line of the Python library, where ours differ. */
const namesOfStatefulpy: Readonly<Record<string, string>> = { list: "ls", healthcheck: "doctor" };

/** What is thrown on purpose says what to do; a stack is for a defect. */
function messageOf(error: unknown, name: string): string {
  if (error instanceof UsageError) return printable(`${error.message} See holdfast ${name} --help.`);
  if (error instanceof HoldfastError) return printable(sentence(error.message));
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function version(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}

// Since Node 22.8: what is compiled from now on is kept for the next start, inside of the package. A place that other users
// can write to, such as Node's default, would let them choose what root runs.
const compiled = fileURLToPath(new URL("../../node_modules/.cache/holdfast/compiled", import.meta.url));
(module as Partial<typeof module>).enableCompileCache?.(compiled);
// A reader that has seen enough, such as `head`, closes the pipe: that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.done);
  process.stderr.write(`holdfast: The standard output cannot be written: ${error.message}.\n`);
  process.exit(exitCodes.no);
});
process.exitCode = await main(process.argv.slice(2));
