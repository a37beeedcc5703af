/** The texts of `--help`: of all commands, and of one. */
import type { Command, Option } from "./command.ts";
import { summaries } from "./commands.ts";
import { commonOptions } from "./parse-call.ts";

export function helpOfAll(): string {
  const width = Math.max(...Object.keys(summaries).map((name) => name.length));
  const lines = Object.entries(summaries).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: holdfast COMMAND [options]

Shared state and locks, on Redis or in a SQLite file.

Commands:
${lines.join("\n")}

holdfast COMMAND --help describes a command; holdfast --version prints the version.
Without --url, a command uses $HOLDFAST_URL, otherwise .holdfast/store.db of the project.

Exit codes: 0 success; 1 absent, held by another, not fit, or failed; 2 wrong usage; 3 the store cannot be used.
`;
}

export function helpOf(name: string, { usage, description, options, examples }: Command): string {
  const all: [string, Option][] = Object.entries({ ...options, ...commonOptions });
  const names = all.map(([long, option]) => nameOf(long, option));
  const width = Math.max(...names.map((text) => text.length));
  const lines = all.map(([, { help }], index) => `  ${(names[index] ?? "").padEnd(width)}  ${help}`);
  return `Usage: holdfast ${name} ${usage}

${description}

Options:
${lines.join("\n")}

Examples:
${examples.map((line) => `  ${line}`).join("\n")}
`;
}

function nameOf(long: string, { short, value }: Option): string {
  return `${short === undefined ? "    " : `-${short}, `}--${long}${value === undefined ? "" : ` ${value}`}`;
}
