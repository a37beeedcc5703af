// Packs the package as it would be published, and has publint and attw read the tarball.
//   --publish  also refuse to go on while the package has no address: npm runs this before it publishes

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addressProblems } from "./address.ts";
import { pack } from "./pack.ts";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "holdfast-pack-"));

try {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as object;
  const problems = addressProblems(manifest, { isPublished: process.argv.includes("--publish") });
  if (problems.length > 0) throw new Error(`package.json: ${problems.join("; ")}`);
  const tarball = pack(folder);
  run("publint", "run", tarball, "--strict");
  run("attw", tarball);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run(tool: string, ...args: string[]): void {
  execFileSync(join(root, "node_modules/.bin", tool), args, { cwd: root, stdio: "inherit" });
}
