/**
 * The versions of SQLite that can damage a file which several processes write: https://sqlite.org/wal.html#walresetbug
 */
import { warn } from "../../diagnostics/events.ts";
import type { Connection } from "./connection.ts";

/** The first safe release of each branch that was fixed. All later branches are safe. */
const fixed = [
  [3, 44, 6],
  [3, 50, 7],
  [3, 51, 3],
] as const;

export function hasWalResetBug(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const branch = fixed.find(([, fixedMinor]) => fixedMinor === minor);
  if (branch !== undefined && major === 3) return patch < branch[2];
  const [lastMajor, lastMinor] = fixed[fixed.length - 1] ?? [0, 0];
  return major < lastMajor || (major === lastMajor && minor < lastMinor);
}

/** Warns if this version can damage the file. Returns whether it can. */
export function warnOfOldVersion(connection: Connection, name: string): boolean {
  const { version } = connection.get("SELECT sqlite_version() AS version") as { version: string };
  if (!hasWalResetBug(version)) return false;
  const message =
    `${name} uses SQLite ${version}, which in rare cases corrupts the file when several processes write at once. ` +
    `Use a Node with SQLite 3.51.3 or later (3.50.7 and 3.44.6 are also safe).`;
  warn("sqlite-version", message);
  return true;
}
