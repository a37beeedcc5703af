/** Durations on the command line, and as it prints them: `250ms`, `10`, `1.5s`, `5m`, `24h`, `7d`; a bare number is in seconds. */
import { UsageError } from "./exit-codes.ts";

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The duration in milliseconds. Throws UsageError. */
export function durationMs(text: string, name: string): number {
  const [, number, unit = "s"] = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const unitMs = units[unit];
  if (number !== undefined && unitMs !== undefined) return Number(number) * unitMs;
  throw new UsageError(
    `${name} must be a number of seconds, or a number with a unit (ms, s, m, h, d), such as 10, 250ms or 24h; ` +
      `got ${JSON.stringify(text)}.`,
  );
}

const steps = [
  [86_400_000, "d", 3_600_000, "h"],
  [3_600_000, "h", 60_000, "m"],
  [60_000, "m", 1_000, "s"],
] as const;

/** A duration for people: `350 ms`, `9.5 s`, `3 m 20 s`, `2 d 4 h`; `null` is "never". */
export function durationText(ms: number | null): string {
  if (ms === null) return "never";
  if (ms < 1_000) return `${String(Math.round(ms))} ms`;
  for (const [unitMs, unit, restMs, rest] of steps) {
    if (ms >= unitMs)
      return `${String(Math.floor(ms / unitMs))} ${unit} ${String(Math.floor((ms % unitMs) / restMs))} ${rest}`;
  }
  return `${String(Math.floor(ms / 100) / 10)} s`;
}
