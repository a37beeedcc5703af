// The program of a Redis server: the one that HOLDFAST_TEST_SERVER names, else found, or installed from Debian's package
// where that is possible.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { gotServer } from "./server-packages.ts";

/** Throws an error if the server that is named is not there, so that no other one is tested in its place. */
export function findRedis(): string | undefined {
  const named = process.env["HOLDFAST_TEST_SERVER"] ?? "";
  if (named === "") return findOnPath("redis-server", "valkey-server");
  const found = isPath(named) ? existing(named) : (gotServer(named) ?? findOnPath(named));
  if (found !== undefined) return found;
  throw new Error(
    `HOLDFAST_TEST_SERVER is ${named}, which is not there. Give a path, a program on PATH, or a name of ` +
      `test/support/programs/server-packages.ts after \`npm run test:servers -- --get ${named}\`.`,
  );
}

/** The first folder that has one of them decides. */
export function findOnPath(...names: string[]): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/bin",
    "/usr/local/bin",
    "/usr/sbin",
  ];
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

function isPath(named: string): boolean {
  return named.includes(sep);
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}

/** Debian's package, once for all processes that run tests at this time. */
export async function installRedis(): Promise<string> {
  const mayInstall = process.getuid?.() === 0 && existsSync("/etc/debian_version");
  if (!mayInstall) {
    throw new Error(
      "The tests need a Redis: install redis-server 6.2 or newer, or valkey-server, so that it is found on PATH " +
        "(Debian and Ubuntu: `sudo apt-get install redis-server`; macOS: `brew install redis`).",
    );
  }
  const installed = await installDebian("redis-server", findRedis);
  if (installed === undefined) throw new Error("redis-server was installed but is not found on PATH.");
  return installed;
}

/** Installs Debian's package, unless `find` finds what is wanted by then. */
export function installDebian(name: string, find: () => string | undefined): Promise<string | undefined> {
  return withLock(join(tmpdir(), "holdfast-redis-install"), () => {
    const present = find();
    if (present !== undefined) return present;
    const install = ["install", "-y", "--no-install-recommends", name];
    if (!aptGet(install) && !(aptGet(["update"]) && aptGet(install))) {
      throw new Error(`The tests need ${name}, and \`apt-get install ${name}\` failed: install it by hand.`);
    }
    return find();
  });
}

function aptGet(args: readonly string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}

/** A folder can be made by one process only. One that is ten minutes old was left behind by a process that died. */
async function withLock<T>(folder: string, work: () => T): Promise<T> {
  for (;;) {
    try {
      mkdirSync(folder);
      break;
    } catch {
      const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 600_000) rmSync(folder, { recursive: true, force: true });
      else await sleep(200);
    }
  }
  try {
    return work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
