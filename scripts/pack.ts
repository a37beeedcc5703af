// Packs the package as it would be published. Refuses to if anything would go along that a user does not need, or if a link
// of a page that goes along leads to a file that does not.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

const root = join(import.meta.dirname, "..");
const expected = [
  /^dist\/.+\.(js|d\.ts)$/,
  /^(dist\/cjs\/)?package\.json$/,
  /^(README|CHANGELOG)\.md$|^LICENSE$/,
  /^docs\/.+\.md$|^examples\/.+\.(ts|md|txt)$|^bench\/(RESULTS|profile)\.md$|^bench\/charts\/.+\.svg$/,
];

/** Puts the tarball into this folder and answers its path. */
export function pack(folder: string): string {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const output = execFileSync("npm", args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [packed] = JSON.parse(output) as PackResult[];
  if (!packed) throw new Error("npm pack packed nothing");
  const paths = packed.files.map((file) => file.path);
  const strangers = paths.filter((path) => !expected.some((kind) => kind.test(path)));
  if (strangers.length > 0) throw new Error(`these do not belong into the package: ${strangers.join(", ")}`);
  const broken = paths.filter((path) => path.endsWith(".md")).flatMap((page) => brokenLinks(page, paths));
  if (broken.length > 0) throw new Error(`these links lead out of the package: ${broken.join(", ")}`);
  return join(folder, packed.filename);
}

/** The links of a page to files or folders that are not packed. */
function brokenLinks(page: string, packed: readonly string[]): string[] {
  const text = readFileSync(join(root, page), "utf8").replaceAll(/^```.*?^```$/gms, "");
  const targets = [...text.matchAll(/\]\(([^)\s#]+)[^)\s]*\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => {
      const path = posix.join(posix.dirname(page), target);
      return !packed.some((one) => one === path || one.startsWith(`${path.replace(/\/$/, "")}/`));
    })
    .map((target) => `${page} → ${target}`);
}

interface PackResult {
  filename: string;
  files: { path: string }[];
}
