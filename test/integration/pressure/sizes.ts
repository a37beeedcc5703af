// How much pressure: the short form fits into CI, the long one (`npm run pressure`, HOLDFAST_LONG=1) is for before a
// release.

/** `MODE` is vitest's --mode. */
export const isLong = process.env["HOLDFAST_LONG"] === "1" || process.env["MODE"] === "long";

export const sizes = {
  grants: isLong ? 100_000 : 20_000,
  dropped: isLong ? 10_000 : 2_000,
  waiters: 10_000,
  waitingProcesses: 8,
  flapMs: isLong ? 60_000 : 10_000,
  workMs: isLong ? 30_000 : 4_000,
} as const;

/**
 * What a grant that is held may cost: the turn, its cohort, line and serving, the grant and its watch. About 1 800 today with
 * 10 000 of them, and up to 2 000 with 2 000, of which what the process has loaded meanwhile is a part.
 */
export const heapPerGrantBytes = 2_560;

export const timeout = isLong ? 600_000 : 90_000;
