/**
 * Which folder is the project that a program belongs to: the workspace root of a monorepo, or a package of its own.
 *
 * The nearest package.json counts, unless a folder above it lists that package as a member of its workspace: in
 * `workspaces` of its package.json (npm, Yarn, Bun), in `packages` of its pnpm-workspace.yaml or of its lerna.json. A
 * package that lies in a monorepo without being listed is a project of its own, as it is for the package managers.
 * Files that cannot be read or parsed list nothing: it is not this library that reports what is wrong with them.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The folder of the project of this folder; without any package.json above, the folder itself. */
export function projectFolder(from: string): string {
  const own = foldersFrom(from).find((folder) => existsSync(join(folder, "package.json")));
  if (own === undefined) return from;
  const root = foldersFrom(dirname(own)).find((folder) => lists(folder, own));
  return root ?? own;
}

/** The folder and all above it. */
function foldersFrom(from: string): string[] {
  const folders = [from];
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) folders.push(dirname(folder));
  return folders;
}

/** Whether this folder is the root of a workspace with this member. */
function lists(root: string, member: string): boolean {
  const path = relative(root, member).replaceAll("\\", "/");
  if (path === "") return false;
  const patterns = [
    ...textsOf(jsonIn(root, "package.json"), "workspaces"),
    ...textsOf(jsonIn(root, "lerna.json"), "packages"),
    ...pnpmPackages(textIn(root, "pnpm-workspace.yaml")),
  ];
  let isListed = false;
  for (const pattern of patterns) {
    const isExcluded = pattern.startsWith("!");
    if (matches(path, isExcluded ? pattern.slice(1) : pattern)) isListed = !isExcluded;
  }
  return isListed;
}

/** The patterns under this name: a list, or, as Yarn allows it, an object with the list `packages`. */
function textsOf(json: unknown, name: string): string[] {
  const value = (json as Record<string, unknown> | null | undefined)?.[name];
  const list = Array.isArray(value) ? value : (value as { packages?: unknown } | null | undefined)?.packages;
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}

/** The list `packages` of a pnpm-workspace.yaml, in one line or one item per line. No more of YAML is needed for it. */
function pnpmPackages(yaml: string): string[] {
  const [, inline, block] =
    /^packages:[ \t]*(?:\[([^\]]*)\]|(?:#.*)?\r?\n((?:[ \t]*(?:-.*|#.*)?\r?\n)*))/m.exec(`${yaml}\n`) ?? [
      undefined,
      undefined,
      undefined,
    ];
  const items = inline?.split(",") ?? block?.split("\n").map((line) => line.trim().replace(/^-/, ""));
  return (items ?? []).map(unquoted).filter((item) => item !== "" && !item.startsWith("#"));
}

function unquoted(item: string): string {
  const text = item.trim();
  const [, double, single] = /^"([^"]*)"|^'([^']*)'/.exec(text) ?? [];
  return double ?? single ?? text.replace(/\s+#.*$/, "");
}

/** Globs as workspaces use them: `*` within a name, `**` for any folders, `{a,b}` for either. */
function matches(path: string, glob: string): boolean {
  const plain = glob.replace(/^\.?\//, "").replace(/\/+$/, "");
  const pattern = plain.replaceAll(/\*\*\/?|[*?{},]|[.+^$()|[\]\\]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    return partOfGlob.get(part) ?? `\\${part}`;
  });
  try {
    return new RegExp(`^${pattern}$`).test(path);
  } catch {
    return false; // braces that are not closed
  }
}

const partOfGlob: ReadonlyMap<string, string> = new Map([
  ["**", ".*"],
  ["*", "[^/]*"],
  ["?", "[^/]"],
  ["{", "(?:"],
  ["}", ")"],
  [",", "|"],
]);

function jsonIn(folder: string, name: string): unknown {
  try {
    return JSON.parse(textIn(folder, name));
  } catch {
    return undefined;
  }
}

function textIn(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return "";
  }
}
