/** Tables of what was measured in rounds: one per configuration, a line per contender. */
import { isRight, type Measured, type Metric, type Table } from "../model.ts";
import { median, show, showSpread, sum, times } from "../numbers.ts";
import { best, opsOf } from "./compare.ts";

interface Column {
  readonly head: string;
  readonly cell: (one: Measured, all: readonly Measured[]) => string;
}

const middle =
  (metric: Metric) =>
  ({ figures }: Measured): string =>
    show(median(figures[metric]));

const against =
  (kind: "peer" | "floor") =>
  (one: Measured, all: readonly Measured[]): string =>
    times(opsOf(one) / opsOf(best(all, one.config, kind)));

const columns = {
  ops: { head: "ops/s (spread)", cell: ({ figures }: Measured) => showSpread(figures.opsPerSecond) },
  peer: { head: "to best peer", cell: against("peer") },
  floor: { head: "to floor", cell: against("floor") },
  p50: { head: "p50 ms", cell: middle("p50Ms") },
  p99: { head: "p99 ms", cell: middle("p99Ms") },
  max: { head: "max ms", cell: middle("maxMs") },
  callers: { head: "most/least caller", cell: middle("callers") },
  processes: { head: "most/least process", cell: middle("processes") },
  useful: { head: "useful", cell: ({ figures }: Measured) => percent(median(figures.useful)) },
  client: { head: "client µs/op", cell: middle("clientUs") },
  commandUs: { head: "in commands µs/op", cell: middle("commandUs") },
  server: { head: "server µs/op", cell: middle("serverUs") },
  commands: { head: "commands/op", cell: middle("commands") },
  errors: { head: "errors", cell: ({ errors }: Measured) => String(sum(Object.values(errors))) },
  right: { head: "counter", cell: counter },
} as const satisfies Record<string, Column>;

export type ColumnName = keyof typeof columns;

const costs: readonly ColumnName[] = ["client", "commandUs", "server", "commands", "errors", "right"];

/** One configuration. Columns of costs, errors and the counter are left out only where no contender has a value. */
export function table(title: string, measured: readonly Measured[], shown: readonly ColumnName[]): Table {
  const chosen = [...shown, ...costs].map((name) => columns[name] as Column);
  const messages = measured.flatMap(({ contender, errors }) =>
    Object.entries(errors)
      .filter(([, count]) => count > 0)
      .map(([message, count]) => `${contender}: ${count} × ${message}`),
  );
  const filled = chosen
    .map(({ head, cell }) => [head, ...measured.map((one) => cell(one, measured))])
    .filter(([, ...cells]) => cells.some((cell) => cell !== "–"));
  return {
    title,
    head: ["", ...filled.map(([head = ""]) => head)],
    rows: measured.map((one, i) => [one.contender, ...filled.map((column) => column[i + 1] ?? "")]),
    ...(messages.length > 0 && { note: `Errors: ${messages.join("; ")}` }),
  };
}

/** Tables of several configurations. */
export function tables(
  measured: readonly Measured[],
  shown: readonly ColumnName[],
  title: (config: string) => string = (config) => config,
): Table[] {
  const configs = [...new Set(measured.map(({ config }) => config))];
  return configs.map((config) =>
    table(
      title(config),
      measured.filter((one) => one.config === config),
      shown,
    ),
  );
}

export function percent(share: number): string {
  return Number.isNaN(share) ? "–" : `${(share * 100).toFixed(1)} %`;
}

/** "right", "right ±3" when three operations were under way in a killed worker, or what it should have been. */
function counter({ checks }: Measured): string {
  if (checks.length === 0) return "–";
  const wrong = checks.find((check) => !isRight(check));
  if (wrong !== undefined) return `WRONG: ${wrong.found} for ${wrong.expected} (${wrong.what})`;
  const slack = Math.max(...checks.map((check) => check.slack));
  return slack > 0 ? `right (±${slack})` : "right";
}
