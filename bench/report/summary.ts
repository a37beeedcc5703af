/** The one picture for the README: how often Holdfast does what the best peer does once, where it is faster and where slower. */
import type { Results } from "../model.ts";
import { best, opsOf, ratio } from "./compare.ts";
import { ratioChart, type RatioBar } from "./svg.ts";
import type { Chart } from "./charts.ts";

/** The usual case first: several processes, or a network, with a call in flight each. */
const rows: readonly (readonly [name: string, config: string, label: string])[] = [
  ["network", "update of 200 bytes", "update a state, over a network"],
  ["network", "lock + unlock", "lock and unlock, over a network"],
  ["fleet", "update, 8 processes × 1", "update, 8 processes on 2 cores"],
  ["fleet", "lock + unlock, 8 processes × 1", "lock and unlock, 8 processes on 2 cores"],
  ["lock", "one process, 1 in flight", "lock and unlock, one caller"],
  ["lock", "one process, 64 in flight", "lock and unlock, 64 in flight"],
  ["update", "20 KiB, 1 in flight", "update of 20 KiB, one caller"],
  ["work", "4 processes × 8 callers, 1 ms of work", "a hot lock with 1 ms of work inside"],
  ["hot4", "4 processes × 16 callers", "update of one hot state, 64 callers"],
];

export function summary(results: Results): Chart | undefined {
  const bars = rows.flatMap(([name, config, label]): RatioBar[] => {
    const measured = results.cases.find((one) => one.name === name)?.measured ?? [];
    const { ratio: value } = ratio(measured, config, "peer");
    const peer = best(measured, config, "peer");
    return Number.isFinite(value) && opsOf(peer) > 0 ? [{ label, value, beside: peer?.contender ?? "" }] : [];
  });
  if (bars.length === 0) return undefined;
  const title = "Operations per second of Holdfast, divided by those of the best of five lock libraries";
  return {
    file: "summary.svg",
    caption: `${title}. Right of the line, Holdfast is faster; left of it, slower.`,
    svg: ratioChart(
      title,
      `Logarithmic. ${results.date}, medians of ${String(results.rounds)} rounds.`,
      bars,
    ),
  };
}
