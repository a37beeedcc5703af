/** Counts what became of the records, reports each that failed, shows progress, and sums up. */
import type { Output } from "../output.ts";
import { exitCodes } from "../exit-codes.ts";
import { labelOf, namedId } from "./ids.ts";
import type { Result } from "./put-state.ts";

const progressMs = 1_000;

const dryRunTexts = {
  written: "would be written",
  overwritten: "would be overwritten",
  equal: "is there already",
  expired: "has expired",
} as const;

export interface TallyOptions {
  readonly isDryRun: boolean;
  /** Also without a terminal. */
  readonly showsProgress: boolean;
}

export class Tally {
  readonly #output: Output;
  readonly #isDryRun: boolean;
  readonly #showsProgress: boolean;
  readonly #counts = { written: 0, overwritten: 0, equal: 0, expired: 0, failed: 0 };
  #shownAt = Date.now();

  constructor(output: Output, { isDryRun, showsProgress }: TallyOptions) {
    this.#output = output;
    this.#isDryRun = isDryRun;
    this.#showsProgress = showsProgress || process.stderr.isTTY;
  }

  /** What became of the state with this stored id. `where`: before its name in messages, such as `line 7: `. */
  async add(id: string, result: Result, where = ""): Promise<void> {
    if (result.outcome === "failed") {
      this.fail(`${where}${labelOf(id)}`, result.problem);
      return;
    }
    this.#count(result.outcome);
    if (!this.#isDryRun) return;
    const { outcome } = result;
    await this.#output.result(
      { dryRun: true, ...namedId(id), outcome },
      `${labelOf(id)} ${dryRunTexts[outcome]}`,
    );
  }

  /** A record that could not be read or written. */
  fail(label: string, problem: string): void {
    this.#count("failed");
    this.#output.note(`${label}: ${problem.replace(/\.$/, "")}.`);
  }

  /** What is to be known of a record that was written. */
  remark(id: string, text: string): void {
    this.#output.note(`${labelOf(id)}: ${text}.`);
  }

  /** Prints the sum. Returns the exit code. */
  async sum(more: Readonly<Record<string, number>> = {}): Promise<number> {
    const counts = { ...this.#counts, ...more };
    const dryRun = this.#isDryRun ? { dryRun: true } : {};
    await this.#output.result(
      { ...dryRun, ...counts },
      `${this.#isDryRun ? "Dry run: " : ""}${textOf(counts)}.`,
    );
    return this.#counts.failed > 0 ? exitCodes.no : exitCodes.done;
  }

  #count(outcome: Result["outcome"]): void {
    this.#counts[outcome] += 1;
    if (!this.#showsProgress || Date.now() - this.#shownAt < progressMs) return;
    this.#shownAt = Date.now();
    this.#output.note(`… ${textOf(this.#counts)}`);
  }
}

/** Those that are not 0; "written" always. */
function textOf(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).filter(([name, count]) => count > 0 || name === "written");
  return parts.map(([name, count]) => `${String(count)} ${name}`).join(", ");
}
