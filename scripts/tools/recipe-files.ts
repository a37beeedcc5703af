// The files of a recipe whose code needs a framework: its blocks have a mark behind `ts`, such as "```ts nest", and begin with
// a comment that names the file. A recipe without such a block fails.

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
