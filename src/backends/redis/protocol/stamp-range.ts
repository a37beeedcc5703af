/**
 * The range of stamps, which are fences [L3] and revisions [S2]. scripts/lib/stamp.lua makes them, and
 * scripts/lib/bounds.lua has the same bound. Holdfast never makes a greater number, after which stamps could not rise.
 */

/** Microseconds: the year 2099. */
export const endOfStamps = 4_100_000_000_000_000;

export function isStamp(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && value < endOfStamps;
}
