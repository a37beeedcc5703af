// The API as Markdown, for programs that read: of each entry point, the declarations of its report in api/, and what the
// docstrings say of each member.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { ApiEntry } from "./typedoc.ts";

export interface ApiDocument {
  /** What programs import: "holdfast/testing". */
  readonly name: string;
  /** In the site: "api/modules/holdfast_testing.md". */
  readonly path: string;
  readonly text: string;
}

/** Throws an error if an entry point has no report. */
export function apiDocuments(root: string, entries: readonly ApiEntry[]): readonly ApiDocument[] {
  const modules = entries.filter(({ where }) => where === "module");
  return modules.map(({ name, url, text: about }) => {
    const members = entries.filter(({ where, text }) => where.startsWith(`${name}, `) && text !== "");
    const lines = members.map(
      (member) => `- \`${member.name}\`: ${member.text.replaceAll(/\s+/g, " ").trim()}`,
    );
    const code = `\`\`\`ts\n${declarations(root, name)}\n\`\`\``;
    const text = `# ${name}\n\n${about.trim()}\n\n${code}\n\n## Members\n\n${lines.join("\n")}\n`;
    return { name, path: markdownOf(url), text };
  });
}

/** Where the Markdown of a page of the API is: that of its entry point. `url` is that of the page. */
export function markdownOf(url: string): string {
  const [, module = ""] = /^api\/\w+\/(holdfast\w*)[.\w$-]*\.html/.exec(url) ?? [];
  if (module === "") throw new Error(`${url} is not where pages of the API are: adapt markdownOf`);
  return `api/modules/${module}.md`;
}

/** Without what API Extractor notes for reviewers. */
function declarations(root: string, name: string): string {
  const file = join(root, `api/${name.replace(/^holdfast\//, "")}.api.md`);
  if (!existsSync(file)) throw new Error(`${name} has no report: run \`npm run api\``);
  const [, code = ""] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(file, "utf8")) ?? [];
  const lines = code.split("\n").filter((line) => !line.trim().startsWith("//"));
  return lines
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim();
}
