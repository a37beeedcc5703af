// Every test that there is, in parts, with the time of each: what `npm test` runs, and what needs more than that. A part that
// fails does not stop the others. .ci/run runs the same parts, one by one.
//   npm run test:all [-- names] [--report file]     --report: what vitest writes as JSON, for one part that has it
//   npm run test:all -- --list                      prints the limit in seconds and the name of each part

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { serverPackages } from "../test/support/programs/server-packages.ts";

interface Part {
  readonly name: string;
  /** For CI, on two cores with nothing beside it; several times what it takes. */
  readonly limitSeconds: number;
  readonly script: string;
  readonly args: readonly string[];
  /** How the script is told where to write its results as JSON, if it can. */
  readonly report?: (file: string) => readonly string[];
}

const root = join(import.meta.dirname, "..");
const vitestReport = (file: string): readonly string[] => [
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${file}`,
];
const servers = serverPackages.filter(({ isDefault }) => isDefault);
const parts: readonly Part[] = [
  { name: "main", limitSeconds: 1_000, script: "test", args: [], report: vitestReport },
  { name: "apart", limitSeconds: 1_300, script: "test:apart", args: [], report: vitestReport },
  ...servers.map(({ name }) => ({
    name,
    limitSeconds: 420,
    script: "test:servers",
    args: [name],
    report: (file: string): readonly string[] => ["--report", file],
  })),
  { name: "tools", limitSeconds: 800, script: "test:tools", args: [] },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false }, report: { type: "string" } },
});
if (values.list) for (const { limitSeconds, name } of parts) console.log(limitSeconds, name);
else runAll(chosen(positionals));

function chosen(names: readonly string[]): readonly Part[] {
  const unknown = names.find((name) => parts.every((part) => part.name !== name));
  if (unknown === undefined)
    return names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name));
  throw new Error(`there is no part "${unknown}"; there are: ${parts.map(({ name }) => name).join(", ")}`);
}

function runAll(all: readonly Part[]): void {
  const lines = all.map((part) => {
    const begun = performance.now();
    const isOk = passes(part);
    if (!isOk) process.exitCode = 1;
    return `${isOk ? "ok    " : "FAILED"}  ${part.name} (${((performance.now() - begun) / 1_000).toFixed(0)} s)`;
  });
  console.log(lines.join("\n"));
}

function passes({ script, args, report }: Part): boolean {
  const more = values.report === undefined ? [] : (report?.(values.report) ?? []);
  const all = ["run", script, "--", ...args, ...more];
  return (
    spawnSync("npm", all, { cwd: root, stdio: "inherit", shell: process.platform === "win32" }).status === 0
  );
}
