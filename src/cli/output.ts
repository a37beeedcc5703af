/**
 * What a command prints: results to the standard output, as tables and text for people or as JSON, one object on a line,
 * for programs; everything else to the standard error.
 */
import { once } from "node:events";
import { jsonLine, printable, withoutPasswords } from "./printable.ts";

/** How many rows are collected before they are printed, so that their columns are aligned. */
const rowsAtATime = 500;

/** A table: each column has a heading, and makes its text from an entry. */
export type Columns<Entry> = Readonly<Record<string, (entry: Entry) => string | number>>;

export class Output {
  /** Whether results are printed as JSON. */
  readonly isJson: boolean;

  constructor(isJson: boolean) {
    this.isJson = isJson;
  }

  /** One result: the value with `--json`, otherwise the text, which is escaped line by line. */
  async result(value: unknown, text: string): Promise<void> {
    await this.raw(this.isJson ? `${jsonLine(value)}\n` : `${text.split("\n").map(printable).join("\n")}\n`);
  }

  /** Entries as they come: a table, or one JSON object on a line. Returns their number. */
  async table<Entry>(entries: AsyncIterable<Entry>, columns: Columns<Entry>): Promise<number> {
    let count = 0;
    let rows: string[][] = [Object.keys(columns)];
    for await (const entry of entries) {
      count += 1;
      if (this.isJson) await this.raw(`${jsonLine(entry)}\n`);
      else rows.push(Object.values(columns).map((cell) => printable(String(cell(entry)))));
      if (rows.length >= rowsAtATime) {
        await this.raw(aligned(rows));
        rows = [];
      }
    }
    if (!this.isJson && count > 0) await this.raw(aligned(rows));
    return count;
  }

  /** Bytes or text as they are. Waits while the reader is slow. */
  async raw(data: string | Uint8Array): Promise<void> {
    if (!process.stdout.write(data)) await once(process.stdout, "drain");
  }

  /** Progress and remarks, which are not results. */
  note(text: string): void {
    process.stderr.write(`${withoutPasswords(printable(text))}\n`);
  }
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return rows.map((row) => `${line(row).trimEnd()}\n`).join("");
}
