// Builds dist/: embeds the Lua scripts, compiles src/, and removes from dist/ what has no source any more. dist/cjs/ is the
// same once more in CommonJS, without the command line, for loaders that can load nothing else.
// dist/ is written over, never emptied first, so that a process that runs from it meanwhile does not break.
//   --if-stale  do nothing when no input is newer than the last successful build
//   --clean     remove what building and testing leave behind, and stop

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const commonJs = join(dist, "cjs");
// Its modification time is when the last successful build began: what changed during that build counts as newer.
const stamp = join(root, "node_modules/.cache/holdfast/built");
const inputs = [
  "src",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "tsconfig.cjs.json",
  "scripts/build.ts",
  "scripts/embed-lua.ts",
];
const entries = [
  "index.d.ts",
  "backend.d.ts",
  "msgpack.d.ts",
  "opentelemetry/index.d.ts",
  "pickle.d.ts",
  "redlock/index.d.ts",
  "resharding/index.d.ts",
  "statefulpy/index.d.ts",
  "testing/index.d.ts",
];
const disposable = '/// <reference lib="esnext.disposable" />\n';

if (process.argv.includes("--clean")) clean();
else if (!process.argv.includes("--if-stale") || isStale()) await build();

function clean(): void {
  for (const path of ["dist", "coverage", "temp", "node_modules/.cache/holdfast"]) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
}

async function build(): Promise<void> {
  const begun = new Date();
  execNode("scripts/embed-lua.ts");
  await Promise.all(["tsconfig.build.json", "tsconfig.cjs.json"].map(compile)); // each keeps one core busy for 8 s
  if (process.exitCode === 1) return;
  writeFileSync(join(commonJs, "package.json"), '{ "type": "commonjs" }\n');
  removeOrphans();
  finishDeclarations();
  mkdirSync(join(stamp, ".."), { recursive: true });
  writeFileSync(stamp, "");
  utimesSync(stamp, begun, begun);
}

function execNode(...args: string[]): void {
  try {
    execFileSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  } catch {
    process.exit(1); // it has said why
  }
}

async function compile(project: string): Promise<void> {
  const args = ["node_modules/typescript/bin/tsc", "-p", project];
  const compiler = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
  const [code] = (await once(compiler, "exit")) as [number | null];
  if (code !== 0) process.exitCode = 1; // it has said why
}

/** The compiler leaves `.ts` in the imports of declarations, which older compilers do not read. */
function finishDeclarations(): void {
  for (const file of filesBelow(dist).filter((path) => path.endsWith(".d.ts"))) {
    const text = readFileSync(file, "utf8").replaceAll(/(\bfrom |\bimport\()"(\.[^"]*)\.ts"/g, '$1"$2.js"');
    writeFileSync(
      file,
      entries.includes(compiledFrom(file).replaceAll("\\", "/")) ? referToDisposable(text) : text,
    );
  }
}

/** Users without this lib in their tsconfig must still be able to read our `AsyncDisposable`. */
function referToDisposable(declarations: string): string {
  return disposable + declarations.replaceAll(/^\/\/\/ <reference lib="esnext\.disposable"[^>]*>\r?\n/gm, "");
}

function removeOrphans(): void {
  for (const file of filesBelow(dist)) {
    if (file === join(commonJs, "package.json")) continue;
    const source = join(root, "src", compiledFrom(file)).replace(/(\.d\.ts|\.js)$/, ".ts");
    if (!existsSync(source)) rmSync(file);
  }
}

/** The path of a file in its build, which is that of its source in src/. */
function compiledFrom(file: string): string {
  const isCommonJs = !relative(commonJs, file).startsWith("..");
  return relative(isCommonJs ? commonJs : dist, file);
}

function isStale(): boolean {
  if (!existsSync(stamp) || !existsSync(join(dist, "index.js")) || !existsSync(join(commonJs, "index.js")))
    return true;
  const builtAt = statSync(stamp).mtimeMs;
  return inputs.some((input) => newestMs(join(root, input)) > builtAt);
}

/** Folders count too: their time changes when a file in them is removed. */
function newestMs(path: string): number {
  const stats = statSync(path);
  const below = stats.isDirectory() ? readdirSync(path).map((name) => newestMs(join(path, name))) : [];
  return Math.max(stats.mtimeMs, ...below);
}

function filesBelow(folder: string): string[] {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
