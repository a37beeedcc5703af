// Packs dist/ as it would be published. Refuses to if anything would go along that a user does not need.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const expected = /^(dist\/.+\.(js|d\.ts)|(dist\/cjs\/)?package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

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
  const strangers = packed.files.map((file) => file.path).filter((path) => !expected.test(path));
  if (strangers.length > 0) throw new Error(`these do not belong into the package: ${strangers.join(", ")}`);
  return join(folder, packed.filename);
}

interface PackResult {
  filename: string;
  files: { path: string }[];
}
