/** The statuses of the contract that say that something was changed: the backend has recorded the receipt [S5]. */
export const recordedStatuses: ReadonlySet<string> = new Set([
  "saved",
  "deleted",
  "touched",
  "released",
  "kept",
  "cancelled",
]);
