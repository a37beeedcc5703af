/** Tables for a terminal, and for Markdown. */
import type { CaseResult, Mark, Table } from "../model.ts";

/** What is printed when a case is done. */
export function caseAsText({ title, about, tables, marks, seconds }: CaseResult): string {
  const parts = [`\n== ${title} (${seconds.toFixed(0)} s)`, wrap(about), ...tables.map(tableAsText)];
  if (marks.length > 0) parts.push(marks.map(markAsText).join("\n"));
  return parts.join("\n\n");
}

export function markAsText({ mark, value, met }: Mark): string {
  return `${verdict(met).padEnd(8)} ${mark}: ${value}`;
}

export function verdict(met: boolean | null): string {
  if (met === null) return "unknown";
  return met ? "met" : "NOT MET";
}

function tableAsText({ title, head, rows, note }: Table): string {
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? "").length)));
  const text = lines.map((line) => {
    const cells = line.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    return `  ${cells.join("  ")}`;
  });
  return [`-- ${title}`, ...text, ...(note === undefined ? [] : [`  ${note}`])].join("\n");
}

export function tableAsMarkdown({ title, head, rows, note }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `|${head.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|`;
  const parts = [`**${title}**`, "", line(head), rule, ...rows.map(line)];
  if (note !== undefined) parts.push("", note);
  return parts.join("\n");
}

function wrap(text: string): string {
  return text.replaceAll(/(.{1,118})(?: |$)/g, "$1\n").trimEnd();
}
