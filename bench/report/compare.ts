/** Ratios between contenders, and marks that are met or not. All by the medians of the rounds. */
import type { Mark, Measured } from "../model.ts";
import { median, show, times } from "../numbers.ts";

export function opsOf(measured: Measured | undefined): number {
  return measured === undefined ? NaN : median(measured.figures.opsPerSecond);
}

/** The fastest of a kind in a configuration. */
export function best(all: readonly Measured[], config: string, kind: Measured["kind"]): Measured | undefined {
  const some = all.filter((one) => one.config === config && one.kind === kind && opsOf(one) > 0);
  return some.sort((a, b) => opsOf(b) - opsOf(a))[0];
}

export interface Ratio {
  readonly ratio: number;
  readonly text: string;
}

/** Our operations per second over those of the best of the others. */
export function ratio(all: readonly Measured[], config: string, to: "peer" | "floor"): Ratio {
  const other = best(all, config, to);
  const value = opsOf(best(all, config, "ours")) / opsOf(other);
  return { ratio: value, text: `${times(value)} ${other?.contender ?? "nobody"}` };
}

export function atLeast(mark: string, { ratio: value, text }: Ratio, limit: number): Mark {
  return { mark: `${mark} ≥ ${limit}×`, value: text, met: Number.isNaN(value) ? null : value >= limit };
}

/** A figure that must not be larger. */
export function atMost(
  mark: string,
  value: number,
  { limit, unit }: { readonly limit: number; readonly unit: string },
): Mark {
  return {
    mark: `${mark} ≤ ${limit} ${unit}`.trimEnd(),
    value: `${show(value)} ${unit}`.trimEnd(),
    met: Number.isNaN(value) ? null : value <= limit,
  };
}
