/** Which charts there are, made of what was measured. A chart whose case did not run is left out. */
import type { Measured, Metric, Results } from "../model.ts";
import { median } from "../numbers.ts";
import { opsOf } from "./compare.ts";
import { summary } from "./summary.ts";
import { barChart, lineChart, type Bar, type BarPanel, type Line } from "./svg.ts";

export interface Chart {
  readonly file: string;
  readonly caption: string;
  readonly svg: string;
}

export function charts(results: Results): Chart[] {
  return [
    summary(results),
    overview(results),
    throughput(results),
    waits(results),
    growth(results, "commands"),
    growth(results, "serverUs"),
  ].filter((chart) => chart !== undefined);
}

function throughput(results: Results): Chart | undefined {
  const measured = of(results, "lock").filter(({ config }) => config.startsWith("one process"));
  if (measured.length === 0) return undefined;
  const inFlight = [...new Set(measured.map(({ config }) => firstNumber(config)))];
  const title = "Lock and unlock of distinct ids, one process";
  return {
    file: "throughput.svg",
    caption: title,
    svg: lineChart({
      title,
      steps: inFlight,
      xTitle: "in flight",
      yTitle: "lock+unlock per second",
      logarithmic: false,
      lines: linesOf(measured, inFlight, opsOf),
    }),
  };
}

function waits(results: Results): Chart | undefined {
  const measured = of(results, "hot4");
  if (measured.length === 0) return undefined;
  const steps: readonly (readonly [string, Metric])[] = [
    ["p50", "p50Ms"],
    ["p90", "p90Ms"],
    ["p99", "p99Ms"],
    ["p99.9", "p999Ms"],
    ["max", "maxMs"],
  ];
  const title = "Waits for a hot key, 4 processes × 16 callers";
  const lines = measured.map(({ contender, kind, figures }) => ({
    name: contender,
    kind,
    values: steps.map(([, metric]) => median(figures[metric])),
  }));
  return {
    file: "waits.svg",
    caption: `${title}. A polling peer serves a few callers repeatedly and starves the others: its median shows only the callers that were served, and its longest waits are as long as the window (1 s).`,
    svg: lineChart({
      title,
      steps: steps.map(([name]) => name),
      xTitle: "percentile",
      yTitle: "ms",
      logarithmic: true,
      lines,
    }),
  };
}

function growth(results: Results, metric: "commands" | "serverUs"): Chart | undefined {
  const measured = of(results, "growth");
  if (measured.length === 0) return undefined;
  const waiting = [...new Set(measured.map(({ config }) => firstNumber(config)))];
  const what = { commands: "commands", serverUs: "server CPU" }[metric];
  const title = `What one acquisition costs when many wait: ${what}`;
  return {
    file: { commands: "growth-commands.svg", serverUs: "growth-cpu.svg" }[metric],
    caption: `${title}. Callers of one process that lock one id; for Holdfast also tickets of as many processes.`,
    svg: lineChart({
      title,
      steps: waiting,
      xTitle: "waiting",
      yTitle: { commands: "commands per acquisition", serverUs: "µs per acquisition" }[metric],
      logarithmic: true,
      lines: linesOf(measured, waiting, ({ figures }) => median(figures[metric])),
    }),
  };
}

/** All contenders in the cases that matter most: the usual one first. */
function overview(results: Results): Chart | undefined {
  const panels = [
    panel(
      results,
      "network",
      "update of 200 bytes",
      "updates of a state per second: one caller, a network between it and the server",
    ),
    panel(
      results,
      "fleet",
      "update, 8 processes × 1",
      "updates of a state per second: distinct ids, 8 processes × 1 caller",
    ),
    panel(
      results,
      "fleet",
      "lock + unlock, 8 processes × 1",
      "lock+unlock per second: distinct ids, 8 processes × 1 caller",
    ),
    panel(results, "lock", "one process, 64 in flight", "lock+unlock per second: distinct ids, 64 in flight"),
    panel(
      results,
      "hot4",
      "4 processes × 16 callers",
      "updates of one hot state per second: 4 processes × 16 callers",
    ),
  ].filter((one) => one !== undefined);
  if (panels.length === 0) return undefined;
  const { machine, date, quick } = results;
  const about = [
    `${quick ? "A QUICK LOOK ONLY. " : ""}Medians of ${results.rounds} interleaved rounds; each panel has one scale, from zero.`,
    `${machine["processors"] ?? ""}, Node ${machine["node"] ?? ""}, Redis ${machine["redis"] ?? ""} on the same machine, ${date}.`,
  ];
  return {
    file: "overview.svg",
    caption:
      "Holdfast (blue), its peers (orange) and what bare Redis commands reach without any library (grey).",
    svg: barChart("Holdfast beside its peers and bare Redis: more is better", about, panels),
  };
}

function panel(results: Results, name: string, config: string, title: string): BarPanel | undefined {
  const measured = of(results, name).filter((one) => one.config === config);
  if (measured.length === 0) return undefined;
  const bars: Bar[] = measured.map((one) => ({ name: one.contender, kind: one.kind, value: opsOf(one) }));
  return { title, bars };
}

/** A line per contender over configurations that differ in their first number. */
function linesOf(
  measured: readonly Measured[],
  steps: readonly string[],
  value: (one: Measured) => number,
): Line[] {
  const names = [...new Set(measured.map(({ contender }) => contender))];
  return names.map((name) => {
    const own = measured.filter(({ contender }) => contender === name);
    const values = steps.map((step) => {
      const one = own.find(({ config }) => firstNumber(config) === step);
      return one === undefined ? NaN : value(one);
    });
    return { name, kind: own[0]?.kind ?? "peer", values };
  });
}

function firstNumber(config: string): string {
  return /\d+/.exec(config)?.[0] ?? config;
}

function of(results: Results, name: string): readonly Measured[] {
  return results.cases.find((one) => one.name === name)?.measured ?? [];
}
