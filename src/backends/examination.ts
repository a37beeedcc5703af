/**
 * What `holdfast doctor` finds out about the place of a store. Each kind of backend has an examination of its own, which
 * leaves nothing behind.
 */

/** "warning": it works, but should be known. "unknown": that may not be asked there, or cannot be told. */
export type CheckStatus = "ok" | "warning" | "fail" | "unknown";

export interface Check {
  /** Such as `eviction`. */
  readonly name: string;
  readonly status: CheckStatus;
  /** For people: what was found. Never with a password [P3]. */
  readonly found: string;
  /** What to do; `null` if nothing has to be done. */
  readonly advice: string | null;
}

export const ok = (name: string, found: string): Check => ({ name, status: "ok", found, advice: null });
export const unknown = (name: string, found: string): Check => ({
  name,
  status: "unknown",
  found,
  advice: null,
});
export const warning = (name: string, found: string, advice: string): Check => ({
  name,
  status: "warning",
  found,
  advice,
});
export const fail = (name: string, found: string, advice: string): Check => ({
  name,
  status: "fail",
  found,
  advice,
});

/** `1 state`, `2 states`. */
export function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** The times of round trips, as a check. */
export function roundTrip(times: readonly number[], slowMs: number, advice: string): Check {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? 0;
  const text = (ms: number): string => `${ms.toFixed(2)} ms`;
  const found = `median ${text(at(0.5))}, p99 ${text(at(0.99))} of ${String(times.length)}`;
  return at(0.5) > slowMs ? warning("round trip", found, advice) : ok("round trip", found);
}
