// A python3 that can import redis-py: one of PATH, or Debian's, whose package is installed where that is possible.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

import { installDebian } from "./redis-program.ts";

function findPython(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin"];
  const found = [...new Set(folders)]
    .map((folder) => join(folder, "python3"))
    .filter((path) => existsSync(path));
  return found.find((path) => spawnSync(path, ["-c", "import redis"], { stdio: "ignore" }).status === 0);
}

/** `undefined`: there is none, and none can be installed; tests that need it are skipped, by a name that says so. */
export async function pythonWithRedis(): Promise<string | undefined> {
  const found = findPython();
  const mayInstall = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  if (found !== undefined || !mayInstall) return found;
  return installDebian("python3-redis", findPython).catch(() => undefined);
}
