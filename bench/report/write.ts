/** Writes bench/RESULTS.md and bench/charts/. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CaseResult, Results } from "../model.ts";
import { charts, type Chart } from "./charts.ts";
import { tableAsMarkdown, verdict } from "./text.ts";

const folder = join(import.meta.dirname, "..");

export function writeResults(results: Results): void {
  const drawn = charts(results);
  mkdirSync(join(folder, "charts"), { recursive: true });
  for (const { file, svg } of drawn) writeFileSync(join(folder, "charts", file), svg);
  writeFileSync(join(folder, "RESULTS.md"), markdown(results, drawn));
}

function markdown(results: Results, drawn: readonly Chart[]): string {
  const parts = [
    "# Benchmark results",
    `Written by \`npm run bench\`. ${whatRun(results)}`,
    ...(results.quick ? ["**A quick run: do not cite these figures.**"] : []),
    "## Charts",
    ...drawn.map(({ file, caption }) => `![${caption}](charts/${file})\n\n${caption}`),
    "## Setup",
    list(Object.entries(results.machine).map(([name, value]) => `${name}: ${value}`)),
    contenders(results),
    "## How to read the tables",
    reading,
    ...results.cases.flatMap(section),
    "## Running it again",
    again,
    "## For developers: performance targets",
    marks(results),
  ];
  return `${parts.join("\n\n")}\n`;
}

function whatRun({ date, commit, rounds, seconds, only }: Results): string {
  const which = only.length === 0 ? "" : `, only ${only.join(", ")}`;
  return `${date}, commit ${commit}, ${rounds} rounds, ${Math.round(seconds / 60)} minutes${which}.`;
}

function marks({ cases }: Results): string {
  const rows = cases.flatMap((one) =>
    one.marks.map(({ mark, value, met }) => `| ${mark} | ${value} | ${verdict(met)} | ${one.name} |`),
  );
  return ["| target | measured | | case |", "|---|---|---|---|", ...rows].join("\n");
}

function contenders(results: Results): string {
  const rows = results.contenders.map(
    ({ name, version, settings }) => `| ${name} | ${version} | ${settings} |`,
  );
  const rest =
    "Every contender may wait for a lock as long as Holdfast does by default, and its locks have the same lease on the server. The " +
    "options that a peer needs for that are listed here; everything else is at its defaults.";
  return [rest, "", "| contender | package | set up |", "|---|---|---|", ...rows].join("\n");
}

const reading = `Each round runs all contenders one after another, in short windows and in a different order. A figure \
is the median of the rounds; the lowest and the highest round are in brackets.

${list([
  "**to best peer, to floor**: operations per second, divided by those of the best peer, or of the best floor, in the same table.",
  "**client µs/op**: CPU time of all worker processes together. **server µs/op**: all CPU time of the server process. **in commands µs/op**: the part of it that is spent in commands, as reported by `INFO commandstats`.",
  "**commands/op**: commands from clients; commands called by a script are not counted. A single caller waits one round trip for each command.",
  "**counter**: whether the final count equals the acknowledged operations. `±`: the number of operations in flight in workers that were killed because their callers could not finish.",
  "**errors**: all rejected calls.",
])}`;

const again = `\`\`\`sh
npm install && npm run bench                 # everything, about 20 minutes; the machine should do nothing else
npm run bench -- --only lock,update          # some cases
npm run bench -- --quick                     # a short run
npm run bench -- --help
\`\`\``;

function section({ title, about, tables, seconds, name }: CaseResult): string[] {
  return [
    `## ${title}`,
    `${about} (Case \`${name}\`, ${Math.round(seconds)} s.)`,
    ...tables.map(tableAsMarkdown),
  ];
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join("\n");
}
