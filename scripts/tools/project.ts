// A project of a user, in a temporary folder: a tool that npm installs, holdfast beside it as npm would put it there, and
// the programs of test/tools. Commands are run in it; what they print is shown when they fail.

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";

import { NotInstalled, type Workplace } from "./tool.ts";

const programs = join(import.meta.dirname, "../../test/tools");
const run = promisify(execFile);
const target = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };

/** The optional package for SQLite on Node 20. */
export const sqliteName = "@photostructure/sqlite";
export const sqlitePackage = `${sqliteName}@1.2.1`;
/** What test/tools/clients.ts imports. */
export const clientPackages = ["@redis/client@6.3.1", "ioredis@5.11.1"];

export function writeManifest(folder: string, more: object = {}): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "shop", private: true, ...more }));
}

/** Installs exactly these. */
export async function install(folder: string, packages: readonly string[]): Promise<void> {
  const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"];
  try {
    await command(folder, ["npm", ...args, ...packages]);
  } catch (error) {
    const reason = (error as Error).message.split("\n").find((line) => /npm (error|ERR!)/.test(line));
    const why = reason ?? "it did not say why, or took longer than 200 s";
    throw new NotInstalled(`npm cannot install ${packages.join(" ")}: ${why}`);
  }
}

/** Puts the packed package there, without its optional peers. */
export function addHoldfast(folder: string, { packed }: Workplace): void {
  cpSync(join(packed, "node_modules/holdfast"), join(folder, "node_modules/holdfast"), { recursive: true });
}

/** Copies programs of test/tools as JavaScript, for tools that read no TypeScript. */
export function addPrograms(folder: string, ...names: readonly string[]): void {
  for (const name of names) {
    const source = readFileSync(join(programs, `${name}.ts`), "utf8");
    const { outputText } = ts.transpileModule(source, { compilerOptions: target });
    writeFileSync(join(folder, `${name}.mjs`), outputText.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.mjs"'));
  }
}

export interface CommandOptions {
  /** The `node` that comes first in PATH. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs it and returns what it printed. Programs of the project's packages are found by name. */
export async function command(
  folder: string,
  [program = "", ...args]: readonly string[],
  { node, env = {} }: CommandOptions = {},
): Promise<string> {
  const path = [join(folder, "node_modules/.bin"), ...(node === undefined ? [] : [dirname(node)])];
  const options = {
    cwd: folder,
    env: { ...environment(), PATH: [...path, process.env["PATH"]].join(delimiter), ...env },
    timeout: 200_000,
    maxBuffer: 2 ** 26,
  };
  try {
    const { stdout, stderr } = await run(program, args, options);
    return stdout + stderr;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${[program, ...args].join(" ")} failed:\n${shortened(stdout + stderr)}`, {
      cause: error,
    });
  }
}

/** That of this process, without what changes how Node, the tools or the store behave. */
export function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_ENV: _mode, HOLDFAST_URL: _url, ...rest } = process.env;
  return rest;
}

/** Runs a built program and checks its last line, so that one that does nothing does not pass. */
export async function expectLine(folder: string, args: readonly string[], line: string): Promise<void> {
  const output = await command(folder, args);
  if (!output.split("\n").includes(line))
    throw new Error(`${args.join(" ")} did not print "${line}":\n${shortened(output)}`);
}

/** Lines of minified programs are long. */
function shortened(output: string): string {
  return output.replaceAll(/^(.{300}).+$/gm, "$1 …");
}
