// The entry points of the package and their sources, by what package.json exports: a new one is in the site by itself.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface EntryPoint {
  /** What programs import: "holdfast/testing". */
  readonly name: string;
  readonly source: string;
}

export function entryPoints(root: string): readonly EntryPoint[] {
  const { name, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  };
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? [] // package.json itself
      : [{ name: name + path.slice(1), source: sourceOf(target.default) }],
  );
}

/** "./dist/testing/index.js" is built from "src/testing/index.ts". */
function sourceOf(built: string): string {
  return built.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts");
}
