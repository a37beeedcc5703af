// What a run says at its end: what was done, what was injected, what was found.

import type { Findings } from "./checker/checker.ts";
import type { History } from "./checker/history.ts";
import type { Options } from "./options.ts";

/** So many violations are shown in full; the rest is counted. */
const shown = 20;

export function report(history: History, findings: Findings, injected: ReadonlyMap<string, number>): string {
  const lines = ["done:"];
  for (const [op, counts] of countCalls(history)) lines.push(`  ${op.padEnd(8)} ${counts}`);
  for (const [figure, count] of Object.entries(findings.figures)) lines.push(`  ${figure}: ${count}`);
  const ids = [...history.finals.values()].reduce((sum, final) => sum + final.ids.length, 0);
  lines.push(`  ${history.finals.size} lists with ${ids} ids at the end`);
  lines.push("injected:");
  if (injected.size === 0) lines.push("  nothing");
  for (const [name, count] of [...injected].sort()) lines.push(`  ${name}: ${count}`);
  lines.push(`found: violations: ${findings.violations.length}`);
  for (const { rule, text } of findings.violations.slice(0, shown)) lines.push(`  ${rule}: ${text}`);
  if (findings.violations.length > shown) lines.push(`  and ${findings.violations.length - shown} more`);
  return lines.join("\n");
}

export function repeat({ backend, seed, seconds, processes, faults, insist, durability }: Options): string {
  const some = insist || faults.length === 0 ? ` --faults ${faults.join(",") || "none"}` : "";
  const durable = durability === undefined ? "" : ` --durability ${durability}`;
  return `npm run torture -- --backend ${backend} --seed ${seed} --seconds ${seconds} --processes ${processes}${some}${durable}`;
}

function countCalls({ calls }: History): [string, string][] {
  const ops = [...new Set(calls.map(({ op }) => op))].sort();
  return ops.map((op) => {
    const of = calls.filter((call) => call.op === op);
    const count = (outcome: string): number => of.filter((call) => call.outcome === outcome).length;
    const codes = new Map<string, number>();
    for (const { code } of of) if (code !== undefined) codes.set(code, (codes.get(code) ?? 0) + 1);
    const why = [...codes].map(([code, n]) => `${code} ${n}`).join(", ");
    return [
      op,
      `ok ${count("ok")}, failed ${count("failed")}, unknown ${count("unknown")}${why && ` (${why})`}`,
    ];
  });
}
