/** Where a run took place, as far as it matters for its figures. */
import { execFileSync } from "node:child_process";
import { arch, cpus, release, totalmem, type } from "node:os";

export function machine(redisVersion: string): Record<string, string> {
  const all = cpus();
  return {
    processors: `${all.length} × ${all[0]?.model.trim() ?? "unknown"}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    redis: redisVersion,
    connection: "127.0.0.1, one server, nothing kept on disk",
  };
}

export function commit(): string {
  try {
    const args = ["describe", "--always", "--dirty"];
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}
