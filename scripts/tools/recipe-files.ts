// The files of a recipe whose code needs a framework: its blocks have a mark behind `ts`, such as "```ts nest", and begin with
// a comment that names the file. A recipe without such a block fails. And the commands by which the recipe for bundlers builds
// its program.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const recipes = join(import.meta.dirname, "../../docs/recipes");

/** Writes the blocks of this page that have this mark into a project, each as `changed` makes it. */
export function writeRecipe(
  shop: string,
  { page, mark }: { readonly page: string; readonly mark: string },
  changed: (code: string) => string = (code) => code,
): void {
  const text = readFileSync(join(recipes, page), "utf8");
  const blocks = [...text.matchAll(new RegExp(`^\`\`\`tsx? ${mark}\n// (\\S+)\n(.*?)^\`\`\`$`, "gms"))];
  if (blocks.length === 0)
    throw new Error(`${page} has no block that begins with "\`\`\`ts ${mark}" and a file`);
  for (const [, path = "", code = ""] of blocks) {
    const file = join(shop, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, changed(code));
  }
}

/** Writes the program of the recipe for bundlers, and returns the command that the page has for this one. */
export function writeBundled(shop: string, bundler: string): string {
  const text = readFileSync(join(recipes, "bundlers.md"), "utf8");
  const [, file, program] = /^```ts\n\/\/ (\S+)\n(.*?)^```$/ms.exec(text) ?? [];
  const [, command] = new RegExp(`^\\| ${bundler} \\| \`([^\`]+)\``, "im").exec(text) ?? [];
  if (file === undefined || program === undefined) throw new Error("bundlers.md has no program with a file");
  if (command === undefined) throw new Error(`bundlers.md has no command for ${bundler}`);
  writeFileSync(join(shop, file), program);
  return command;
}
