// Packs the package as it would be published, and has publint and attw read the tarball.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules/.bin", name);
const folder = mkdtempSync(join(tmpdir(), "holdfast-pack-"));

try {
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const [packed] = JSON.parse(execFileSync("npm", pack, { cwd: root, encoding: "utf8" })) as PackResult[];
  if (!packed) throw new Error("npm pack packed nothing");
  refuseStrangers(packed.files.map((file) => file.path));
  const tarball = join(folder, packed.filename);
  execFileSync(bin("publint"), ["run", tarball, "--strict"], { cwd: root, stdio: "inherit" });
  execFileSync(bin("attw"), [tarball, "--profile", "esm-only"], { cwd: root, stdio: "inherit" });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

interface PackResult {
  filename: string;
  files: { path: string }[];
}

/** Users get the library and its papers, nothing else. */
function refuseStrangers(paths: string[]): void {
  const expected = /^(dist\/.+\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  const strangers = paths.filter((path) => !expected.test(path));
  if (strangers.length > 0) throw new Error(`these do not belong into the package: ${strangers.join(", ")}`);
}
