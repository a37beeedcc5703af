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
  const entries = files.sort().map((file) => {
    const name = basename(file, ".lua").replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const text = strip(join(folder, file));
    const sha1 = createHash("sha1").update(text).digest("hex");
    // One line of the script per line here, so that a diff of the generated file can be read.
    const lines = text.split("\n").map((line) => JSON.stringify(line));
    return `${name}: { name: "${name}", sha1: "${sha1}", text: [${lines.join(",\n")}].join("\\n") },`;
  });
  const source = `// Generated from *.lua by scripts/embed-lua.ts (npm run lua). Do not edit.

export interface Script { readonly name: string; readonly sha1: string; readonly text: string }

export const scripts = {\n${entries.join("\n")}\n} as const satisfies Record<string, Script>;\n`;
  return await format(source, { ...(await resolveConfig(target)), parser: "typescript" });
}

function strip(path: string): string {
  const whole = readFileSync(path, "utf8").replaceAll(/^-- @include ([\w-]+)$/gm, (_, name: string) =>
    readFileSync(join(folder, "lib", `${name}.lua`), "utf8"),
  );
  if (/\[=*\[/.test(whole)) throw new Error(`${path}: long brackets cannot be stripped line by line`);
  const lines = whole.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("--")).join("\n");
}
