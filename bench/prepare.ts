/** What must be there before anything is measured: the peers in bench/node_modules, and a dist/ that is not stale. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const bench = import.meta.dirname;
const root = join(bench, "..");

export function prepare(): void {
  installPeers();
  execFileSync(process.execPath, ["scripts/build.ts", "--if-stale"], { cwd: root, stdio: "inherit" });
}

/** As the lock file says; again only when that has changed. */
function installPeers(): void {
  const lock = readFileSync(join(bench, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const note = join(bench, "node_modules/.installed");
  if (existsSync(note) && readFileSync(note, "utf8") === wanted) return;
  console.log("Installing the peers into bench/node_modules …");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: bench,
    stdio: "inherit",
  });
  writeFileSync(note, wanted);
}
