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
    "# Results of the bench",
    `Written by \`npm run bench\`. ${whatRun(results)}`,
    ...(results.quick ? ["**A quick look: these figures are for nobody to cite.**"] : []),
    "## Marks",
    marks(results),
    "## Charts",
    ...drawn.map(({ file, caption }) => `![${caption}](charts/${file})\n\n${caption}`),
    "## Where and with what",
    list(Object.entries(results.machine).map(([name, value]) => `${name}: ${value}`)),
    contenders(results),
    "## How to read the tables",
    reading,
    ...results.cases.flatMap(section),
    "## Again",
    again,
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
  return ["| mark | here | | case |", "|---|---|---|---|", ...rows].join("\n");
}

function contenders(results: Results): string {
  const rows = results.contenders.map(
    ({ name, version, settings }) => `| ${name} | ${version} | ${settings} |`,
  );
  const rest =
    "Every contender may wait for a lock as long as Holdfast does by default, and its locks live as long on the server. What a peer " +
    "has to be told for that is said here; everything else is at its defaults.";
  return [rest, "", "| contender | package | set up |", "|---|---|---|", ...rows].join("\n");
}

const reading = `Contenders run one after the other in short windows, and all of them again in another order, \
round after round. A figure is the median of the rounds; beside it, in brackets, the lowest and the highest round.

${list([
  "**to best peer, to floor**: operations per second over those of the best peer, or the best floor, of the same table.",
  "**client µs/op**: CPU of all worker processes together. **server µs/op**: all CPU of the server's process. **in commands µs/op**: the part of it that is inside commands, by `INFO commandstats`.",
  "**commands/op**: commands from clients; those that a script calls are not counted. One caller alone waits for a round trip with each.",
  "**counter**: what was acknowledged is what is there. `±`: so many operations were under way in workers that were killed since their callers could not finish.",
  "**errors**: rejections of any call, none left out.",
])}`;

const again = `\`\`\`sh
npm install && npm run bench                 # all of it, about a quarter of an hour; the machine should do nothing else
npm run bench -- --only lock,update          # some cases
npm run bench -- --quick                     # a look
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
