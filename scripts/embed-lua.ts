// Embeds src/backends/redis/scripts/*.lua in src/backends/redis/scripts/generated.ts, so that no file is read at run time and bundlers work.
// A line `-- @include name` is replaced by scripts/lib/name.lua (once per script, no nesting). Full-line comments, blank lines and
// indentation do not reach the server; our Lua therefore has no long strings or long comments ([[ … ]]), which is checked here.
//   --check  write nothing; fail if the generated file is not what it should be

import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { format, resolveConfig } from "prettier";

const folder = join(import.meta.dirname, "../src/backends/redis/scripts");
const target = join(folder, "generated.ts");

await main();

async function main(): Promise<void> {
  const generated = await generate();
  const current = existsSync(target) ? readFileSync(target, "utf8") : "";
  if (current === generated) return;
  if (process.argv.includes("--check")) {
    console.error(
      "src/backends/redis/scripts/generated.ts is not what the .lua files say: run `npm run lua`",
    );
    process.exitCode = 1;
  } else {
    writeFileSync(target, generated);
  }
}

async function generate(): Promise<string> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".lua"));
  const libraries = readdirSync(join(folder, "lib")).filter((name) => name.endsWith(".lua"));
  const texts = new Map(
    libraries.sort().map((file) => [basename(file, ".lua"), strip(join(folder, "lib", file))]),
  );
  const entries = files.sort().map((file) => {
    const name = camelCase(basename(file, ".lua"));
    const lines = strip(join(folder, file));
    const text = lines.flatMap((line) => withIncluded(line, texts)).join("\n");
    const sha1 = createHash("sha1").update(text).digest("hex");
    return `${name}: { name: "${name}", sha1: "${sha1}", text: ${literal(lines)} },`;
  });
  const parts = [...texts].map(([name, lines]) => `${camelCase(name)}: ${literal(lines)},`);
  const source = `// Generated from *.lua by scripts/embed-lua.ts (npm run lua). Do not edit.

export interface Script { readonly name: string; readonly sha1: string; readonly text: string }

const lib = {\n${parts.join("\n")}\n};

export const scripts = {\n${entries.join("\n")}\n} as const satisfies Record<string, Script>;\n`;
  return await format(source, { ...(await resolveConfig(target)), parser: "typescript" });
}

/** One line of the script per line, so that a diff of the generated file can be read. A library is there once. */
function literal(lines: readonly string[]): string {
  const parts = lines.map((line) => {
    const library = includedBy(line);
    return library === undefined ? JSON.stringify(line) : `lib.${camelCase(library)}`;
  });
  return `[${parts.join(",\n")}].join("\\n")`;
}

function withIncluded(line: string, texts: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const library = includedBy(line);
  if (library === undefined) return [line];
  const text = texts.get(library);
  if (text === undefined) throw new Error(`there is no lib/${library}.lua`);
  return text;
}

function includedBy(line: string): string | undefined {
  return /^-- @include ([\w-]+)$/.exec(line)?.[1];
}

function camelCase(name: string): string {
  return name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The lines that matter; those that include a library stay as they are. */
function strip(path: string): readonly string[] {
  const whole = readFileSync(path, "utf8");
  if (/\[=*\[/.test(whole)) throw new Error(`${path}: long brackets cannot be stripped line by line`);
  const isIncluded = (line: string): boolean => includedBy(line) !== undefined;
  return whole
    .split("\n")
    .map((line) => (isIncluded(line) ? line : line.trim()))
    .filter((line) => isIncluded(line) || (line !== "" && !line.startsWith("--")));
}
