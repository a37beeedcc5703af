/**
 * The versions of SQLite that can damage a file which several processes write: https://sqlite.org/wal.html#walresetbug
 */

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
