// What a simulation says at its end: what was done, what was found, and how to see it again.

import type { Call } from "../torture/checker/history.ts";
import type { Verdict, Violation } from "./checker.ts";
import type { Options } from "./options.ts";

/** So many violations are shown in full; the rest is counted. */
const shown = 20;

/** A violation, and the world that it was found in. */
interface Found extends Violation {
  readonly world: number;
}

/** Adds up worlds. */
export class Tally {
  worlds = 0;
  calls = 0;
  readonly found: Found[] = [];
  readonly #outcomes = new Map<string, Map<string, number>>();

  add(world: number, { calls, violations }: Verdict): void {
    this.worlds += 1;
    this.calls += calls.length;
    for (const call of calls) this.#count(call);
    for (const violation of violations) this.found.push({ ...violation, world });
  }

  report(options: Options, seconds: number): string {
    const { seed } = options;
    const lines = [`done: ${this.worlds} worlds, ${this.calls} calls, ${seconds.toFixed(1)} s`];
    for (const [op, outcomes] of [...this.#outcomes].sort())
      lines.push(`  ${op.padEnd(8)} ${textOf(outcomes)}`);
    lines.push(`found: violations: ${this.found.length}`);
    for (const { world, rule, text } of this.found.slice(0, shown))
      lines.push(`  world ${world}: ${rule}: ${text}`);
    if (this.found.length > shown) lines.push(`  and ${this.found.length - shown} more`);
    const [first] = this.found;
    if (first !== undefined) lines.push(`see the first: ${command(seed)} --world ${first.world} --trace`);
    lines.push(`seed ${seed}; the same again: ${command(seed)} --calls ${Math.max(this.calls, 1)}`);
    return lines.join("\n");
  }

  #count({ op, outcome, code }: Call): void {
    const outcomes = this.#outcomes.get(op) ?? new Map<string, number>();
    const name = code === undefined ? outcome : outcome === "unknown" ? `${code} (unknown)` : code;
    outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
    this.#outcomes.set(op, outcomes);
  }
}

const command = (seed: string): string => `npm run simulate -- --seed ${seed}`;

function textOf(outcomes: ReadonlyMap<string, number>): string {
  return [...outcomes]
    .sort()
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
